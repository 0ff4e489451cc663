"""What all of Ollama's own wire shares: its operation."""

from typing import Final

CHAT: Final = "ollama_chat"
"""POST /api/chat"""

MAKER: Final = ""
"""Nobody signs thoughts there, and any model takes back those that nobody signed."""
