"""Typed chats to providers of both wires, over real sockets: everything has its field, there and back."""

import json
from typing import Any

import grpc
import grpc.aio
import pytest

from core.store import providers
from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1.admin_pb2 import CreateVirtualKeyRequest
from tests.support import anthropic_upstream as claude
from tests.support import openai_upstream as gpt
from tests.support.anthropic_upstream import AnthropicUpstream
from tests.support.database import on_sqlite
from tests.support.failures import Failure, failure, failure_of
from tests.support.inference import Inference
from tests.support.openai_upstream import OpenAIUpstream

pytestmark = on_sqlite

HELLO = pb.ChatMessage(role=pb.ROLE_USER, text="hello")
PROOF = pb.Thought(text="".join(claude.THOUGHTS), signature=claude.SIGNATURE, maker="anthropic")
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
WEATHER = pb.Tool(name="weather", description="how it is", parameters_json=SCHEMA)
CALL = pb.ToolCall(id="toolu_01", name="weather", arguments_json='{"city":"Graz"}')


@pytest.fixture
async def both(inference: Inference, anthropic_upstream: AnthropicUpstream) -> Inference:
    """A core with a provider of Anthropic's wire, too."""
    deps = inference.core.deps
    async with deps.database.write() as connection:
        await providers.add(
            connection,
            name="claude",
            type="anthropic",
            base_url=anthropic_upstream.base_url,
            api_key=deps.cipher.encrypt(claude.KEY),
            enabled=True,
            source="api",
            now=deps.clock.now(),
        )
    await deps.catalog.load()
    await deps.catalog.refresh_due()
    return inference


def chat(model: str, *messages: pb.ChatMessage, **fields: Any) -> pb.ChatRequest:
    return pb.ChatRequest(model=model, messages=messages or [HELLO], **fields)


def of_user(*parts: pb.ContentPart) -> pb.ChatMessage:
    return pb.ChatMessage(role=pb.ROLE_USER, parts=pb.ContentParts(parts=parts))


async def complete(inference: Inference, asked: pb.ChatRequest) -> pb.CompleteChatResponse:
    request = pb.CompleteChatRequest(chat=asked)
    return await inference.router.CompleteChat(request, metadata=inference.metadata)


async def stream(inference: Inference, asked: pb.ChatRequest) -> list[pb.StreamChatResponse]:
    call = inference.router.StreamChat(pb.StreamChatRequest(chat=asked), metadata=inference.metadata)
    return [event async for event in call]


async def refused(inference: Inference, asked: pb.ChatRequest) -> Failure:
    return await failure(complete(inference, asked))


def kinds(events: list[pb.StreamChatResponse]) -> list[str]:
    """The kinds of a stream's events, those in a row once."""
    found = [event.WhichOneof("event") or "" for event in events]
    return [kind for index, kind in enumerate(found) if index == 0 or found[index - 1] != kind]


# ── What is asked ─────────────────────────────────────────────────────────────────────────────────


async def test_everything_that_claude_can_do_is_asked_of_it(both: Inference, anthropic_upstream: AnthropicUpstream):
    asked = chat(
        claude.MODEL,
        pb.ChatMessage(role=pb.ROLE_SYSTEM, text="be brief", cache=pb.CacheMark(ttl="1h")),
        pb.ChatMessage(role=pb.ROLE_DEVELOPER, text="and kind"),
        of_user(
            pb.ContentPart(text="what is this?"),
            pb.ContentPart(image=pb.ImagePart(url="https://pictures.example/a.png")),
            pb.ContentPart(image=pb.ImagePart(data=b"\x89PNG", media_type="image/png"), cache=pb.CacheMark()),
            pb.ContentPart(file=pb.FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf")),
            pb.ContentPart(file=pb.FilePart(url="https://files.example/b.pdf", context="the second")),
            pb.ContentPart(file=pb.FilePart(text="plain", filename="c.txt")),
        ),
        tools=[pb.Tool(name="weather", parameters_json=SCHEMA, cache=pb.CacheMark(ttl="5m"))],
        tool_choice=pb.ToolChoice(mode="auto"),
        parallel_tool_calls=False,
        reasoning=pb.Reasoning(budget_tokens=2000, shown=True),
        max_completion_tokens=5000,
        stop=["END"],
        user="somebody",
    )
    answer = await complete(both, asked)
    sent = (await anthropic_upstream.received()).json
    assert sent["system"] == [
        {"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "and kind"},
    ]
    (user,) = sent["messages"]
    texts, picture, in_place, pdf, by_url, plain = user["content"]
    assert texts == {"type": "text", "text": "what is this?"}
    assert picture["source"] == {"type": "url", "url": "https://pictures.example/a.png"}
    assert in_place["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}
    assert in_place["cache_control"] == {"type": "ephemeral"}
    assert pdf["source"] == {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}
    assert (by_url["source"], by_url["context"]) == (
        {"type": "url", "url": "https://files.example/b.pdf"},
        "the second",
    )
    assert plain["source"] == {"type": "text", "media_type": "text/plain", "data": "plain"}
    assert sent["tools"][0]["input_schema"] == json.loads(SCHEMA)
    assert sent["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert sent["thinking"]["budget_tokens"] == 2000
    assert (sent["max_tokens"], sent["stop_sequences"], sent["metadata"]) == (5000, ["END"], {"user_id": "somebody"})
    assert answer.usage.cached_input_tokens == 2000
    assert (answer.usage.cache_write_tokens, answer.usage.cache_write_1h_tokens) == (300, 100)
    assert answer.usage.input_tokens == 12 + 2000 + 300


async def test_what_a_tool_returned_goes_back_in_both_ways(both: Inference, anthropic_upstream: AnthropicUpstream):
    picture = pb.ContentPart(image=pb.ImagePart(data=b"x", media_type="image/png"))
    calls = [pb.ToolCall(id=f"toolu_{each}", name="weather", arguments_json="{}") for each in "ab"]
    alone = pb.ChatMessage(role=pb.ROLE_TOOL, tool_call_id="toolu_a", text="no such city", is_error=True)
    several = pb.ContentParts(
        parts=[
            pb.ContentPart(
                tool_result=pb.ToolResult(
                    call_id="toolu_b", parts=[pb.ContentPart(text="sun"), picture], cache=pb.CacheMark()
                )
            )
        ]
    )
    await complete(
        both,
        chat(
            claude.MODEL,
            HELLO,
            pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="let me see", tool_calls=calls),
            alone,
            pb.ChatMessage(role=pb.ROLE_TOOL, parts=several),
            tools=[WEATHER],
        ),
    )
    sent = (await anthropic_upstream.received()).json["messages"]
    assert [part["type"] for part in sent[1]["content"]] == ["text", "tool_use", "tool_use"]
    failed, brought = sent[2]["content"]
    assert (failed["tool_use_id"], failed["is_error"]) == ("toolu_a", True)
    assert brought["tool_use_id"] == "toolu_b"
    assert [part["type"] for part in brought["content"]] == ["text", "image"]
    assert brought["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_structured_output_is_asked_of_claude(
    both: Inference, anthropic_upstream: AnthropicUpstream, *, streamed: bool
):
    form = pb.ResponseFormat(type="json_schema", name="place", schema_json=SCHEMA, strict=True)
    asked = chat(claude.MODEL, response_format=form)
    _ = await (stream(both, asked) if streamed else complete(both, asked))
    sent = await anthropic_upstream.received()
    assert b'"city"' in sent.body
    assert sent.streamed is streamed


async def test_every_field_that_claude_lacks_is_refused_by_its_path(both: Inference):
    lacking: dict[str, Any] = {
        "seed": 1,
        "verbosity": "low",
        "logprobs": True,
        "n": 2,
        "presence_penalty": 1.0,
        "logit_bias": {"1": 1.0},
        "metadata": {"a": "b"},
        "service_tier": "flex",
    }
    for name, value in lacking.items():
        found = await refused(both, chat(claude.MODEL, **{name: value}))
        assert (found.code, found.field) == (grpc.StatusCode.INVALID_ARGUMENT, f"chat.{name}"), name
        assert "chat.drop_unsupported" in found.message
    sound = of_user(pb.ContentPart(text="x"), pb.ContentPart(audio=pb.AudioPart(data=b"x", format="wav")))
    found = await refused(both, chat(claude.MODEL, HELLO, sound))
    assert found.field == "chat.messages[1].parts.parts[1]"
    found = await refused(both, chat(claude.MODEL, extra_json='{"best_of":3}'))
    assert found.field == "chat.extra_json.best_of"


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_was_left_out_is_told(both: Inference, anthropic_upstream: AnthropicUpstream, *, streamed: bool):
    asked = chat(claude.MODEL, seed=1, verbosity="low", drop_unsupported=True, extra_json='{"best_of":3}')
    if streamed:
        dropped = (await stream(both, asked))[0].started.dropped_fields
    else:
        dropped = (await complete(both, asked)).dropped_fields
    assert set(dropped) == {"chat.seed", "chat.verbosity", "chat.extra_json.best_of"}
    sent = (await anthropic_upstream.received()).json
    assert not {"seed", "verbosity", "best_of"} & sent.keys()


async def test_extra_json_is_understood_by_claude_too(both: Inference, anthropic_upstream: AnthropicUpstream):
    extra = '{"top_k":5,"thinking":{"type":"enabled","budget_tokens":1500},"max_tokens":4000}'
    await complete(both, chat(claude.MODEL, extra_json='{"top_k":5,"max_tokens":4000}', temperature=0.5))
    sent = (await anthropic_upstream.received()).json
    assert (sent["top_k"], sent["max_tokens"], sent["temperature"]) == (5, 4000, 0.5)
    await complete(both, chat(claude.MODEL, extra_json=extra.replace('"top_k":5,', "")))
    sent = (await anthropic_upstream.received()).json
    assert (sent["thinking"]["budget_tokens"], sent["max_tokens"]) == (1500, 4000)


# ── What is answered ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_thoughts_signature_survives_the_next_turn(
    both: Inference, anthropic_upstream: AnthropicUpstream, *, streamed: bool
):
    redacted = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    anthropic_upstream.script(claude.message(claude.thinking_block(), redacted, claude.tool_block()))
    if streamed:
        anthropic_upstream.script(claude.stream(claude.thinking_block(), claude.tool_block()))
    first = chat(claude.MODEL, tools=[WEATHER], reasoning=pb.Reasoning(budget_tokens=1024))
    if streamed:
        await complete(both, first)  # the one with the redacted thought
        said = assembled(await stream(both, first))
        expected = [PROOF]
    else:
        (choice,) = (await complete(both, first)).choices
        assert (choice.stop_reason, choice.finish_reason) == (pb.STOP_REASON_TOOL_CALLS, "tool_calls")
        said = choice.message
        assert said.reasoning == "".join(claude.THOUGHTS)
        expected = [PROOF, pb.Thought(redacted_data="c2VjcmV0", maker="anthropic")]
    assert list(said.thinking) == expected
    result = pb.ChatMessage(role=pb.ROLE_TOOL, tool_call_id="toolu_01", text="sun")
    anthropic_upstream.always(claude.message())
    await complete(both, chat(claude.MODEL, HELLO, said, result, tools=[WEATHER]))
    *_, last = [await anthropic_upstream.received() for _ in range(3 if streamed else 2)]
    blocks = last.json["messages"][1]["content"]
    assert blocks[0] == claude.thinking_block()
    assert (redacted in blocks) is not streamed
    assert blocks[-1] == claude.tool_block()


async def test_thoughts_between_words_keep_their_place(both: Inference, anthropic_upstream: AnthropicUpstream):
    blocks = [claude.text_block(("first",)), claude.thinking_block(), claude.tool_block()]
    anthropic_upstream.script(claude.message(*blocks))
    (choice,) = (await complete(both, chat(claude.MODEL, tools=[WEATHER]))).choices
    assert (choice.message.text, list(choice.message.thinking)) == ("first", [PROOF])
    result = pb.ChatMessage(role=pb.ROLE_TOOL, tool_call_id="toolu_01", text="sun")
    anthropic_upstream.always(claude.message())
    await complete(both, chat(claude.MODEL, HELLO, choice.message, result, tools=[WEATHER]))
    await anthropic_upstream.received()
    assert (await anthropic_upstream.received()).json["messages"][1]["content"] == blocks


async def test_a_stream_of_claudes_brings_every_event(both: Inference, anthropic_upstream: AnthropicUpstream):
    blocks = [claude.thinking_block(), claude.text_block(), claude.tool_block()]
    anthropic_upstream.script(claude.stream(*blocks, usage=claude.CACHED_USAGE))
    events = await stream(both, chat(claude.MODEL, tools=[WEATHER]))
    assert kinds(events) == ["started", "delta", "thought_end", "delta", "tool_call_delta", "usage", "finished"]
    assert (events[0].started.id, events[0].started.model) == ("msg_01", claude.MODEL)
    assert events[0].started.created > 0
    said = assembled(events)
    assert (said.reasoning, said.text) == ("".join(claude.THOUGHTS), "".join(claude.TEXTS))
    assert list(said.thinking) == [PROOF]
    (call,) = said.tool_calls
    assert (call.id, call.name, json.loads(call.arguments_json)) == ("toolu_01", "weather", {"city": "Graz"})
    assert list(events[-1].finished.choices) == [
        pb.ChoiceEnd(finish_reason="tool_calls", stop_reason=pb.STOP_REASON_TOOL_CALLS)
    ]
    usage = events[-2].usage
    assert (usage.cached_input_tokens, usage.cache_write_tokens, usage.output_tokens) == (2000, 300, 9)
    record = await both.record()
    assert (record.provider, record.operation, record.surface) == ("claude", "chat_completion", "grpc")
    assert (record.input_tokens, record.output_tokens, record.outcome) == (2312, 9, "answered")


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ({"stop_reason": "stop_sequence", "stop_sequence": "END"}, pb.STOP_REASON_STOP),
        ({"stop_reason": "max_tokens"}, pb.STOP_REASON_LENGTH),
        ({"stop_reason": "refusal"}, pb.STOP_REASON_REFUSAL),
        ({"stop_reason": "pause_turn"}, pb.STOP_REASON_PAUSE),
    ],
)
async def test_why_an_answer_ended(
    both: Inference, anthropic_upstream: AnthropicUpstream, stop: dict[str, Any], reason: pb.StopReason
):
    anthropic_upstream.script(claude.message(**stop))
    (choice,) = (await complete(both, chat(claude.MODEL, stop=["END"]))).choices
    assert choice.stop_reason == reason
    assert choice.stop_sequence == stop.get("stop_sequence", "")


async def test_the_raw_answer_is_claudes_own(both: Inference, anthropic_upstream: AnthropicUpstream):
    request = pb.CompleteChatRequest(chat=chat(claude.MODEL), include_raw_json=True)
    answer = await both.router.CompleteChat(request, metadata=both.metadata)
    assert json.loads(answer.raw_json)["type"] == "message"


async def test_errors_of_claudes_are_told_in_its_words(both: Inference, anthropic_upstream: AnthropicUpstream):
    anthropic_upstream.script(claude.error("invalid_request_error", "not so"))
    found = await refused(both, chat(claude.MODEL))
    assert (found.code, found.message) == (grpc.StatusCode.INVALID_ARGUMENT, "not so")


async def test_an_error_inside_a_stream_ends_it(both: Inference, anthropic_upstream: AnthropicUpstream):
    anthropic_upstream.script(claude.stream(cut_after=5, last=claude.error_event()))
    call = both.router.StreamChat(pb.StreamChatRequest(chat=chat(claude.MODEL)), metadata=both.metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    assert "Overloaded" in failure_of(caught.value).message
    record = await both.record()
    assert record.outcome != "answered"


async def test_a_provider_that_does_not_stream_is_heard_too(both: Inference, anthropic_upstream: AnthropicUpstream):
    blocks = [claude.thinking_block(), claude.text_block(), claude.tool_block()]
    anthropic_upstream.script(claude.message(*blocks))
    events = await stream(both, chat(claude.MODEL, tools=[WEATHER]))
    said = assembled(events)
    assert (said.text, list(said.thinking), len(said.tool_calls)) == ("".join(claude.TEXTS), [PROOF], 1)
    assert kinds(events)[-2:] == ["usage", "finished"]


# ── A provider of OpenAI's wire ───────────────────────────────────────────────────────────────────


async def test_a_chat_in_openais_words_goes_to_its_wire_unchanged(both: Inference, openai_upstream: OpenAIUpstream):
    form = pb.ResponseFormat(type="json_schema", name="place", schema_json='{"type":"object"}', strict=True)
    await complete(
        both,
        chat(
            gpt.MODEL,
            response_format=form,
            verbosity="low",
            prompt_cache_key="k",
            reasoning_effort="low",
            extra_json='{"store":false}',
        ),
    )
    assert (await openai_upstream.received()).json == {
        "model": gpt.MODEL,
        "messages": [{"role": "user", "content": "hello"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": {"type": "object"}, "strict": True},
        },
        "verbosity": "low",
        "prompt_cache_key": "k",
        "reasoning_effort": "low",
        "store": False,
    }


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_not_openais_is_said_in_its_words(
    both: Inference, openai_upstream: OpenAIUpstream, *, streamed: bool
):
    asked = chat(
        gpt.MODEL,
        pb.ChatMessage(role=pb.ROLE_USER, text="hello", cache=pb.CacheMark(ttl="1h")),
        pb.ChatMessage(role=pb.ROLE_ASSISTANT, thinking=[PROOF], tool_calls=[CALL]),
        pb.ChatMessage(role=pb.ROLE_TOOL, tool_call_id="toolu_01", text="boom", is_error=True),
        reasoning=pb.Reasoning(budget_tokens=2000, shown=False),
        max_tokens=3000,
        extra_json='{"store":true}',
    )
    openai_upstream.always(gpt.stream(["Hel", "lo"]) if streamed else gpt.chat("Hello"))
    if streamed:
        assert assembled(await stream(both, asked)).text == "Hello"
    else:
        answer = await complete(both, asked)
        assert (answer.id, answer.created) == ("chatcmpl-1", 1_700_000_000)
        (choice,) = answer.choices
        assert (choice.message.text, choice.stop_reason, choice.finish_reason) == ("Hello", pb.STOP_REASON_STOP, "stop")
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    sent = (await openai_upstream.received()).json
    assert not {"reasoning", "cache_control"} & sent.keys()
    assert "cache_control" not in json.dumps(sent)
    assert claude.SIGNATURE not in json.dumps(sent)
    assert (sent["reasoning_effort"], sent["store"]) == ("low", True)
    assert sent["messages"][2]["tool_call_id"] == "toolu_01"
    assert "boom" in json.dumps(sent["messages"][2]["content"])
    assert sent.get("stream", False) is streamed


async def test_top_k_is_refused_for_openai_and_left_out_where_that_is_allowed(
    both: Inference, openai_upstream: OpenAIUpstream
):
    found = await refused(both, chat(gpt.MODEL, top_k=5))
    assert (found.code, found.field) == (grpc.StatusCode.INVALID_ARGUMENT, "chat.top_k")
    answer = await complete(both, chat(gpt.MODEL, top_k=5, drop_unsupported=True))
    assert list(answer.dropped_fields) == ["chat.top_k"]
    assert "top_k" not in (await openai_upstream.received()).json


async def test_what_a_provider_of_openais_wire_proves_is_told(both: Inference, openai_upstream: OpenAIUpstream):
    details = [{"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1"}]
    said = {"role": "assistant", "content": "Hi", "reasoning_details": details}
    openai_upstream.script(
        gpt.chat(choices=[{"index": 0, "message": said, "finish_reason": "stop"}], service_tier="flex")
    )
    answer = await complete(both, chat(gpt.MODEL))
    assert answer.service_tier == "flex"
    message = answer.choices[0].message
    assert (message.reasoning, list(message.thinking)) == (
        "hm",
        [pb.Thought(text="hm", signature="c2ln", maker="anthropic")],
    )


async def test_a_stream_of_openais_wire_with_proofs(both: Inference, openai_upstream: OpenAIUpstream):
    def delta(finish: str | None = None, **fields: Any) -> bytes:
        choice = {"index": 0, "delta": fields, "finish_reason": finish}
        return f"data: {json.dumps({'id': 'c', 'model': 'm', 'choices': [choice]})}\n\n".encode()

    detail = {"type": "reasoning.text", "format": "anthropic-claude-v1"}
    chunks = [
        delta(role="assistant", reasoning_details=[{**detail, "text": "h", "signature": None}]),
        delta(reasoning_details=[{**detail, "text": "m"}]),
        delta(reasoning_details=[{**detail, "signature": "c2ln"}]),
        delta(refusal="no"),
        delta(finish="stop"),
        b"data: [DONE]\n\n",
    ]
    openai_upstream.script(gpt.sse(chunks))
    events = await stream(both, chat(gpt.MODEL))
    said = assembled(events)
    assert (said.reasoning, said.refusal) == ("hm", "no")
    assert list(said.thinking) == [pb.Thought(text="hm", signature="c2ln", maker="anthropic")]
    (end,) = events[-1].finished.choices
    assert (end.finish_reason, end.stop_reason) == ("stop", pb.STOP_REASON_REFUSAL)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_next_provider_gets_the_same_chat_in_its_own_words(
    both: Inference, openai_upstream: OpenAIUpstream, anthropic_upstream: AnthropicUpstream, *, streamed: bool
):
    """A model's second provider answers where the first can't, and nothing of the first's attempt is left."""
    openai_upstream.models = [claude.MODEL]
    for target in (place.upstream.target for place in both.core.deps.catalog.models()[gpt.MODEL]):
        await both.core.deps.catalog.refresh(target.id)
    first, second = both.core.deps.catalog.models()[claude.MODEL]
    assert (first.upstream.target.name, second.upstream.target.name) == ("upstream", "claude")
    openai_upstream.always(gpt.error(503))
    asked = chat(claude.MODEL, pb.ChatMessage(role=pb.ROLE_USER, text="hello", cache=pb.CacheMark()))
    message = assembled(await stream(both, asked)) if streamed else (await complete(both, asked)).choices[0].message
    assert message.text == "".join(claude.TEXTS)
    assert (await openai_upstream.received()).json["messages"] == [{"role": "user", "content": "hello"}]
    (user,) = (await anthropic_upstream.received()).json["messages"]
    assert user["content"] == [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]
    (record,) = await both.records()
    assert (record.provider, record.outcome) == ("claude", "answered")


async def test_nothing_is_left_of_a_stream_that_began_with_an_error(
    both: Inference, openai_upstream: OpenAIUpstream, anthropic_upstream: AnthropicUpstream
):
    openai_upstream.models = [claude.MODEL]
    for target in (place.upstream.target for place in both.core.deps.catalog.models()[gpt.MODEL]):
        await both.core.deps.catalog.refresh(target.id)
    busy = {"error": {"message": "busy", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    openai_upstream.always(gpt.sse([f"data: {json.dumps(busy)}\n\n".encode()]))
    asked = chat(claude.MODEL, pb.ChatMessage(role=pb.ROLE_USER, text="hello", cache=pb.CacheMark()))
    events = await stream(both, asked)
    assert assembled(events).text == "".join(claude.TEXTS)
    assert kinds(events) == ["started", "delta", "usage", "finished"]
    assert len(openai_upstream.requests) == 1
    assert len(anthropic_upstream.requests) == 1


async def test_a_keys_caps_hold_for_typed_chats(both: Inference, anthropic_upstream: AnthropicUpstream):
    request = CreateVirtualKeyRequest(name="bot", max_output_tokens=2000, max_reasoning_tokens=1500)
    made = await both.core.administration.CreateVirtualKey(request, metadata=both.metadata)
    key = (("x-virtual-key", made.value),)

    async def asks(**fields: Any) -> pb.CompleteChatResponse:
        asked = pb.CompleteChatRequest(chat=chat(claude.MODEL, **fields))
        return await both.router.CompleteChat(asked, metadata=key)

    await asks()
    assert (await anthropic_upstream.received()).json["max_tokens"] == 2000
    await asks(reasoning=pb.Reasoning(budget_tokens=1024))
    sent = (await anthropic_upstream.received()).json
    assert (sent["max_tokens"], sent["thinking"]["budget_tokens"]) == (2000, 1024)
    assert (await failure(asks(max_tokens=2001))).field == "chat.max_tokens"
    found = await failure(asks(reasoning=pb.Reasoning(budget_tokens=1501)))
    assert (found.code, found.field) == (grpc.StatusCode.INVALID_ARGUMENT, "chat.reasoning.budget_tokens")
    assert len(anthropic_upstream.requests) == 2


def assembled(events: list[pb.StreamChatResponse]) -> pb.ChatMessage:
    """What a stream's first answer said, as a caller puts it together for the next turn."""
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    calls: dict[int, pb.ToolCall] = {}
    for event in events:
        match event.WhichOneof("event"):
            case "delta":
                if event.delta.text:
                    message.text += event.delta.text
                message.reasoning += event.delta.reasoning
                message.refusal += event.delta.refusal
            case "thought_end":
                message.thinking.append(event.thought_end.thought)
            case "tool_call_delta":
                delta = event.tool_call_delta
                call = calls.setdefault(delta.call_index, pb.ToolCall())
                call.id += delta.id
                call.name += delta.name
                call.arguments_json += delta.arguments_json
            case _:
                pass
    message.tool_calls.extend(calls[index] for index in sorted(calls))
    return message
