"""Anthropic's Messages."""

import json
from collections.abc import Mapping
from typing import Any, Final

from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.e2e.matrix.callers.caller import (
    DESCRIPTION,
    LIMIT,
    PARAMETERS,
    SYSTEM,
    Called,
    Caller,
    Heard,
    Stop,
    Trouble,
    Usage,
    Wish,
    events,
)

_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
_STOPS: Final[Mapping[str, Stop]] = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool"}
_GROW: Final = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


class MessagesCaller(Caller):
    path = "/v1/messages"
    kinds: Mapping[int, frozenset[str]] = {
        400: frozenset({"invalid_request_error"}),
        401: frozenset({"authentication_error"}),
        403: frozenset({"permission_error"}),
        429: frozenset({"rate_limit_error"}),
        500: frozenset({"api_error"}),
        503: frozenset({"overloaded_error"}),
        529: frozenset({"overloaded_error"}),
    }

    def body(self, wish: Wish) -> dict[str, Any]:
        messages = [*wish.before, *self.user(wish)]
        body: dict[str, Any] = {"model": wish.model, "max_tokens": LIMIT, "system": SYSTEM, "messages": messages}
        if wish.stream:
            body["stream"] = True
        if wish.tool:
            body["tools"] = [{"name": wish.tool, "description": DESCRIPTION, "input_schema": PARAMETERS}]
            if wish.forced:
                body["tool_choice"] = {"type": "tool", "name": wish.tool}
        if wish.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": wish.schema}}
        if wish.thinks:
            body["thinking"] = {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}
        return body

    def user(self, wish: Wish) -> list[Any]:
        if not wish.say:
            return []
        if not wish.image:
            return [{"role": "user", "content": wish.say}]
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": wish.picture}}
        return [{"role": "user", "content": [{"type": "text", "text": wish.say}, image]}]

    def results(self, said: Mapping[str, str], heard: Heard) -> list[Any]:
        blocks = [{"type": "tool_result", "tool_use_id": id_, "content": text} for id_, text in said.items()]
        return [{"role": "user", "content": blocks}]

    def hear(self, body: bytes) -> Heard:
        answer = json.loads(body)
        Message.model_validate(answer)
        assert (answer["type"], answer["role"]) == ("message", "assistant")
        return _heard(answer["content"], answer["stop_reason"], answer["usage"])

    def hear_stream(self, body: bytes) -> Heard:
        happened = _happened(body)
        assert [each["type"] for each in happened[-2:]] == ["message_delta", "message_stop"]
        usage = happened[0]["message"]["usage"] | happened[-2]["usage"]
        return _heard(_blocks(happened[1:-2]), happened[-2]["delta"]["stop_reason"], usage)

    def trouble(self, body: bytes) -> Trouble:
        return _trouble(json.loads(body))

    def broken(self, body: bytes) -> tuple[str, Trouble]:
        *found, (name, last) = events(body)
        assert name == "error"
        deltas = [json.loads(data).get("delta", {}) for _, data in found]
        return "".join(delta.get("text", "") for delta in deltas), _trouble(json.loads(last))


def _trouble(body: Any) -> Trouble:
    assert body["type"] == "error"
    return Trouble(body["error"]["message"], body["error"]["type"])


def _happened(body: bytes) -> list[Any]:
    """The events but for pings, which may come anywhere."""
    happened: list[Any] = []
    for name, data in events(body):
        each = json.loads(data)
        assert each["type"] == name
        if name != "ping":
            _EVENT.validate_python(each)
            happened.append(each)
    assert happened[0]["type"] == "message_start"
    return happened


def _blocks(happened: list[Any]) -> list[Any]:
    """The content, put together: blocks come one after the other, each with its beginning and its end."""
    blocks: list[Any] = []
    open_ = False
    for each in happened:
        match each["type"]:
            case "content_block_start":
                assert not open_
                assert each["index"] == len(blocks)
                blocks.append({**each["content_block"], "_json": ""})
                open_ = True
            case "content_block_delta":
                assert open_
                assert each["index"] == len(blocks) - 1
                delta, block = each["delta"], blocks[-1]
                if delta["type"] == "input_json_delta":
                    block["_json"] += delta["partial_json"]
                else:
                    name = _GROW[delta["type"]]
                    block[name] = block.get(name, "") + delta[name]
            case kind:
                assert kind == "content_block_stop"
                open_ = False
    assert not open_
    for block in blocks:
        arguments = block.pop("_json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(arguments or "{}")
    return blocks


def _heard(content: list[Any], reason: str, usage: Any) -> Heard:
    calls = [Called(block["id"], block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
    return Heard(
        text="".join(block["text"] for block in content if block["type"] == "text"),
        thought="".join(block["thinking"] for block in content if block["type"] == "thinking"),
        calls=calls,
        stop=_STOPS[reason],
        usage=_usage(usage),
        turn=[{"role": "assistant", "content": content}],
    )


def _usage(usage: Any) -> Usage:
    cached = usage.get("cache_read_input_tokens") or 0
    given = usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0)
    details = usage.get("output_tokens_details")
    return given, usage["output_tokens"], cached, details["thinking_tokens"] if details else None
