"""Whole answers through RouterService: from a gRPC caller over real sockets to a provider and back."""

import asyncio
import json
from typing import Any

import grpc
import pytest

from core.clock import SystemClock
from llmrouter.v1 import router_pb2 as pb
from tests.support.database import on_sqlite
from tests.support.failures import failure
from tests.support.inference import PROVIDER_KEY, Inference, InferenceFactory
from tests.support.openai_upstream import MODEL, USAGE, OpenAIUpstream, chat, chat_body, error, silent, whole

pytestmark = on_sqlite

HELLO = pb.ChatMessage(role=pb.ROLE_USER, text="hello")
CHAT = pb.ChatRequest(model=MODEL, messages=[HELLO])
COMPLETE = pb.CompleteChatRequest(chat=CHAT)


def asked(**fields: Any) -> pb.CompleteChatRequest:
    """A chat with these fields beside a message; the model is the provider's unless they say otherwise."""
    request = pb.CompleteChatRequest(chat=CHAT)
    request.chat.MergeFrom(pb.ChatRequest(**fields))
    return request


async def test_a_chat_is_answered_with_everything_that_the_provider_said(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    logprobs = {"content": [{"token": "Hi", "logprob": -0.5}]}
    message = {
        "role": "assistant",
        "content": None,
        "refusal": "no",
        "reasoning_content": "hm",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}],
    }
    choices = [
        {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None},
        {"index": 1, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop", "logprobs": logprobs},
    ]
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 4},
    }
    openai_upstream.script(chat(choices=choices, usage=usage))
    answer = await inference.router.CompleteChat(asked(n=2, logprobs=True), metadata=inference.metadata)
    assert (answer.id, answer.created, answer.model) == ("chatcmpl-1", 1_700_000_000, MODEL)
    called, spoke = answer.choices
    assert called == pb.ChatChoice(
        index=0,
        message=pb.ChatMessage(
            role=pb.ROLE_ASSISTANT,
            refusal="no",
            reasoning="hm",
            tool_calls=[pb.ToolCall(id="call_1", name="look", arguments_json='{"a":1}')],
        ),
        finish_reason="tool_calls",
        stop_reason=pb.STOP_REASON_TOOL_CALLS,
    )
    assert not called.message.HasField("text")
    assert (spoke.index, spoke.message.text, spoke.finish_reason) == (1, "Hi", "stop")
    assert json.loads(spoke.logprobs_json) == logprobs
    assert answer.usage == pb.TokenUsage(
        input_tokens=100,
        output_tokens=50,
        cached_input_tokens=40,
        reasoning_tokens=20,
        audio_input_tokens=3,
        audio_output_tokens=4,
        source=pb.TOKEN_SOURCE_PROVIDER,
    )
    assert (answer.routing.provider, answer.routing.model) == ("upstream", MODEL)
    assert answer.raw_json == ""
    sent = await openai_upstream.received()
    assert sent.path == "/v1/chat/completions"
    assert sent.json == {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "n": 2, "logprobs": True}


async def test_the_record_says_what_the_answer_says(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(chat(usage=USAGE))
    answer = await inference.router.CompleteChat(asked(model="upstream/" + MODEL), metadata=inference.metadata)
    record = await inference.record()
    assert record.request_id == answer.routing.request_id
    assert (record.surface, record.operation, record.outcome, record.status_code) == (
        "grpc",
        "chat_completion",
        "answered",
        200,
    )
    assert (record.requested_model, record.provider, record.model) == (f"upstream/{MODEL}", "upstream", MODEL)
    assert (record.input_tokens, record.output_tokens, record.token_source) == (11, 7, "provider")
    assert (record.user_id, record.messages, record.streamed) == (inference.person.id, 1, False)
    expected = answer.routing.cost_nanousd if answer.routing.HasField("cost_nanousd") else None
    assert record.cost_nanousd == expected


async def test_a_cost_is_told_where_a_price_is_known(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(chat())
    unknown = await inference.router.CompleteChat(COMPLETE, metadata=inference.metadata)
    assert not unknown.routing.HasField("cost_nanousd")
    echo = await inference.router.CompleteChat(
        pb.CompleteChatRequest(chat=pb.ChatRequest(model="echo", messages=[HELLO])), metadata=inference.metadata
    )
    assert echo.routing.HasField("cost_nanousd")
    assert echo.choices[0].message.text == "hello"


async def test_the_raw_answer_is_the_providers_to_the_letter(inference: Inference, openai_upstream: OpenAIUpstream):
    body = b'{"id":"x", "big":123456789012345678901234567890,"one":1.0,"choices":[] }'
    openai_upstream.always(whole(body))
    request = asked()
    request.include_raw_json = True
    answer = await inference.router.CompleteChat(request, metadata=inference.metadata)
    assert answer.raw_json == body.decode()
    text = pb.CompleteTextRequest(text=pb.TextRequest(model=MODEL, prompts=["a"]), include_raw_json=True)
    assert (await inference.router.CompleteText(text, metadata=inference.metadata)).raw_json == body.decode()


async def test_the_callers_own_request_id_is_logged_but_does_not_name_the_record(
    inference: Inference, openai_upstream: OpenAIUpstream, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", "llmrouter.rpc")
    openai_upstream.always(chat())
    metadata = (*inference.metadata, ("x-request-id", "mine"))
    ids: set[str] = set()
    for _ in range(2):
        call = inference.router.CompleteChat(COMPLETE, metadata=metadata)
        answer = await call
        ids.add(answer.routing.request_id)
        told: Any = await call.initial_metadata()
        assert dict(told)["x-request-id"] == answer.routing.request_id
    assert "mine" not in ids
    logged = [vars(entry) for entry in caplog.records if entry.name == "llmrouter.rpc"]
    assert {(entry["request_id"], entry["client_request_id"]) for entry in logged} == {(each, "mine") for each in ids}
    assert {record.request_id for record in await inference.records()} == ids
    assert len(ids) == 2


async def test_a_text_is_completed(inference: Inference, openai_upstream: OpenAIUpstream):
    choices = [
        {"index": 1, "text": "b", "finish_reason": "length", "logprobs": None},
        {"index": 0, "text": "a", "finish_reason": "stop", "logprobs": None},
    ]
    body = {"id": "cmpl-1", "created": 5, "model": "m", "choices": choices, "usage": USAGE}
    openai_upstream.script(whole(json.dumps(body).encode()))
    text = pb.TextRequest(model=MODEL, prompts=["x", "y"], max_tokens=5)
    answer = await inference.router.CompleteText(pb.CompleteTextRequest(text=text), metadata=inference.metadata)
    assert (answer.id, answer.created, answer.model) == ("cmpl-1", 5, "m")
    assert [(one.index, one.text, one.finish_reason) for one in answer.choices] == [
        (1, "b", "length"),
        (0, "a", "stop"),
    ]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    sent = await openai_upstream.received()
    assert sent.path == "/v1/completions"
    assert sent.json == {"model": MODEL, "prompt": ["x", "y"], "max_tokens": 5}
    record = await inference.record()
    assert (record.operation, record.request_id, record.messages) == ("completion", answer.routing.request_id, 2)


async def test_an_unknown_model_is_refused_and_recorded(inference: Inference):
    failed = await failure(inference.router.CompleteChat(asked(model="nobody-has-it"), metadata=inference.metadata))
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_MODEL")
    record = await inference.record()
    assert (record.status_code, record.requested_model, record.provider) == (400, "nobody-has-it", "")
    assert (record.error_reason, record.outcome, record.cost_nanousd) == ("UNKNOWN_MODEL", "failed", None)


async def test_a_violation_names_its_field_and_is_recorded(inference: Inference, openai_upstream: OpenAIUpstream):
    failed = await failure(inference.router.CompleteChat(asked(n=1000), metadata=inference.metadata))
    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert failed.field == "chat.n"
    failed = await failure(inference.router.CompleteChat(pb.CompleteChatRequest(), metadata=inference.metadata))
    assert (failed.reason, failed.field) == ("MODEL_REQUIRED", "chat.model")
    assert not openai_upstream.requests
    first, second = await inference.records()
    assert (first.status_code, first.requested_model, first.error_reason) == (400, MODEL, "INVALID_ARGUMENT")
    assert (second.status_code, second.requested_model, second.error_reason) == (400, "", "MODEL_REQUIRED")


async def test_a_request_that_grows_too_large_on_its_way_to_json_is_refused(inference_factory: InferenceFactory):
    async with inference_factory(max_body=1024) as inference:
        request = asked(metadata={"a": "x" * 1024})
        failed = await failure(inference.router.CompleteChat(request, metadata=inference.metadata))
        assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_LARGE")
        assert (await inference.record()).error_reason == "TOO_LARGE"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, grpc.StatusCode.INVALID_ARGUMENT),
        (401, grpc.StatusCode.FAILED_PRECONDITION),
        (404, grpc.StatusCode.NOT_FOUND),
        (422, grpc.StatusCode.INVALID_ARGUMENT),
        (418, grpc.StatusCode.UNAVAILABLE),
        (500, grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_providers_error_is_told_in_its_own_words(
    inference: Inference, openai_upstream: OpenAIUpstream, status: int, code: grpc.StatusCode
):
    said = {"message": "that is wrong", "type": "invalid_request_error", "param": "messages", "code": "bad_messages"}
    openai_upstream.always(error(status, body=json.dumps({"error": said}).encode()))
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=inference.metadata))
    assert (failed.code, failed.reason, failed.message) == (code, "UPSTREAM_STATUS", "that is wrong")
    assert failed.metadata == {
        "http_status": str(status),
        "type": "invalid_request_error",
        "param": "messages",
        "code": "bad_messages",
    }
    record = await inference.record()
    assert (record.status_code, record.outcome, record.error_reason) == (status, "failed", "UPSTREAM_STATUS")


async def test_a_providers_limit_says_when_to_come_back(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(error(429, "slow down", retry_after="20"))
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=inference.metadata))
    assert (failed.code, failed.retry_after) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 20)


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"{}", b'{"error":{"message":[]}}'])
async def test_an_error_without_words_names_its_status(
    inference: Inference, openai_upstream: OpenAIUpstream, body: bytes
):
    openai_upstream.always(error(418, body=body, content_type="text/html"))
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=inference.metadata))
    assert failed.message in ("the provider answered with status 418", "the provider answered 418")


@pytest.mark.parametrize("character", ["x", "ü", "界", "🙂"])
async def test_a_long_error_is_cut_so_that_it_fits_into_the_trailers(
    inference: Inference, openai_upstream: OpenAIUpstream, character: str
):
    said = {"message": f"a\n{character * 10_000}", "type": character * 5000, "code": character * 5000}
    openai_upstream.always(error(400, body=json.dumps({"error": said}).encode()))
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=inference.metadata))
    assert failed.reason == "UPSTREAM_STATUS"
    assert failed.message.startswith(f"a {character * 100}")
    assert len(failed.message.encode()) <= 1500


async def test_the_key_of_a_provider_is_in_no_error(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(error(401, f"wrong key: {PROVIDER_KEY}"))
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=inference.metadata))
    assert failed.message == "wrong key: ***"


async def test_an_error_under_a_status_of_200_is_an_error(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(whole(b'{"error":{"message":"no credits","code":402}}'))
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=inference.metadata))
    assert (failed.reason, failed.message) == ("UPSTREAM_STATUS", "no credits")
    assert failed.metadata["http_status"] == "402"
    record = await inference.record()
    assert (record.outcome, record.status_code, record.error_reason) == ("failed", 402, "UPSTREAM_STATUS")


async def test_an_answer_that_is_none_is_a_providers_fault(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(whole(json.dumps(chat_body() | {"choices": "none"}).encode()))
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=inference.metadata))
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "PROVIDER_ERROR")
    record = await inference.record()
    assert (record.outcome, record.status_code, record.error_reason) == ("failed", 502, "PROVIDER_ERROR")


async def test_an_answer_that_is_none_is_made_good_by_another_try(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(whole(b'{"choices":"none"}'), chat("Hi"))
    answer = await inference.router.CompleteChat(COMPLETE, metadata=inference.metadata)
    assert answer.choices[0].message.text == "Hi"
    record = await inference.record()
    assert (record.outcome, record.attempts) == ("answered", 2)


async def test_who_cancels_is_not_waited_for(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(silent())
    call = inference.router.CompleteChat(COMPLETE, metadata=inference.metadata)
    sent = await openai_upstream.received()
    call.cancel()
    await asyncio.wait_for(sent.hung_up.wait(), 10)
    record = await inference.record()
    assert (record.status_code, record.outcome, record.error_reason) == (499, "hung_up", "CANCELLED")
    assert len(inference.active) == 0


async def test_the_callers_deadline_ends_the_providers_work(
    inference_factory: InferenceFactory, openai_upstream: OpenAIUpstream
):
    openai_upstream.always(silent())
    async with inference_factory(clock=SystemClock()) as inference:
        call = inference.router.CompleteChat(COMPLETE, metadata=inference.metadata, timeout=0.5)
        failed = await failure(call)
        assert failed.code == grpc.StatusCode.DEADLINE_EXCEEDED
        sent = await openai_upstream.received()
        await asyncio.wait_for(sent.hung_up.wait(), 10)
        record = await inference.record()
        assert (record.status_code, record.outcome, record.error_reason) == (504, "failed", "DEADLINE_EXCEEDED")


async def test_the_callers_deadline_counts_also_where_the_router_sees_it_first(
    inference_factory: InferenceFactory, openai_upstream: OpenAIUpstream
):
    openai_upstream.always(silent())
    async with inference_factory() as inference:
        call = inference.router.CompleteChat(COMPLETE, metadata=inference.metadata, timeout=60)
        await openai_upstream.received()
        inference.core.clock.advance(61)
        inference.active.sweep()
        failed = await failure(call)
        assert (failed.code, failed.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        record = await inference.record()
        assert (record.status_code, record.outcome, record.error_reason) == (504, "failed", "DEADLINE_EXCEEDED")


async def test_without_a_credential_or_its_scope_nothing_is_asked(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    failed = await failure(inference.router.CompleteChat(COMPLETE))
    assert failed.code == grpc.StatusCode.UNAUTHENTICATED
    reader, _ = await inference.core.credential(inference.person.id, scopes="read")
    failed = await failure(inference.router.CompleteChat(COMPLETE, metadata=(("x-api-key", reader),)))
    assert failed.code == grpc.StatusCode.PERMISSION_DENIED
    assert not openai_upstream.requests
    assert not await inference.records()
