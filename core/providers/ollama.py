"""Ollama's own wire, which stands beside the version that the base URL ends with.

{base}/v1/chat/completions     the OpenAI wire, which passes through
{base}/api/chat                its own, for chats of other wires: it says whether to think, and takes top_k
"""

from typing import Final

from core.dialects.ollama.chat import CHAT
from core.providers.wire import Wire

OLLAMA: Final = Wire(paths={CHAT: "/../api/chat"}, key_header="Authorization", key_prefix="Bearer ")
