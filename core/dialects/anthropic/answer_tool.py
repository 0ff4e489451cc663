"""Structured output for models that have none: a tool of our own, whose input is the answer.

The model must call it, or one of the caller's own tools where there are some. What it puts in is given back as
text, and that it was a tool is said to nobody: readers of answers and streams know it by its name.
"""

from typing import Any, Final

import msgspec

from core.dialects.canonical import NO_JSON, Format

NAME: Final = "llmrouter_answer"
_DESCRIPTION: Final = "Gives the answer to the user. Call this once, with the whole answer as its input."
_ANY_OBJECT: Final = msgspec.Raw(b'{"type":"object","additionalProperties":true}')


def answer_tool(asked: Format) -> dict[str, Any]:
    """The tool for an answer of this form."""
    description = f"{_DESCRIPTION} {asked.description}" if asked.description else _DESCRIPTION
    schema = asked.schema if asked.kind == "schema" and asked.schema != NO_JSON else _ANY_OBJECT
    return {"name": NAME, "description": description, "input_schema": schema}
