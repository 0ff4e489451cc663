"""OpenAI's chat completions. Thoughts and their proofs are as OpenRouter documents them, and others have them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from openai.types.chat import ChatCompletion, ChatCompletionChunk

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

STOPS: Final[Mapping[str, Stop]] = {"stop": "stop", "length": "length", "tool_calls": "tool"}
KINDS: Final = {
    400: frozenset({"invalid_request_error"}),
    401: frozenset({"authentication_error", "invalid_request_error"}),
    403: frozenset({"permission_error", "invalid_request_error"}),
    429: frozenset({"rate_limit_error", "requests"}),
    500: frozenset({"server_error"}),
    503: frozenset({"server_error"}),
    529: frozenset({"server_error"}),
}
DONE: Final = "[DONE]"


class ChatCaller(Caller):
    path = "/v1/chat/completions"
    kinds = KINDS

    def body(self, wish: Wish) -> dict[str, Any]:
        messages = [{"role": "system", "content": SYSTEM}, *wish.before, *self.user(wish)]
        body: dict[str, Any] = {"model": wish.model, "messages": messages, "max_completion_tokens": LIMIT}
        if wish.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if wish.tool:
            function = {"name": wish.tool, "description": DESCRIPTION, "parameters": PARAMETERS}
            body["tools"] = [{"type": "function", "function": function}]
            if wish.forced:
                body["tool_choice"] = {"type": "function", "function": {"name": wish.tool}}
        if wish.schema is not None:
            schema = {"name": "weather", "schema": wish.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if wish.thinks:
            body["reasoning_effort"] = "medium"
        if wish.shown:
            body["include_reasoning"] = True
        return body

    def user(self, wish: Wish) -> list[Any]:
        if not wish.say:
            return []
        if not wish.image:
            return [{"role": "user", "content": wish.say}]
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{wish.picture}"}}
        return [{"role": "user", "content": [{"type": "text", "text": wish.say}, image]}]

    def results(self, said: Mapping[str, str], heard: Heard) -> list[Any]:
        return [{"role": "tool", "tool_call_id": id_, "content": text} for id_, text in said.items()]

    def hear(self, body: bytes) -> Heard:
        answer = json.loads(body)
        ChatCompletion.model_validate(answer)
        assert answer["object"] == "chat.completion"
        (choice,) = answer["choices"]
        return _heard(choice["message"], choice["finish_reason"], usage_of(answer["usage"]))

    def hear_stream(self, body: bytes) -> Heard:
        *chunks, (_, end) = events(body)
        assert end == DONE
        message: dict[str, Any] = {"role": "assistant", "content": None}
        reasons: list[str] = []
        usages: list[Any] = []
        for _, data in chunks:
            chunk = json.loads(data)
            ChatCompletionChunk.model_validate(chunk)
            assert chunk["object"] == "chat.completion.chunk"
            if not chunk["choices"]:
                usages.append(chunk["usage"])
                continue
            assert chunk.get("usage") is None
            assert not usages, "nothing comes behind the usage"
            (choice,) = chunk["choices"]
            assert not reasons, "nothing is said behind the reason to end"
            _add(message, choice["delta"])
            if choice["finish_reason"]:
                reasons.append(choice["finish_reason"])
        (reason,), (usage,) = reasons, usages
        return _heard(message, reason, usage_of(usage))

    def trouble(self, body: bytes) -> Trouble:
        return trouble(json.loads(body))

    def broken(self, body: bytes) -> tuple[str, Trouble]:
        *chunks, (_, last) = events(body)
        deltas = [choice["delta"] for _, data in chunks for choice in json.loads(data)["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas), trouble(json.loads(last))


def trouble(body: Any) -> Trouble:
    """OpenAI's error object."""
    error = body["error"]
    assert {"message", "type", "param", "code"} <= error.keys()
    return Trouble(error["message"], error["type"])


def usage_of(usage: Any) -> Usage:
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    given: dict[str, int] = usage.get("prompt_tokens_details") or {}
    made: dict[str, int] = usage.get("completion_tokens_details") or {}
    cached, thought = given.get("cached_tokens", 0), made.get("reasoning_tokens", 0)
    return usage["prompt_tokens"], usage["completion_tokens"], cached, thought


def _add(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """A delta, as clients put them together: texts grow, calls by their index, details in a row."""
    for name in ("content", "reasoning_content"):
        if delta.get(name):
            message[name] = (message.get(name) or "") + delta[name]
    if details := delta.get("reasoning_details"):
        message.setdefault("reasoning_details", []).extend(details)
    for piece in delta.get("tool_calls") or ():
        calls: list[Any] = message.setdefault("tool_calls", [])
        if piece["index"] == len(calls):
            calls.append({"id": piece["id"], "type": "function", "function": {"name": "", "arguments": ""}})
        call = calls[piece["index"]]
        call["function"]["name"] += piece["function"].get("name") or ""
        call["function"]["arguments"] += piece["function"].get("arguments") or ""
        call |= {name: piece[name] for name in ("extra_content",) if name in piece}


def _heard(message: dict[str, Any], reason: str, usage: Usage) -> Heard:
    calls = [
        Called(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    ]
    turn = {name: value for name, value in message.items() if value is not None and name != "annotations"}
    return Heard(
        text=message.get("content") or "",
        thought=message.get("reasoning_content") or "",
        calls=calls,
        stop=STOPS[reason],
        usage=usage,
        turn=[turn],
    )
