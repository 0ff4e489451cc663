"""What the provider `echo` answers on Anthropic's wire, as bytes.

It says what was said last, token by token where it is asked to stream, keeps to `max_tokens`, and calls
a tool where one is required.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from core.dialects.anthropic import messages as anthropic_messages
from core.dialects.anthropic.messages import COUNT_TOKENS, read_request
from core.dialects.request import Request

_MOST_TOKENS = 65_536  # of an answer, as models have a limit too
_TOKEN = re.compile(r"\s*\S{1,8}")

_encode = msgspec.json.Encoder().encode


class _Block(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Block] = ""


class _Choice(msgspec.Struct, frozen=True):
    type: str = "auto"
    name: str = ""


class _Tool(msgspec.Struct):
    name: str = ""


class _Body(msgspec.Struct):
    """What echo reads of a request."""

    max_tokens: int
    messages: list[_Message]
    tools: list[_Tool] = []
    tool_choice: _Choice = _Choice()


_decode = msgspec.json.Decoder(_Body).decode


def answer(operation: str, body: bytes, message_id: str) -> tuple[int, Sequence[bytes]]:
    """The status and the answer: its events where a stream was asked for, else one piece."""
    request = read_request(operation, body)
    if operation == COUNT_TOKENS:
        return 200, [_encode({"input_tokens": anthropic_messages.prompt_tokens(request)})]
    try:
        asked = _decode(body)
    except msgspec.DecodeError as error:
        return 400, [_refusal(str(error))]
    if not asked.messages:
        return 400, [_refusal("messages: at least one message is required")]
    pieces = [match[0] for match in itertools.islice(_TOKEN.finditer(_last_said(asked)), _MOST_TOKENS)]
    pieces = pieces or ["(nothing", " to", " echo)"]
    limit = max(1, asked.max_tokens)
    tool = _required_tool(asked)
    stop = "tool_use" if tool else "max_tokens" if len(pieces) > limit else "end_turn"
    return 200, _said(request, message_id, [] if tool else pieces[:limit], tool, stop)


def _said(request: Request, message_id: str, pieces: Sequence[str], tool: str, stop: str) -> Sequence[bytes]:
    usage = {"input_tokens": anthropic_messages.prompt_tokens(request), "output_tokens": len(pieces) or 1}
    block: dict[str, Any] = {"type": "text", "text": "".join(pieces)}
    if tool:
        block = {"type": "tool_use", "id": f"toolu_{message_id}", "name": tool, "input": {}}
    message = {"id": message_id, "type": "message", "role": "assistant", "model": request.model, "content": [block]}
    message |= {"stop_reason": stop, "stop_sequence": None, "usage": usage}
    if not request.streamed:
        return [_encode(message)]
    begun = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 0}}
    delta = {"type": "input_json_delta", "partial_json": "{}"}
    deltas = [delta] if tool else [{"type": "text_delta", "text": piece} for piece in pieces]
    return [
        _event("message_start", message=begun)
        + _event("content_block_start", index=0, content_block=block if tool else block | {"text": ""}),
        *(_event("content_block_delta", index=0, delta=delta) for delta in deltas),
        _event("content_block_stop", index=0)
        + _event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage=usage)
        + _event("message_stop"),
    ]


def _event(name: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode({"type": name, **fields}))


def _refusal(message: str) -> bytes:
    return _encode({"type": "error", "error": {"type": "invalid_request_error", "message": message}})


def _last_said(asked: _Body) -> str:
    content = next((message.content for message in reversed(asked.messages) if message.role == "user"), "")
    return content if isinstance(content, str) else " ".join([block.text for block in content])


def _required_tool(asked: _Body) -> str:
    """The tool that must be called, "" for none."""
    names = [tool.name for tool in asked.tools]
    if asked.tool_choice.type == "any":
        return names[0] if names else ""
    return asked.tool_choice.name if asked.tool_choice.type == "tool" and asked.tool_choice.name in names else ""
