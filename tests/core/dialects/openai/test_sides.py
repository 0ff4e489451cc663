"""The tables of the OpenAI wire's translation are whole, and its sides work together as the pipeline has them."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given

from core.dialects.canonical import Chat, Finish
from core.dialects.losses import Losses
from core.dialects.openai import chat_reader, completion_reader, manners
from core.dialects.openai.chat import CHAT, COMPLETION, read_request
from core.dialects.openai.chat_writer import write_chat
from core.dialects.openai.finish import write_finish
from core.dialects.openai.sides import CALLERS, PROVIDERS
from core.dialects.sides import Manner
from core.dialects.table import CALLERS as ALL_CALLERS
from core.dialects.table import PROVIDERS as ALL_PROVIDERS
from core.dialects.tokens import COUNTED, PROVIDER, Tokens
from core.dialects.translation import Translation
from core.errors import InvalidArgument
from core.providers.vendors import VENDORS
from tests.core.dialects.chats import ALL, chats, patient

CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 17, "model": "up"}


def test_the_wire_is_registered():
    assert {name: ALL_CALLERS[name] for name in CALLERS} == CALLERS
    assert {name: ALL_PROVIDERS[name] for name in PROVIDERS} == PROVIDERS


@pytest.mark.parametrize("names", [chat_reader.NAMES, completion_reader.NAMES])
def test_names_are_of_fields(names: dict[str, str]):
    assert set(names) <= {*Chat.__struct_fields__, "detail"}  # and of a picture


def test_every_end_has_a_word():
    words = {"stop", "length", "tool_calls", "content_filter", "function_call"}
    for finish in get_args(Finish):
        assert write_finish(finish, refused=False, functions=False) in words
        assert write_finish(finish, refused=True, functions=True) in words


def test_vendors_with_ways_of_their_own_are_vendors():
    assert manners.NAMED - {vendor.type for vendor in VENDORS} == set()


@patient
@given(chats(ALL))
def test_every_chat_is_said_or_its_loss_is_named(chat: Chat):
    losses = Losses({}, "p", drop=True)
    body = json.loads(write_chat(chat, losses, Manner(vendor="openai")))
    assert body["messages"]
    try:
        write_chat(chat, Losses({}, "p", drop=False), Manner(vendor="openai"))
    except InvalidArgument as refused:
        assert losses.dropped[0] == refused.field  # noqa: PT017 -- that nothing is refused is as good
    else:
        assert losses.dropped == []


def translation(**fields: Any) -> Translation:
    """A text completion on its way to a provider that chats."""
    return Translation(
        read_request(COMPLETION, json.dumps({"model": "ours", "prompt": "Once", **fields}).encode()),
        CALLERS[COMPLETION],
        PROVIDERS[CHAT],
        Manner(output_field="max_completion_tokens"),
        provider_name="p",
        model="up",
        request_id="req",
        created=5,
        drop=False,
        ask_usage=bool(fields.get("stream")),
        count_prompt=lambda: 1,
    )


def test_a_text_completion_reaches_a_provider_that_chats_and_comes_back():
    way = translation(max_tokens=9)
    assert json.loads(way.body) == {
        "model": "up",
        "messages": [{"role": "user", "content": "Once"}],
        "max_completion_tokens": 9,
    }
    answer = {"choices": [{"message": {"content": "upon a time"}, "finish_reason": "stop"}]}
    body, tokens = way.answer(json.dumps(answer).encode())
    found = json.loads(body)
    assert (found["id"], found["model"], found["created"]) == ("req", "ours", 5)
    assert found["choices"][0]["text"] == "upon a time"
    assert (tokens.input, tokens.source) == (1, COUNTED)
    assert found["usage"]["prompt_tokens"] == 1


def test_a_stream_reaches_its_caller_with_its_accounts():
    way = translation(stream=True)
    assert json.loads(way.body)["stream_options"] == {"include_usage": True}
    meter = way.meter()
    chunks: list[dict[str, Any]] = [
        {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "upon"}}]},
        {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**CHUNK, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
    ]
    stream = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
    written = meter.feed(stream) + meter.end()
    assert b'"text":"upon"' in written
    assert b"usage" not in written  # the caller did not ask
    assert written.endswith(b"data: [DONE]\n\n")
    assert meter.complete
    assert meter.tokens(0) == Tokens(input=3, output=2, source=PROVIDER)


def test_a_field_that_gets_lost_is_refused_by_its_name_here():
    with pytest.raises(InvalidArgument, match=r"^echo is not supported") as refused:
        translation(echo=True)
    assert refused.value.field == "echo"
