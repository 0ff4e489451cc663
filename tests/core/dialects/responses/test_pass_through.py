"""Requests and streams of the Responses wire that only pass: bytes, caps, costs, accounts."""

import json
from typing import Any

import pytest

from core.dialects.output_limit import choices, has_output, named_output
from core.dialects.request import Request
from core.dialects.responses import state
from core.dialects.responses.body import upstream_body
from core.dialects.responses.caps import limited, with_limit
from core.dialects.responses.request import PREVIOUS, RESPONSES, prompt_tokens, read_request
from core.dialects.responses.stream import ResponseMeter, first_failure
from core.dialects.responses.thoughts import Proof, sealed
from core.dialects.responses.usage import answer_tokens
from core.dialects.tokens import COUNTED, PROVIDER, Tokens
from core.errors import InvalidArgument


def request(body: bytes = b"", *, never_stream: bool = False, **fields: Any) -> Request:
    data = body or json.dumps({"model": "m", "input": "Hi there", **fields}).encode()
    return read_request(RESPONSES, data, never_stream=never_stream)


def test_a_body_keeps_its_bytes_but_for_the_model():
    body = b' {"x": 1.0, "model" : "m", "input":"Hi", "big": 12345678901234567890}'
    assert upstream_body(request(body), "other", ask_usage=True) == body.replace(b'"m"', b'"other"')


def test_a_stream_that_nobody_reads_is_not_asked_for():
    body = upstream_body(request(stream=True, never_stream=True), "m", ask_usage=False)
    assert json.loads(body)["stream"] is False


def test_the_prompt_is_hashed_without_regard_to_its_form():
    part = {"type": "input_text", "text": "Hi  there"}
    forms = [
        "Hi there",
        [{"role": "user", "content": "Hi there"}],
        [{"type": "message", "role": "user", "content": [part]}],
    ]
    assert len({request(input=form).prompt_hash for form in forms}) == 1
    assert request(input="Hi", instructions="Be kind").prompt_hash != request(input="Hi").prompt_hash
    assert request(input=[{"role": "user", "content": "a"}] * 3).messages == 3
    assert prompt_tokens(request(input="Hi there")) == 2 + 1 + 4  # with the role


def test_caps_hold():
    assert limited(request(), 100, 0).output_limit == 100
    assert limited(request(max_output_tokens=50), 100, 0).output_limit == 50
    for number in (101, -1):
        with pytest.raises(InvalidArgument) as refused:
            limited(request(max_output_tokens=number), 100, 0)
        assert refused.value.field == "max_output_tokens"
    with pytest.raises(InvalidArgument):
        limited(request(reasoning={"max_tokens": 11}), 0, 10)
    assert limited(request(reasoning={"max_tokens": 10}), 0, 10).output_limit == 0


@pytest.mark.parametrize(
    "body", [b'{"model":"m","input":"Hi"}', b'{"model":"m","input":"Hi","max_output_tokens":null}']
)
def test_a_limit_goes_into_the_field_of_this_wire(body: bytes):
    sent = json.loads(with_limit(limited(request(body), 100, 0), body, ""), object_pairs_hook=list)
    assert [value for name, value in sent if name == "max_output_tokens"] == [100]


def test_the_limit_of_a_request_is_known():
    assert has_output(request())
    assert named_output(request(max_output_tokens=77)) == 77
    assert choices(request(n=5)) == 1


def test_what_is_kept_goes_to_a_provider_without_what_it_does_not_know():
    items: list[dict[str, Any]] = [
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": "a"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": sealed(Proof("anthropic", "s"))},
    ]
    asked = request(input="Go on", previous_response_id="resp_1", store=True)
    raw = [state.own_items(request(input=items))[place] for place in range(4)]
    made = state.with_items(asked, [*raw, *state.own_items(asked)])
    sent = json.loads(upstream_body(made, "m", ask_usage=False))
    assert PREVIOUS not in sent
    assert bytes(made.fields[PREVIOUS]) == b'"resp_1"'
    assert [item.get("id") for item in sent["input"]] == [None, "rs_2", None]
    # A caller that keeps the conversation by itself: only what is sealed is taken out.
    sent = json.loads(upstream_body(request(input=items), "m", ask_usage=False))
    assert [item["id"] for item in sent["input"]] == ["msg_1", "rs_1", "rs_2"]


USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 10},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 130,
}
TOKENS = Tokens(input=100, output=30, cached_input=40, cache_write=10, reasoning=20, source=PROVIDER)


def answer(**fields: Any) -> bytes:
    return json.dumps({"id": "resp_1", "output": [], "usage": USAGE, **fields}).encode()


def test_an_answers_usage_is_read():
    assert answer_tokens(request(), answer()) == TOKENS
    searched = [{"type": "web_search_call", "action": {"type": kind}} for kind in ("search", "open_page", "search")]
    assert answer_tokens(request(), answer(output=searched)).web_searches == 2
    told = {"web_search": {"num_requests": 1}}
    assert answer_tokens(request(), answer(output=searched, tool_usage=told)).web_searches == 1


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": "many"}])
def test_an_answer_without_usage_is_counted(usage: Any):
    said = [{"type": "message", "content": [{"type": "output_text", "text": "one two three"}]}]
    found = answer_tokens(request(), answer(usage=usage, output=said))
    assert (found.source, found.output, found.input > 0) == (COUNTED, 3, True)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"'])
def test_what_is_no_answer_is_refused(body: bytes):
    with pytest.raises(ValueError, match="JSON"):
        answer_tokens(request(), body)


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def stream(end: str = "response.completed", usage: Any = USAGE) -> bytes:
    return b"".join((
        event("response.created", response={"id": "resp_1", "usage": None}),
        event("response.output_text.delta", delta="one two "),
        event("response.output_text.delta", delta='"type":"response.completed" three'),
        event("response.output_text.done", text="one two three"),
        event(end, response={"id": "resp_1", "usage": usage, "output": [{"type": "error"}]}),
    ))  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_a_stream_passes_to_the_byte_and_its_usage_is_read(size: int):
    data, meter = stream(), ResponseMeter(hide_usage=True)
    assert b"".join(meter.feed(data[at : at + size]) for at in range(0, len(data), size)) + meter.end() == data
    assert (meter.done, meter.complete, meter.reported_error, meter.usage) == (True, True, False, TOKENS)


def test_a_stream_that_breaks_off_is_not_complete_and_counted():
    meter = ResponseMeter(hide_usage=False)
    meter.feed(stream().rpartition(b"event: response.output_text.done")[0])
    meter.end()
    assert not meter.complete
    assert meter.tokens(9).input == 9
    assert meter.tokens(9).output == meter.output_tokens() > 3
    assert meter.rough_output_tokens() == 3


@pytest.mark.parametrize(
    ("end", "failed"), [("response.incomplete", False), ("response.failed", True), ("error", True)]
)
def test_the_ends_of_a_stream_are_told_apart(end: str, failed: bool):
    meter = ResponseMeter(hide_usage=False)
    meter.feed(stream(end))
    assert (meter.done, meter.reported_error) == (True, failed)


def test_a_stream_that_begins_with_an_error_is_none():
    failed = {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}
    begun = event("response.created", response={}) + event("response.failed", response=failed)
    found = first_failure(begun)
    assert found is not None
    assert found[0] == 429
    assert json.loads(found[1])["error"]["message"] == "slow down"
    plain = first_failure(event("error", code="server_error", message="broken", param=None))
    assert plain is not None
    assert plain[0] == 500
    assert first_failure(stream()) is None
