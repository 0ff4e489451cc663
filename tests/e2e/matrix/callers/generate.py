"""Gemini's generateContent."""

import json
from collections.abc import Mapping
from typing import Any

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
    payloads,
)
from tests.support.wires.gemini import Part
from tests.support.wires.shape import faults


class GenerateCaller(Caller):
    path = "/v1beta/models/"
    kinds: Mapping[int, frozenset[str]] = {
        400: frozenset({"INVALID_ARGUMENT"}),
        401: frozenset({"UNAUTHENTICATED", "INVALID_ARGUMENT"}),
        403: frozenset({"PERMISSION_DENIED"}),
        429: frozenset({"RESOURCE_EXHAUSTED"}),
        500: frozenset({"INTERNAL"}),
        503: frozenset({"UNAVAILABLE"}),
        529: frozenset({"UNAVAILABLE"}),
    }

    def body(self, wish: Wish) -> dict[str, Any]:
        config: dict[str, Any] = {"maxOutputTokens": LIMIT}
        body: dict[str, Any] = {
            "contents": [*wish.before, *self.user(wish)],
            "systemInstruction": {"parts": [{"text": SYSTEM}]},
            "generationConfig": config,
        }
        if wish.tool:
            declared = {"name": wish.tool, "description": DESCRIPTION, "parametersJsonSchema": PARAMETERS}
            body["tools"] = [{"functionDeclarations": [declared]}]
            if wish.forced:
                calling = {"mode": "ANY", "allowedFunctionNames": [wish.tool]}
                body["toolConfig"] = {"functionCallingConfig": calling}
        if wish.schema is not None:
            config |= {"responseMimeType": "application/json", "responseJsonSchema": wish.schema}
        if wish.thinks:
            config["thinkingConfig"] = {"includeThoughts": True, "thinkingBudget": 2048}
        return body

    def address(self, wish: Wish) -> str:
        verb = "streamGenerateContent?alt=sse" if wish.stream else "generateContent"
        return f"{self.path}{wish.model}:{verb}"

    def user(self, wish: Wish) -> list[Any]:
        if not wish.say:
            return []
        parts: list[Any] = [{"text": wish.say}]
        if wish.image:
            parts.append({"inlineData": {"mimeType": "image/png", "data": wish.picture}})
        return [{"role": "user", "parts": parts}]

    def results(self, said: Mapping[str, str], heard: Heard) -> list[Any]:
        names = {call.id: call.name for call in heard.calls}
        responses = [{"id": id_, "name": names[id_], "response": {"output": text}} for id_, text in said.items()]
        return [{"role": "user", "parts": [{"functionResponse": each} for each in responses]}]

    def hear(self, body: bytes) -> Heard:
        answer = json.loads(body)
        (candidate,) = answer["candidates"]
        return _heard(candidate["content"]["parts"], candidate["finishReason"], answer["usageMetadata"])

    def hear_stream(self, body: bytes) -> Heard:
        chunks = payloads(body)
        parts: list[Any] = []
        reasons: list[str] = []
        for chunk in chunks:
            assert not reasons, "nothing comes behind the reason to end"
            (candidate,) = chunk["candidates"]
            parts += candidate.get("content", {}).get("parts", [])
            if reason := candidate.get("finishReason"):
                reasons.append(reason)
        return _heard(parts, reasons[0], chunks[-1]["usageMetadata"])

    def trouble(self, body: bytes) -> Trouble:
        return _trouble(json.loads(body))

    def broken(self, body: bytes) -> tuple[str, Trouble]:
        *chunks, last = payloads(body)
        parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
        return "".join(part["text"] for part in parts), _trouble(last)


def _trouble(body: Any) -> Trouble:
    error = body["error"]
    assert isinstance(error["code"], int)
    return Trouble(error["message"], error["status"])


def _heard(parts: list[Any], reason: str, usage: Any) -> Heard:
    for part in parts:
        assert not faults(part, Part)
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    stop: Stop = "length" if reason == "MAX_TOKENS" else "stop"
    if stop == "stop":
        assert reason == "STOP"
    return Heard(
        text="".join(part["text"] for part in parts if "text" in part and not part.get("thought")),
        thought="".join(part["text"] for part in parts if part.get("thought")),
        calls=[Called(call["id"], call["name"], call["args"]) for call in calls],
        stop="tool" if calls else stop,
        usage=_usage(usage),
        turn=[{"role": "model", "parts": _joined(parts)}],
    )


def _joined(parts: list[Any]) -> list[Any]:
    """Parts as clients put them together: texts of a kind are one, and empty ones nothing but what they bear."""
    joined: list[Any] = []
    for part in parts:
        last: dict[str, Any] = joined[-1] if joined else {}
        same = "text" in part and "text" in last and part.get("thought") == last.get("thought")
        if same and "thoughtSignature" not in last:
            joined[-1] = {**last, **part, "text": last["text"] + part["text"]}
        else:
            joined.append(part)
    return joined


def _usage(usage: Any) -> Usage:
    thoughts = usage.get("thoughtsTokenCount", 0)
    output = usage["candidatesTokenCount"] + thoughts
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + output
    return usage["promptTokenCount"], output, usage.get("cachedContentTokenCount", 0), thoughts
