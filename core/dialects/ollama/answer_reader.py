"""Ollama's whole answers."""

import msgspec

from core.dialects.canonical import NO_JSON, Answer, Choice, Said, Text, Thinking
from core.dialects.ollama.said import calls_of, created_of, decode, finish_of, logprobs_of, tokens_of
from core.dialects.sides import Unreadable


def read_answer(body: bytes) -> Answer:
    """A whole good answer. Raises Unreadable."""
    try:
        line = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("the answer is not one of Ollama's") from error
    if line.message is None:
        raise Unreadable("the answer has no message")
    parts: list[Said] = []
    if line.message.thinking:
        parts.append(Thinking(line.message.thinking))
    if line.message.content:
        parts.append(Text(line.message.content))
    calls = calls_of(line)
    parts += calls
    choice = Choice(
        parts=parts,
        finish=finish_of(line, calls=bool(calls)),
        logprobs=logprobs_of(line) if line.logprobs else NO_JSON,
    )
    return Answer(id="", model=line.model or "", choices=[choice], tokens=tokens_of(line), created=created_of(line))
