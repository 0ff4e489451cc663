"""The Gemini wire as it passes: what is read of a request, what goes on, and what a stream is counted for."""

import json
from typing import Any

import msgspec
import pytest

from core.dialects.gemini.caps import choices, limited, named_output, with_limit
from core.dialects.gemini.generate import (
    COUNT_TOKENS,
    EMBED,
    EMBED_ONE,
    GENERATE,
    answer_tokens,
    prompt_tokens,
    read_request,
    upstream_body,
)
from core.dialects.gemini.prompt_count import write_count
from core.dialects.gemini.stream import GenerateMeter, first_failure
from core.dialects.output_limit import has_output
from core.dialects.request import Request
from core.dialects.tokens import COUNTED, NO_TOKENS, PROVIDER, Tokens
from core.errors import InvalidArgument, ModelRequired

_BODY = b'{"contents":[{"role":"user","parts":[{"text":"How  are\\nyou?"}]}], "new":1.0}'


def request(body: bytes = _BODY, operation: str = GENERATE, *, front: bytes = b'"model":"m","stream":true,') -> Request:
    return read_request(operation, b"{" + front + body[1:])


def asking(**config: Any) -> Request:
    return request(msgspec.json.encode({"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": config}))


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\r\n\r\n"


def test_what_is_read_of_a_request() -> None:
    found = request(front=b'"model":"models/gemini-2.5-flash","stream":true,')
    assert (found.model, found.streamed, found.wants_usage, found.messages) == ("gemini-2.5-flash", True, True, 1)
    assert not request(front=b'"model":"m",').streamed
    assert not request(b'{"x":1}').lacks_messages
    with pytest.raises(ModelRequired):
        request(front=b"")
    with pytest.raises(InvalidArgument):
        read_request(GENERATE, b"[]")


def test_a_prompt_has_one_hash_however_its_fields_are_named() -> None:
    one = b'{"systemInstruction":{"parts":[{"text":"Be brief"}]},"contents":[{"parts":[{"text":"a"},{"text":"b"}]}]}'
    other = one.replace(b"systemInstruction", b"system_instruction").replace(
        b'{"parts":[{"text":"a', b'{"role":"user","parts":[{"text":"a'
    )
    assert request(one).prompt_hash == request(other).prompt_hash


@pytest.mark.parametrize(
    "front", [b'"model":"m",', b'"model":"m","stream":true,', b' "model" : "a\\"b" , "stream":false ,']
)
def test_a_body_goes_on_as_it_came_without_what_was_put_in_front(front: bytes) -> None:
    assert upstream_body(request(front=front), "other", ask_usage=True) == _BODY
    assert upstream_body(request(b"{}", front=front.rstrip(b" ,")), "other", ask_usage=True) == b"{}"


@pytest.mark.parametrize("own", [b'"model":"models/x"', b'"stream":"mine"', b'"tools":[{"model":{"stream":1}}]'])
def test_fields_of_the_same_names_inside_stay_and_on_top_go(own: bytes) -> None:
    body = b"{" + own + b',"contents":[]}'
    found = json.loads(
        upstream_body(read_request(GENERATE, body[:-1] + b',"model":"m","stream":true}'), "m", ask_usage=False)
    )
    assert set(found) == ({"contents", "tools"} if b"tools" in own else {"contents"})
    assert found.get("tools") in (None, [{"model": {"stream": 1}}])


def test_embeddings_and_counts_name_the_providers_model_inside_too() -> None:
    body = b'{"requests":[{"model":"models/alias","content":{"parts":[{"text":"a"}]},"x":1.0}]}'
    found = request(body, EMBED, front=b'"model":"alias",')
    assert (found.streamed, found.messages, prompt_tokens(found)) == (False, 1, 5)
    assert upstream_body(found, "real", ask_usage=False) == (
        b'{"requests":[{"model":"models/real","content":{"parts":[{"text":"a"}]},"x":1.0}]}'
    )
    count = b'{"generateContentRequest":{"model":"models/alias","contents":[{"parts":[{"text":"one two"}]}]}}'
    counting = request(count, COUNT_TOKENS, front=b'"model":"alias",')
    assert b'"model":"models/real"' in upstream_body(counting, "real", ask_usage=False)
    assert json.loads(write_count(counting)) == {"totalTokens": 7}
    one = request(b'{"content":{"parts":[{"text":"a"}]}}', EMBED_ONE, front=b'"model":"alias",')
    assert upstream_body(one, "real", ask_usage=False) == b'{"content":{"parts":[{"text":"a"}]}}'
    assert not any(map(has_output, (found, counting, one)))
    with pytest.raises(InvalidArgument):
        upstream_body(request(b'{"requests":[1]}', EMBED), "real", ask_usage=False)


def test_what_an_answer_used() -> None:
    body = b'{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":5}}'
    assert answer_tokens(request(), body) == Tokens(input=3, output=9, reasoning=5, source=PROVIDER)
    counted = answer_tokens(request(), b'{"candidates":[{"content":{"parts":[{"text":"one two three"}]}}]}')
    assert (counted.output, counted.source) == (3, COUNTED)
    assert answer_tokens(request(operation=COUNT_TOKENS), b'{"totalTokens":31}') == NO_TOKENS
    for body in (b"", b"[]", b"<html>"):
        with pytest.raises(ValueError, match="not"):
            answer_tokens(request(), body)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_last_usage_of_a_stream_counts_wherever_it_is_torn(size: int) -> None:
    data = (
        event(candidates=[{"content": {"parts": [{"text": "a"}]}}], usageMetadata={"promptTokenCount": 5})
        + event(candidates=[{"finishReason": "STOP"}], usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 2})
        + event(usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 3})
    )
    meter = GenerateMeter()
    relayed = b"".join(meter.feed(data[at : at + size]) for at in range(0, len(data), size)) + meter.end()
    assert relayed == data
    assert meter.complete
    assert meter.usage == meter.tokens(99) == Tokens(input=5, output=3, source=PROVIDER)


def test_a_stream_that_broke_off_is_counted_and_not_complete() -> None:
    meter = GenerateMeter()
    meter.feed(event(candidates=[{"content": {"parts": [{"text": '"finishReason":"STOP" one two'}]}}]))
    assert not meter.complete
    assert meter.usage is None
    assert meter.tokens(7) == Tokens(input=7, output=meter.output_tokens(), source=COUNTED)
    assert meter.output_tokens() > 2
    meter.feed(event(usageMetadata={"promptTokenCount": 4, "candidatesTokenCount": 50}))
    assert meter.tokens(7) == Tokens(input=4, output=50, source=COUNTED)
    assert meter.rough_output_tokens() == 50


def test_a_blocked_prompt_is_complete_and_an_error_is_told() -> None:
    meter = GenerateMeter()
    meter.feed(event(promptFeedback={"blockReason": "SAFETY"}, usageMetadata={"promptTokenCount": 4}))
    assert (meter.complete, meter.done) == (True, False)
    failed = GenerateMeter()
    failed.feed(event(error={"code": 503, "message": "busy", "status": "UNAVAILABLE"}))
    assert (failed.done, failed.reported_error) == (True, True)


def test_an_error_in_front_is_found_and_no_other() -> None:
    error = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
    assert first_failure(event(**error)) == (429, json.dumps(error).encode())
    assert first_failure(event(error={"message": "odd"})) == (502, b'{"error": {"message": "odd"}}')
    assert first_failure(event(candidates=[{"content": {"parts": [{"text": '"error"'}]}}])) is None
    assert first_failure(b"data: nonsense\n\n") is None


def test_caps() -> None:
    assert json.loads(limited(asking(temperature=1), 100, 0).body)["generationConfig"] == {
        "temperature": 1,
        "maxOutputTokens": 100,
    }
    assert json.loads(limited(asking(candidateCount=4), 100, 0).body)["generationConfig"]["maxOutputTokens"] == 25
    within = asking(maxOutputTokens=50, candidateCount=2)
    assert limited(within, 100, 10) is within
    assert (named_output(within), choices(within)) == (50, 2)
    thinking = limited(asking(thinkingConfig={"thinkingBudget": -1}), 0, 10)
    assert json.loads(thinking.body)["generationConfig"] == {"thinkingConfig": {"thinkingBudget": 10}}
    assert b'"model":"m"' in thinking.body
    for config, field in (
        ({"maxOutputTokens": 101}, "generationConfig.maxOutputTokens"),
        ({"maxOutputTokens": 60, "candidateCount": 2}, "generationConfig.maxOutputTokens"),
        ({"thinkingConfig": {"thinkingBudget": 11}}, "generationConfig.thinkingConfig.thinkingBudget"),
    ):
        with pytest.raises(InvalidArgument) as raised:
            limited(asking(**config), 100, 10)
        assert raised.value.field == field


def test_a_limit_is_put_in_where_none_is_named() -> None:
    asked = msgspec.structs.replace(request(), output_limit=9)
    assert json.loads(with_limit(asked, _BODY, ""))["generationConfig"] == {"maxOutputTokens": 9}
    assert with_limit(asking(maxOutputTokens=3), _BODY, "") == _BODY
