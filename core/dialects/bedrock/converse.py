"""What all of Bedrock's Converse wire shares: its operation, and one name that both of its ends know."""

from typing import Final

CONVERSE: Final = "converse"
"""POST /model/{model}/converse, and /model/{model}/converse-stream where the answer is streamed."""

ANSWER_TOOL: Final = "llmrouter_answer"
"""A model that knows no form of answers is made to call this tool; what it calls it with is its answer."""

Json = dict[str, object]
"""A JSON object on its way out."""
