"""The fakes themselves: what they take and refuse, and that what they say is what the vendors' SDKs read."""

import json
from collections.abc import Mapping
from typing import Any, Final, Required, cast

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from core.dialects.table import CALLERS as DIALECTS_OF_CALLERS
from core.dialects.table import PROVIDERS
from core.providers.vendors import vendor_for
from tests.e2e.matrix.callers import CALLERS
from tests.e2e.matrix.callers.caller import events
from tests.e2e.matrix.stage import WIRES
from tests.support.openai_upstream import Received
from tests.support.wires import anthropic, bedrock, gemini, ollama, openai, responses, script
from tests.support.wires.fake import KEY, Complaint, WireFake
from tests.support.wires.shape import faults

_HEADERS: Final = {
    "authorization": f"Bearer {KEY}",
    "x-api-key": KEY,
    "x-goog-api-key": KEY,
    "anthropic-version": "2023-06-01",
}
_PLAIN: Final[list[Any]] = [{"role": "user", "content": script.HELLO}]
# The path and the least body of each.
GOOD: Final[Mapping[type[WireFake], tuple[str, dict[str, Any]]]] = {
    openai.OpenAIFake: (
        "/v1/chat/completions",
        {"model": "m", "messages": _PLAIN, "max_completion_tokens": 9},
    ),
    responses.ResponsesFake: ("/v1/responses", {"model": "m", "input": script.HELLO}),
    anthropic.AnthropicFake: ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": _PLAIN}),
    gemini.GeminiFake: (
        f"/v1beta/models/{gemini.MODEL}:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": script.HELLO}]}]},
    ),
    bedrock.BedrockFake: (
        f"/model/{bedrock.MODEL}/converse",
        {"messages": [{"role": "user", "content": [{"text": script.HELLO}]}]},
    ),
    ollama.OllamaFake: ("/api/chat", {"model": "m", "messages": _PLAIN}),
}
SAID: Final = [
    script.Reply(pieces=script.PIECES, thoughts=script.THOUGHTS),
    script.Reply(calls=script.CALLS, stop="tool"),
    script.Reply(pieces=script.PIECES, stop="length"),
]


def received(kind: type[WireFake], *, headers: Mapping[str, str] = _HEADERS, **fields: Any) -> Received:
    """The least request, with these fields beside."""
    path, body = GOOD[kind]
    return Received("POST", path, dict(headers), json.dumps({**body, **fields}).encode())


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_request_is_understood(kind: type[WireFake]):
    assert kind().understood(received(kind)).text == script.HELLO


@pytest.mark.parametrize("kind", GOOD)
def test_an_unknown_field_is_named(kind: type[WireFake]):
    with pytest.raises(Complaint, match="reasonning: no such field"):
        kind().understood(received(kind, reasonning={}))


@pytest.mark.parametrize("kind", GOOD)
def test_a_field_that_is_missing_is_named(kind: type[WireFake]):
    path, body = GOOD[kind]
    for name in body.keys() - {"max_completion_tokens", "model", "input"}:
        left = {key: value for key, value in body.items() if key != name}
        with pytest.raises(Complaint, match=f"{name}: is missing"):
            kind().understood(Received("POST", path, dict(_HEADERS), json.dumps(left).encode()))


@pytest.mark.parametrize("kind", GOOD)
def test_a_stranger_is_sent_away(kind: type[WireFake]):
    with pytest.raises(Complaint, match="key"):
        kind().understood(received(kind, headers={"anthropic-version": "2023-06-01"}))


@pytest.mark.parametrize("said", SAID)
def test_what_openai_and_anthropic_say_is_what_their_clients_read(said: script.Reply):
    whole: Mapping[type[WireFake], tuple[Any, Any]] = {
        openai.OpenAIFake: (ChatCompletion, ChatCompletionChunk),
        responses.ResponsesFake: (Response, ResponseStreamEvent),
        anthropic.AnthropicFake: (Message, RawMessageStreamEvent),
    }
    for kind, (answer, event) in whole.items():
        request, fake = received(kind), kind()
        answer.model_validate(fake.answer(said, request))
        check: Any = TypeAdapter(cast("Any", event))
        for name, data in events(b"".join(fake.events(said, request))):
            if name != "ping" and data != "[DONE]":
                check.validate_json(data)


@pytest.mark.parametrize("said", SAID)
def test_what_bedrock_says_is_in_its_services_model(said: script.Reply):
    fake = bedrock.BedrockFake()
    assert not bedrock.output_faults(fake.answer(said, received(bedrock.BedrockFake)))


class _Shape(TypedDict, total=False):
    name: Required[str]
    count: int | None
    parts: list["_Text | _Number"]


class _Text(TypedDict):
    type: str
    text: str


class _Number(TypedDict):
    type: str
    number: float


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"name": "a", "count": None, "parts": [{"type": "text", "text": "b"}, {"type": "n", "number": 1}]}, []),
        ({}, ["name: is missing"]),
        ({"name": "a", "more": 1}, ["more: no such field"]),
        ({"name": 1}, ["name: must be str"]),
        ({"name": "a", "count": True}, ["count: must be int"]),
        ({"name": "a", "parts": [{"type": "n", "number": "1"}]}, ["parts[0].number: must be float"]),
        ({"name": "a", "parts": {}}, ["parts: must be a list"]),
        ([], ["the body: must be an object"]),
    ],
)
def test_what_is_wrong_with_json_is_told_with_its_place(value: Any, wrong: list[str]):
    assert faults(value, _Shape) == wrong


def test_every_wire_that_the_router_speaks_is_in_the_matrix():
    vendors = [vendor for row in WIRES.values() if (vendor := vendor_for(row.type)) is not None]
    spoken = [[operation for wire in each.wires for operation in wire.paths if each.has(operation)] for each in vendors]
    first = {next(operation for operation in operations if operation in PROVIDERS) for operations in spoken}
    assert first == PROVIDERS.keys()


def test_every_dialect_that_the_router_understands_is_in_the_matrix():
    assert len(CALLERS) == len(DIALECTS_OF_CALLERS)


def test_every_wire_has_its_least_request():
    assert {row.fake for row in WIRES.values()} - {openai.CompatibleFake} == GOOD.keys() - {openai.OpenAIFake}
