"""OpenAI's wire: what the router reads of bodies, and that it leaves alone what is not its own."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.openai.chat import (
    CHAT,
    COMPLETION,
    EMBEDDING,
    answer_tokens,
    prompt_tokens,
    read_request,
    upstream_body,
)
from core.dialects.request import Request, model_of
from core.dialects.tokens import COUNTED, PROVIDER, Tokens
from core.errors import InvalidArgument, ModelRequired

DEEP = b"[" * 100_000 + b"]" * 100_000

# What a decoder and an encoder would change on the way.
ODDITIES = (
    b'"a": 1.0, "b":1e3,"c" :123456789012345678901234567890, "d":-0.0, "e":1E+2, "f": 0.10000000000000000555,\n'
    b'\t"g": "\\u00e9\\/\\ud83d\\ude00", "h": "\xc3\xa9", "i": {"z": 1, "a": {"n": null}} , "j": [ 1 , 2.50 ],'
    b'"k": 1, "k": 2, "": {}, "\\u006b2": true'
)


def body_of(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}).encode()


def chat(body: bytes, **options: Any) -> Request:
    return read_request(CHAT, body, **options)


def test_it_reads_what_it_needs():
    request = chat(body_of(stream=True, stream_options={"include_usage": True}))
    assert (request.model, request.streamed, request.wants_usage, request.messages) == ("m", True, True, 1)


@pytest.mark.parametrize("streamed", [False, None])
def test_a_request_without_a_stream_wants_no_usage_event(streamed: bool | None):
    request = chat(body_of(stream=streamed, stream_options={"include_usage": True}))
    assert (request.streamed, request.wants_usage) == (False, False)


def test_an_endpoint_without_streams_sends_none():
    request = chat(body_of(stream=True, stream_options={"include_usage": True}), never_stream=True)
    sent = json.loads(upstream_body(request, "m", ask_usage=True))
    assert sent == json.loads(body_of(stream=False))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"not json", ""),
        (b'{"model": "m"', ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"\xff\xfe", ""),
        (b'{"model": "m", "messages": []} {}', ""),
        (b'{"model": "m", "messages": ' + DEEP + b"}", ""),
        (b'{"model": "m", "messages": [], "stream": "yes"}', "stream"),
        (b'{"model": "m", "messages": [], "stream": 1}', "stream"),
        (b'{"model": "m", "messages": [], "stream": true, "stream_options": 7}', "stream_options"),
        (b'{"model": "' + b"x" * 301 + b'", "messages": []}', "model"),
    ],
)
def test_what_can_not_be_used_is_the_callers_fault(body: bytes, field: str):
    with pytest.raises(InvalidArgument) as caught:
        chat(body)
    assert caught.value.field == field


@pytest.mark.parametrize("model", [b"", b'"model": "",', b'"model": null,', b'"model": 7,', b'"model": ["m"],'])
def test_a_model_is_required(model: bytes):
    with pytest.raises(ModelRequired):
        chat(b"{" + model + b'"messages": []}')


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:…"}}]}],
        [{"role": "user", "content": {"unknown": "shape"}}],
        [7],
    ],
)
def test_what_messages_hold_is_the_providers_business(messages: list[Any]):
    assert upstream_body(chat(body_of(messages=messages)), "m", ask_usage=False) == body_of(messages=messages)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'{"model": 7}',
        b'{"model": "' + b"x" * 301 + b'"}',
        b'{"model": "m", "x": ' + DEEP + b"}",
        b'{"model": "\\ud800"}',
    ],
)
def test_a_body_that_names_no_model_has_none_on_record(body: bytes):
    assert model_of(body) == ""


def test_a_body_that_can_not_be_used_may_still_name_its_model():
    assert model_of(b'{"model": "m", "messages": 7}') == "m"


# Bodies


def test_a_body_in_which_nothing_must_change_is_not_touched():
    body = b'  {"messages":[] , "model" : "m",' + ODDITIES + b"}\n"
    assert upstream_body(chat(body), "m", ask_usage=True) is body


def test_another_name_of_the_model_changes_that_value_alone():
    body = b'  {"messages":[] , "model" : "m",' + ODDITIES + b"}\n"
    sent = upstream_body(chat(body), "vendor/m-2", ask_usage=False)
    assert sent == body.replace(b'"model" : "m"', b'"model" : "vendor/m-2"')


def test_the_wish_for_usage_is_added_and_nothing_else():
    body = b'  {"messages":[] , "model" : "m", "stream": true,' + ODDITIES + b"}\n"
    sent = upstream_body(chat(body), "m", ask_usage=True)
    assert sent.replace(b'"stream_options":{"include_usage":true},', b"") == body
    assert chat(sent).wants_usage


def test_a_caller_who_asks_for_usage_asks_in_its_own_words():
    body = body_of(stream=True, stream_options={"include_usage": True, "chunk_size": 1.0})
    assert upstream_body(chat(body), "m", ask_usage=True) is body


@pytest.mark.parametrize("options", [b"null", b"{}", b'{"include_usage":false}', b'{"include_usage":null, "x":1.0}'])
def test_a_callers_other_stream_options_stay(options: bytes):
    body = b'{"model":"m","messages":[],"stream":true,"stream_options":' + options + b',"y":1.0}'
    sent = upstream_body(chat(body), "m", ask_usage=True)
    raw = msgspec.json.decode(sent, type=dict[str, msgspec.Raw])
    assert bytes(raw["y"]) == b"1.0"
    asked = msgspec.json.decode(bytes(raw["stream_options"]), type=dict[str, msgspec.Raw])
    assert bytes(asked["include_usage"]) == b"true"
    assert ("x" in asked) == (b'"x"' in options)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","model":"m","messages":[]}',
        b'{"metadata":{"model":"m"},"model":"m","messages":[]}',
        b'{"metadata":{"model":"other"},"\\u006dodel":"m","messages":[]}',
        b'{"\\u006dodel":"m","messages":[]}',
        b'{"model":"m","messages":[],"\\u006dodel":"m"}',
    ],
)
def test_a_model_that_is_named_in_odd_ways_is_renamed_all_the_same(body: bytes):
    sent = upstream_body(chat(body), "n", ask_usage=False)
    assert json.loads(sent) == json.loads(body) | {"model": "n"}
    assert sent.count(b'"n"') == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    fields=st.dictionaries(st.text(), JSON, max_size=5),
    streamed=st.booleans(),
    renamed=st.booleans(),
    escaped=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_whatever_else_a_body_holds_comes_through(
    fields: dict[str, Any], streamed: bool, renamed: bool, escaped: bool, indent: int | None
):
    known = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": streamed}
    body = json.dumps(fields | {"stream_options": None} | known, ensure_ascii=escaped, indent=indent).encode(
        errors="surrogatepass"
    )
    model = "n" if renamed else "m"
    sent = msgspec.json.decode(upstream_body(chat(body), model, ask_usage=True), type=dict[str, msgspec.Raw])
    came = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    for name in came.keys() - {"model", "stream_options"}:
        assert bytes(sent[name]) == bytes(came[name])
    assert bytes(sent["model"]) == f'"{model}"'.encode()
    assert (bytes(sent["stream_options"]) == b'{"include_usage":true}') == streamed


# Prompts


def test_a_prompts_hash_looks_past_white_space_and_not_past_case():
    def hashed(content: Any, role: str = "user") -> str:
        return chat(body_of(messages=[{"role": role, "content": content}])).prompt_hash

    assert hashed("Hello  there") == hashed(" Hello\nthere ") == hashed([{"type": "text", "text": "Hello there"}])
    assert hashed("Hello there") != hashed("hello there")
    assert hashed("Hello there") != hashed("Hello there", "system")


@pytest.mark.parametrize(
    ("operation", "fields", "messages"),
    [
        (COMPLETION, {"prompt": "Once upon"}, 1),
        (COMPLETION, {"prompt": ["Once", "upon"]}, 2),
        (COMPLETION, {"prompt": [1, 2, 3]}, 1),
        (COMPLETION, {}, 0),
        (EMBEDDING, {"input": ["a", "b", "c"]}, 3),
    ],
)
def test_prompts_of_every_kind_are_counted(operation: str, fields: dict[str, Any], messages: int):
    request = read_request(operation, json.dumps({"model": "m", **fields}).encode())
    assert request.messages == messages
    assert (prompt_tokens(request) > 0) == bool(fields)


# Answers


def answer(**fields: Any) -> bytes:
    message = {"role": "assistant", "content": "Hello there, how are you?", "reasoning_content": "Hm."}
    return json.dumps({"choices": [{"message": message}], **fields}).encode()


def test_an_answers_usage_is_taken_as_reported():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 80, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": None},
        "unknown": {"field": 1},
    }
    assert answer_tokens(chat(body_of()), answer(usage=usage)) == Tokens(
        input=100, output=50, cached_input=80, reasoning=20, audio_input=3, source=PROVIDER
    )


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, "unknown", []])
def test_an_answer_without_usage_is_counted(usage: Any):
    tokens = answer_tokens(chat(body_of()), answer(usage=usage))
    assert tokens.source == COUNTED
    assert tokens.input == 6  # two of its words, four of its frame
    assert 8 <= tokens.output <= 10


@pytest.mark.parametrize(
    "details",
    [
        {"prompt_tokens_details": [1, 2]},
        {"completion_tokens_details": "none"},
        {"prompt_tokens_details": {"cached_tokens": "many"}},
    ],
)
def test_usage_with_details_of_another_shape_is_usage(details: dict[str, Any]):
    usage = {"prompt_tokens": 5, "completion_tokens": 7, **details}
    assert answer_tokens(chat(body_of()), answer(usage=usage)) == Tokens(input=5, output=7, source=PROVIDER)


def test_what_no_request_can_have_used_is_no_report():
    usage = {"prompt_tokens": 5, "completion_tokens": 10**30, "total_tokens": 1}
    tokens = answer_tokens(chat(body_of()), answer(usage=usage))
    assert (tokens.output < 1000, tokens.source) == (True, COUNTED)


def test_more_cached_tokens_than_tokens_are_cut():
    usage = {"prompt_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 50}}
    assert answer_tokens(chat(body_of()), answer(usage=usage)).cached_input == 5


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b"7", b'{"choices": [', b"\xff", b"null"])
def test_what_is_no_json_object_is_no_answer(body: bytes):
    with pytest.raises(ValueError, match="JSON"):
        answer_tokens(chat(body_of()), body)


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"choices": 7}', b'{"choices": [{"message": {"content": [1]}}]}', b'{"choices": ' + DEEP + b"}"],
)
def test_an_answer_of_an_unknown_shape_is_an_answer(body: bytes):
    assert answer_tokens(chat(body_of()), body) == Tokens(input=6, output=0, source=COUNTED)


def test_texts_of_completions_are_counted_and_vectors_are_not():
    completion = read_request(COMPLETION, b'{"model": "m", "prompt": "Hi"}')
    assert answer_tokens(completion, b'{"choices": [{"text": "Hello there"}]}').output == 2
    embedding = read_request(EMBEDDING, b'{"model": "m", "input": "Hi"}')
    assert answer_tokens(embedding, b'{"data": [{"embedding": [0.1, 0.2]}]}').output == 0


@pytest.mark.parametrize("body", [b'{"model": "m"}', b'{"model": "m", "messages": "Hi"}'])
def test_a_chat_without_messages_still_names_its_model(body: bytes):
    request = read_request(CHAT, body)
    assert (request.model, request.lacks_messages) == ("m", True)
