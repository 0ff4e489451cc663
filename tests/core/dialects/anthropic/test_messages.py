"""Anthropic's wire, whole: requests read, bodies passed through, answers accounted for."""

import json
from typing import Any

import pytest

from core.dialects.anthropic.messages import (
    COUNT_TOKENS,
    MESSAGES,
    answer_tokens,
    prompt_tokens,
    read_request,
    upstream_body,
)
from core.dialects.counting import count_text
from core.dialects.openai import chat as openai_chat
from core.dialects.request import Request
from core.dialects.tokens import COUNTED, NO_TOKENS, PROVIDER, Tokens
from core.errors import InvalidArgument, ModelRequired
from tests.support.anthropic_upstream import CACHED_USAGE, message_body, text_block, thinking_block, tool_block

ASKED = [{"role": "user", "content": "Hello!"}]


def request(operation: str = MESSAGES, **fields: Any) -> Request:
    return read_request(operation, json.dumps({"model": "m", "messages": ASKED, **fields}).encode())


def test_what_the_router_reads():
    read = request(max_tokens=9, stream=True)
    assert (read.model, read.streamed, read.messages, read.lacks_messages) == ("m", True, 1, False)


def test_to_count_tokens_is_never_a_stream():
    assert not request(COUNT_TOKENS, stream=True).streamed


@pytest.mark.parametrize("fields", [{"messages": None}, {"messages": "Hi"}, {"messages": {}}])
def test_messages_that_are_no_list_are_noted(fields: dict[str, Any]):
    assert request(**fields).lacks_messages


@pytest.mark.parametrize(
    ("body", "raised"),
    [
        (b"[]", InvalidArgument),
        (b"{", InvalidArgument),
        (b'{"model": "\xff"}', InvalidArgument),
        (b"[" * 100_000, InvalidArgument),
        (b'{"messages": []}', ModelRequired),
        (b'{"model": 7, "messages": []}', ModelRequired),
        (b'{"model": "m", "stream": "yes"}', InvalidArgument),
    ],
)
def test_a_body_that_can_not_be_used_is_refused(body: bytes, raised: type[Exception]):
    with pytest.raises(raised):
        read_request(MESSAGES, body)


def test_a_prompt_has_one_hash_on_every_wire():
    ours = request(system="Be short.", messages=[{"role": "user", "content": [{"type": "text", "text": "Hello  you"}]}])
    theirs = openai_chat.read_request(
        openai_chat.CHAT,
        b'{"model": "x", "messages": [{"role": "system", "content": "Be short."},'
        b'{"role": "user", "content": "Hello you"}]}',
    )
    assert ours.prompt_hash == theirs.prompt_hash
    assert ours.prompt_hash != request(messages=[{"role": "user", "content": "Hello you"}]).prompt_hash


def test_what_tools_returned_belongs_to_the_prompt():
    def returned(content: Any) -> str:
        block = {"type": "tool_result", "tool_use_id": "t", "content": content}
        return request(messages=[{"role": "user", "content": [block]}]).prompt_hash

    assert returned("sunny") == returned([{"type": "text", "text": "sunny"}]) != returned("rainy")


def test_a_prompt_of_unknown_blocks_is_hashed_as_it_stands():
    odd = [{"role": "user", "content": [{"type": "new", "text": {"a": 1}}]}]
    assert request(messages=odd).prompt_hash != request(messages=[]).prompt_hash
    assert request(messages=odd).messages == 1


# Bodies


def test_a_body_in_which_nothing_must_change_is_not_touched():
    body = (
        b' {"messages": [{"role":"user","content":"Hi"}], "model" : "m", "top_k": 1.0, "new": 12345678901234567890}\n'
    )
    assert upstream_body(read_request(MESSAGES, body), "m", ask_usage=True) is body


def test_only_the_models_name_changes():
    body = b'{"messages": [], "model" : "m", "stream":true, "new": 12345678901234567890}'
    sent = upstream_body(read_request(MESSAGES, body), "claude-x", ask_usage=True)
    assert sent == body.replace(b'"m"', b'"claude-x"')


def test_where_its_place_cannot_be_told_the_fields_keep_their_values():
    body = b'{"model": "m", "messages": [{"role": "user", "content": {"model": "m", "x": 1.0}}]}'
    sent = upstream_body(read_request(MESSAGES, body), "other", ask_usage=False)
    assert json.loads(sent)["model"] == "other"
    assert b'{"model": "m", "x": 1.0}' in sent


def test_an_endpoint_without_streaming_asks_for_none():
    body = b'{"model": "m", "messages": [], "stream": true}'
    sent = upstream_body(read_request(MESSAGES, body, never_stream=True), "m", ask_usage=False)
    assert json.loads(sent)["stream"] is False


# Answers


def test_the_prompt_is_the_sum_of_what_was_fresh_read_and_written():
    usage = {
        **CACHED_USAGE,
        "server_tool_use": {"web_search_requests": 2},
        "output_tokens_details": {"thinking_tokens": 4},
    }
    assert answer_tokens(request(), json.dumps(message_body(usage=usage)).encode()) == Tokens(
        input=2312,
        output=9,
        cached_input=2000,
        cache_write=300,
        cache_write_1h=100,
        reasoning=4,
        web_searches=2,
        source=PROVIDER,
    )


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": "many"}])
def test_what_the_provider_does_not_report_is_counted(usage: Any):
    asked = request(tools=[{"name": "weather", "input_schema": {}}])
    body = message_body(thinking_block(), text_block(), tool_block(), usage=None) | {"usage": usage}
    tokens = answer_tokens(asked, json.dumps(body).encode())
    assert tokens.source == COUNTED
    assert tokens.input == prompt_tokens(asked) > prompt_tokens(request())
    assert tokens.output >= count_text("Hello there.") + count_text("Let me think.")


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 10**15, "output_tokens": 3},
        {"input_tokens": 3, "output_tokens": 10**25},
        {"input_tokens": 3, "output_tokens": 3, "cache_read_input_tokens": 10**8 + 1},
    ],
)
def test_counts_that_no_request_can_have_are_no_report(usage: dict[str, int]):
    tokens = answer_tokens(request(), json.dumps(message_body(usage=usage)).encode())
    assert 0 < tokens.output < 1000
    assert (tokens.input < 1000, tokens.source) == (True, COUNTED)


def test_a_count_below_nothing_is_nothing():
    body = json.dumps(message_body(usage={"input_tokens": 5, "output_tokens": -3})).encode()
    assert (answer_tokens(request(), body).input, answer_tokens(request(), body).output) == (5, 0)


def test_to_count_tokens_uses_none():
    assert answer_tokens(request(COUNT_TOKENS), b'{"input_tokens": 2095}') == NO_TOKENS


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'"text"'])
def test_what_is_no_object_is_no_answer(body: bytes):
    for operation in (MESSAGES, COUNT_TOKENS):
        with pytest.raises(ValueError, match="not"):
            answer_tokens(request(operation), body)
