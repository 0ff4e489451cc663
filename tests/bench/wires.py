"""The wires on which the load client asks: OpenAI's, which the mock upstream speaks too, and one to be translated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .payloads import anthropic_body, chat_body


@dataclass(frozen=True)
class Wire:
    """body: of a model, whether it is streamed, and a directive to the mock."""

    path: str  # below the base URL
    body: Callable[[str, bool, str], dict[str, Any]]
    end: bytes  # what a whole stream has near its end
    said: Callable[[Any], str]  # the text of a whole answer's JSON
    made: str  # how a stream without its spaces says that it had five tokens


WIRES = {
    "openai": Wire(
        "/v1/chat/completions",
        chat_body,
        b"[DONE]",
        lambda answer: answer["choices"][0]["message"]["content"],
        '"completion_tokens":5',
    ),
    "anthropic": Wire(
        "/v1/messages",
        anthropic_body,
        b"message_stop",
        lambda answer: answer["content"][0]["text"],
        '"output_tokens":5',
    ),
}
OPENAI, ANTHROPIC = WIRES
