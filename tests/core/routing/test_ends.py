"""Every end that a request can have, and the one usage record that each leaves."""

import asyncio
import json
from typing import Any

import pytest

from core.store import users
from tests.support.database import on_sqlite
from tests.support.openai_upstream import (
    MODEL,
    USAGE,
    Answer,
    Gate,
    chat,
    error,
    events,
    raw,
    redirect,
    refuse,
    resplit,
    silent,
    sse,
    stream,
    whole,
)
from tests.support.router import CHAT, Router, RouterFactory, until

pytestmark = on_sqlite


def error_of(body: bytes) -> str:
    """What an answer on OpenAI's mount says went wrong."""
    return json.loads(body)["error"]["message"]


# Answers


async def test_an_answer(router: Router):
    router.upstream.script(chat("Hello."))
    status, body = await router.answer()
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "Hello.")
    record = await router.record()
    assert (record.status_code, record.outcome, record.error_reason) == (200, "answered", "")
    assert (record.input_tokens, record.output_tokens, record.token_source) == (11, 7, "provider")
    assert (record.provider, record.model, record.requested_model) == ("upstream", MODEL, MODEL)
    assert (record.user_id, record.credential_id) == (router.inference.person.id, router.key_id)
    assert (record.messages, record.attempts, record.streamed, record.ttft_us) == (1, 1, False, None)


async def test_a_stream(router: Router):
    async with router.chat(stream=True) as answer:
        body = await answer.read()
    assert body.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in body  # nobody asked for it
    assert (await router.upstream.received()).asks_usage
    record = await router.record()
    assert (record.status_code, record.outcome, record.streamed) == (200, "answered", True)
    assert (record.input_tokens, record.output_tokens, record.token_source) == (11, 7, "provider")
    assert record.ttft_us is not None


async def test_a_stream_whose_usage_was_asked_for(router: Router):
    async with router.chat(stream=True, stream_options={"include_usage": True}) as answer:
        body = await answer.read()
    assert json.dumps(dict(USAGE)).encode() in body
    assert (await router.record()).output_tokens == 7


async def test_a_stream_whose_usage_nobody_tells_is_counted(router: Router):
    router.upstream.script(stream(["Hello ", "there ", "you"], reports="never"))
    async with router.chat(stream=True, text="How are you?") as answer:
        await answer.read()
    record = await router.record()
    assert (record.token_source, record.output_tokens) == ("counted", 3)
    assert 4 <= record.input_tokens <= 12


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"model": MODEL, "prompt": "Once"}),
        ("/v1/completions", {"model": MODEL, "prompt": "Once", "stream": True}),
        ("/v1/embeddings", {"model": MODEL, "input": "Once"}),
        ("/api/v1/chat/completions", {"model": MODEL, "messages": []}),
    ],
)
async def test_the_other_endpoints(router: Router, path: str, body: dict[str, Any]):
    status, _ = await router.answer(path, body)
    assert status == 200
    record = await router.record()
    assert (record.outcome, record.token_source) == ("answered", "provider")
    assert record.input_tokens > 0


async def test_an_answer_that_comes_compressed(router: Router):
    router.upstream.script(whole(json.dumps({"choices": [], "usage": dict(USAGE)}).encode(), compressed=True))
    status, body = await router.answer()
    assert (status, json.loads(body)["usage"]) == (200, USAGE)
    assert (await router.record()).output_tokens == 7


@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_a_stream_that_is_cut_anywhere(router: Router, size: int, line_end: str):
    data = b"".join(events(["Grüße", "😀"], usage=USAGE, line_end=line_end, comments=True))
    router.upstream.script(sse(resplit(data, size)))
    async with router.chat(stream=True, stream_options={"include_usage": True}) as answer:
        assert await answer.read() == data
    assert (await router.record()).output_tokens == 7


async def test_a_stream_of_huge_events(router: Router):
    texts = ["x" * 300_000, "y" * 300_000]
    router.upstream.script(stream(texts))
    async with router.chat(stream=True) as answer:
        body = await answer.read()
    assert all(text.encode() in body for text in texts)
    assert (await router.record()).outcome == "answered"


async def test_a_stream_without_the_end_mark_that_says_why_it_ended(router: Router):
    router.upstream.script(stream(["Hello"], done=False))
    async with router.chat(stream=True) as answer:
        body = await answer.read()
    assert b"error" not in body
    assert (await router.record()).outcome == "answered"


async def test_a_stream_whose_connection_breaks_after_the_end_mark(router: Router):
    router.upstream.script(sse([b"".join(events(["Hello"], usage=USAGE))], cut=True))
    async with router.chat(stream=True) as answer:
        body = await answer.read()
    assert body.endswith(b"data: [DONE]\n\n")
    assert (await router.record()).outcome == "answered"


async def test_a_stream_whose_provider_does_not_end_it_after_the_end_mark(router: Router):
    gate = Gate(1)
    router.upstream.script(sse([b"".join(events(["Hello"], usage=USAGE)), b": bye\n\n"], gate=gate))
    async with router.chat(stream=True) as answer:
        body = b""
        while not body.endswith(b"data: [DONE]\n\n"):
            body += await answer.content.readany()
        router.pass_time(3.0)
        assert await answer.content.readany() == b""
    assert (await router.record()).outcome == "answered"


async def test_a_whole_answer_to_a_request_for_a_stream(router: Router):
    router.upstream.script(chat("Hello."))
    async with router.chat(stream=True) as answer:
        assert answer.content_type == "text/event-stream"
        body = await answer.read()
    assert b'"content":"Hello."' in body
    assert body.endswith(b"data: [DONE]\n\n")
    record = await router.record()
    assert (record.outcome, record.streamed, record.output_tokens) == ("answered", True, 7)


async def test_headers_that_are_not_text(router: Router):
    body = json.dumps({"choices": [], "usage": dict(USAGE)}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; x=\xff\xfe\r\nX-Request-Id: \xe9\xff\r\n"
    router.upstream.script(raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    status, _ = await router.answer()
    assert status == 200
    assert (await router.record()).outcome == "answered"


# Providers that fail


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (whole(b"<html>Welcome</html>", content_type="text/html"), 502),
        (whole(b""), 502),
        (whole(b'{"choices": ['), 502),
        (whole(b"[1, 2]"), 502),
        (whole(json.dumps({"choices": []}).encode(), missing=10), 502),
        (sse([b'{"choices": []}'], cut=True, content_type="application/json"), 502),
        (redirect("http://127.0.0.1:1/"), 502),
        (refuse(), 502),
        (raw(b"not HTTP at all\r\n\r\n"), 502),
        (sse([b'data: {"cho'], cut=True), 502),
        (sse([]), 502),
        (sse([b": comment\n\n"]), 502),
    ],
)
async def test_a_provider_without_an_answer(router: Router, answer: Answer, status: int):
    router.upstream.always(answer)
    got, body = await router.answer(stream=True)
    assert got == status
    assert "provider" in error_of(body)
    record = await router.record()
    assert (record.status_code, record.outcome) == (status, "failed")
    assert record.error_reason in ("PROVIDER_ERROR", "STREAM_INTERRUPTED")
    assert (record.attempts, record.provider, record.token_source, record.output_tokens) == (2, "upstream", "", 0)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 429, 500, 503])
async def test_a_providers_error_is_passed_on(router: Router, status: int):
    router.upstream.always(error(status, "its own words", retry_after="0"))
    got, body = await router.answer()
    assert got == status
    assert b"its own words" in body
    record = await router.record()
    assert (record.status_code, record.outcome, record.error_reason) == (status, "failed", "UPSTREAM_STATUS")
    assert (record.cost_nanousd or 0, record.output_tokens) == (0, 0)


async def test_a_second_try_that_is_answered(router: Router):
    router.upstream.script(error(503), chat("Hello."))
    status, _ = await router.answer()
    assert status == 200
    record = await router.record()
    assert (record.outcome, record.attempts) == ("answered", 2)


async def test_a_provider_that_says_nothing_is_asked_once_more(router: Router):
    router.upstream.script(silent(), chat("Hello."))
    asking = asyncio.create_task(router.answer())
    await router.upstream.received()
    router.pass_time(301.0)
    assert (await asking)[0] == 200
    record = await router.record()
    assert (record.outcome, record.attempts) == ("answered", 2)
    await until(lambda: router.upstream.hang_ups == 1)


async def test_a_stream_that_breaks_off_says_so(router: Router):
    router.upstream.script(stream(["Hello ", "there"], cut_after=2))
    async with router.chat(stream=True) as answer:
        assert answer.status == 200
        body = await answer.read()
    *_, last = body.split(b"\n\n")[:-1]
    assert "stream" in error_of(last.removeprefix(b"data: "))
    assert b"[DONE]" not in body
    record = await router.record()
    assert (record.status_code, record.outcome, record.error_reason) == (502, "failed", "STREAM_INTERRUPTED")
    assert (record.token_source, record.output_tokens) == ("counted", 1)


async def test_a_stream_that_ends_too_early_says_so(router: Router):
    router.upstream.script(stream(["Hello "], finish=None, done=False))
    async with router.chat(stream=True) as answer:
        body = await answer.read()
    assert b"[DONE]" not in body
    assert b'"error"' in body
    assert (await router.record()).error_reason == "STREAM_INTERRUPTED"


async def test_a_stream_that_falls_silent_says_so(router: Router):
    gate = Gate(2)
    router.upstream.script(stream(["Hello ", "there"], gate=gate))
    async with router.chat(stream=True) as answer:
        body = await answer.content.readany()
        await until(lambda: gate.waiting == 1)
        router.pass_time(121.0)
        body += await answer.read()
    assert b"[DONE]" not in body
    assert b"did not answer in time" in body
    record = await router.record()
    assert (record.status_code, record.outcome, record.error_reason) == (504, "failed", "PROVIDER_TIMEOUT")
    assert record.token_source == "counted"
    assert router.upstream.hang_ups == 1


# Requests that can't be used


@pytest.mark.parametrize(
    ("body", "status", "reason", "model"),
    [
        (b"not json", 400, "INVALID_ARGUMENT", ""),
        (b"", 400, "INVALID_ARGUMENT", ""),
        (b"\xff\xfe", 400, "INVALID_ARGUMENT", ""),
        (b"[" * 100_000 + b"]" * 100_000, 400, "INVALID_ARGUMENT", ""),
        (b'{"model": "m", "messages": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "INVALID_ARGUMENT", ""),
        (b'{"messages": []}', 400, "MODEL_REQUIRED", ""),
        (b'{"model": "m", "messages": "Hi"}', 400, "UNKNOWN_MODEL", "m"),
        (b'{"model": "absent", "messages": []}', 400, "UNKNOWN_MODEL", "absent"),
        (b'{"model": "a\\u0000b", "messages": []}', 400, "UNKNOWN_MODEL", "a\ufffdb"),
    ],
)
async def test_a_request_that_can_not_be_used(router: Router, body: bytes, status: int, reason: str, model: str):
    got, said = await router.answer(body=body)
    assert got == status
    assert error_of(said)
    record = await router.record()
    assert (record.status_code, record.outcome, record.error_reason) == (status, "failed", reason)
    assert (record.requested_model, record.provider, record.cost_nanousd) == (model, "", None)
    assert not router.upstream.requests


# Callers who do not wait


async def test_a_caller_who_hangs_up_before_the_head(router: Router):
    router.upstream.always(silent())
    asking = asyncio.create_task(router.answer())
    received = await router.upstream.received()
    asking.cancel()
    async with asyncio.timeout(10):
        await received.hung_up.wait()
    record = await router.record()
    assert (record.status_code, record.outcome, record.error_reason) == (499, "hung_up", "CANCELLED")
    # The provider has read the prompt, and may have made as much as can be made in that time.
    assert (record.token_source, record.input_tokens > 0) == ("estimated", True)


async def test_a_caller_who_hangs_up_in_the_middle_of_a_stream_pays_for_what_was_made(router: Router):
    gate = Gate(4)  # the role, and three words
    router.upstream.script(stream(["one ", "two ", "three ", "four "], gate=gate))
    async with router.chat(stream=True) as answer:
        body = b""
        while b"three" not in body:
            body += await answer.content.readany()
    received = await router.upstream.received()
    async with asyncio.timeout(10):
        await received.hung_up.wait()
    record = await router.record()
    assert (record.status_code, record.outcome, record.streamed) == (499, "hung_up", True)
    assert (record.token_source, record.output_tokens) == ("counted", 3)
    assert record.input_tokens > 0


async def test_a_caller_who_hangs_up_after_the_end_mark_was_answered(router: Router):
    gate = Gate(1)
    router.upstream.script(sse([b"".join(events(["Hello"], usage=USAGE)), b": bye\n\n"], gate=gate))
    async with router.chat(stream=True) as answer:
        body = b""
        while b"[DONE]" not in body:
            body += await answer.content.readany()
    record = await router.record()
    assert (record.status_code, record.outcome, record.output_tokens) == (200, "answered", 7)


async def test_a_cancelled_request(router: Router):
    router.upstream.always(silent())
    asking = asyncio.create_task(router.answer())
    received = await router.upstream.received()
    (call,) = router.inference.active.all()
    assert router.inference.active.cancel(call.request_id)
    status, _ = await asking
    assert status == 499
    record = await router.record()
    assert (record.status_code, record.outcome, record.request_id) == (499, "cancelled", call.request_id)
    async with asyncio.timeout(10):
        await received.hung_up.wait()


async def test_a_cancelled_stream(router: Router):
    gate = Gate(2)
    router.upstream.script(stream(["Hello ", "there"], gate=gate))
    async with router.chat(stream=True) as answer:
        body = await answer.content.readany()
        (call,) = router.inference.active.all()
        assert router.inference.active.cancel(call.request_id)
        body += await answer.read()
    assert b"[DONE]" not in body
    record = await router.record()
    assert (record.outcome, record.token_source) == ("cancelled", "counted")
    await until(lambda: router.upstream.hang_ups == 1)


async def test_a_request_whose_time_is_up(router: Router):
    router.upstream.always(silent())
    asking = asyncio.create_task(router.answer())
    await router.upstream.received()
    router.pass_time(601.0)
    status, body = await asking
    assert (status, error_of(body)) == (504, "the request's time was up")
    record = await router.record()
    assert (record.status_code, record.error_reason) == (504, "DEADLINE_EXCEEDED")


# Everything else


async def test_two_requests_of_one_name_have_a_record_each(router: Router):
    names: list[str] = []
    for _ in range(2):
        async with router.post(CHAT, {"model": MODEL, "messages": []}, headers={"X-Request-Id": "mine"}) as answer:
            names.append(answer.headers["x-request-id"])
    records = await router.records(2)
    assert [record.request_id for record in records] == names
    assert all(name.startswith("mine.") for name in names)


async def test_who_is_not_known_has_no_record(router: Router):
    async with router.post(CHAT, b"{}", headers={"Authorization": "Bearer sk_wrong"}) as answer:
        assert answer.status == 401
    await router.records(0)


async def test_a_user_who_is_deleted_in_the_middle_of_a_stream_stays_in_the_accounts(router: Router):
    gate = Gate(2)
    router.upstream.script(stream(["Hello ", "there"], gate=gate))
    core = router.inference.core
    user = await core.user("leaving")
    key, _ = await core.credential(user.id)
    body: dict[str, Any] = {"model": MODEL, "messages": [], "stream": True}
    async with router.post(CHAT, body, headers={"Authorization": f"Bearer {key}"}) as answer:
        await answer.content.readany()
        async with core.deps.database.write() as connection:
            await users.remove(connection, user.id)
        core.deps.authenticator.forget_user(user.id)
        gate.open()
        assert (await answer.read()).endswith(b"[DONE]\n\n")
    record = await router.record()
    assert (record.user_id, record.outcome, record.output_tokens) == (user.id, "answered", 7)


async def test_a_fault_in_the_price_list_costs_the_price_and_not_the_record(
    router: Router, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: object) -> None:
        raise KeyError("no such tier")

    monkeypatch.setattr("core.ledger.prices.Prices.find", fail)
    status, _ = await router.answer()
    assert status == 200
    record = await router.record()
    assert (record.outcome, record.output_tokens, record.cost_nanousd, record.price_source) == ("answered", 7, None, "")
    assert "no such tier" in caplog.text


async def test_a_service_that_stops_says_so(router: Router):
    router.inference.core.deps.pipeline.draining = True
    status, _ = await router.answer()
    assert status == 503
    record = await router.record()
    assert (record.status_code, record.outcome, record.error_reason) == (503, "failed", "UNAVAILABLE")


async def test_too_much_that_waits_for_the_database(router_factory: RouterFactory):
    async with router_factory(journal_limit=0) as router:
        router.upstream.script(chat())
        assert (await router.answer())[0] == 200  # nothing waits yet
        status, body = await router.answer()
        assert status == 503
        assert "journal" in error_of(body)
        assert len(router.upstream.requests) == 1
        assert [record.outcome for record in await router.inference.records()] == ["answered"]
        assert (await router.answer())[0] == 200  # now that all is in the database


async def test_nothing_is_left_of_a_thousand_cancelled_requests(router: Router):
    router.upstream.always(silent())
    tasks = len(asyncio.all_tasks())
    for _ in range(10):
        asking = [asyncio.create_task(router.answer(stream=bool(number % 2))) for number in range(100)]
        before = len(router.upstream.requests)
        await until(lambda before=before: len(router.upstream.requests) >= before + 50)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await until(lambda: not len(router.inference.active) and not router.link.load)
    seen = len(router.upstream.requests)
    records = await router.inference.records()
    assert seen <= len(records) <= 1000
    assert {record.outcome for record in records} == {"hung_up"}
    assert len({record.request_id for record in records}) == len(records)
    await until(lambda: router.upstream.connections <= 1)
    await until(lambda: len(asyncio.all_tasks()) <= tasks + 5)
