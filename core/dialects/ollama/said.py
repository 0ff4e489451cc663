"""What Ollama says, a whole answer or a line of a stream: the form of both is the same.

`prompt_eval_count` is the whole prompt, what was still in the cache included, and `eval_count` all that was made,
thoughts included; neither is told apart. Versions that leave the first out where all was cached report nothing, then.
Form: https://docs.ollama.com/api/chat
"""

from datetime import datetime

import msgspec

from core.dialects.canonical import NO_JSON, Finish, ToolCall
from core.dialects.tokens import PROVIDER, Tokens, reported, says


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = NO_JSON


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Alternative(msgspec.Struct):
    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None


class _Logprob(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class Line(msgspec.Struct):
    """A whole answer, or a line of a stream."""

    model: str | None = None
    created_at: str | None = None
    message: _Message | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | float | None = None
    eval_count: int | float | None = None
    logprobs: list[_Logprob] | None = None
    error: msgspec.Raw = NO_JSON


decode = msgspec.json.Decoder(Line).decode
_encode = msgspec.json.Encoder().encode


def calls_of(line: Line) -> list[ToolCall]:
    """The calls in it. Each is whole: Ollama does not send them in pieces."""
    calls = (line.message.tool_calls if line.message else None) or ()
    return [
        ToolCall(id=call.id or "", name=call.function.name or "", arguments=_arguments(call.function.arguments))
        for call in calls
        if call.function is not None
    ]


def logprobs_of(line: Line) -> msgspec.Raw:
    """Its log probabilities, as OpenAI has them."""
    if not line.logprobs:
        return NO_JSON
    for each in line.logprobs:
        each.top_logprobs = each.top_logprobs or []
    return msgspec.Raw(_encode({"content": line.logprobs, "refusal": None}))


def tokens_of(line: Line) -> Tokens | None:
    """What the request used; None where that is not reported in full."""
    if line.prompt_eval_count is None or line.eval_count is None or not says(line.prompt_eval_count, line.eval_count):
        return None
    return Tokens(input=reported(int(line.prompt_eval_count)), output=reported(int(line.eval_count)), source=PROVIDER)


def finish_of(line: Line, *, calls: bool) -> Finish:
    """Why the answer ended; calls: whether tools were called in it."""
    if line.done_reason == "length":
        return "length"
    return "tool_calls" if calls else "stop"


def created_of(line: Line) -> int:
    """When it was made, in seconds since 1970; 0 where that can't be read."""
    try:
        return max(0, int(datetime.fromisoformat(line.created_at or "").timestamp()))
    except (ValueError, OverflowError, OSError):
        return 0


def _arguments(raw: msgspec.Raw) -> str:
    text = bytes(raw).decode()
    return text if text not in ("", "null") else "{}"
