"""Who is asked, in which order, and what happens where that fails: over real sockets."""

import asyncio
from collections.abc import Callable

import pytest

from core.errors import DeadlineExceeded, ProviderError, ProviderTimeout, StreamInterrupted, UnknownModel
from core.routing.reply import Answer as CompleteAnswer
from tests.core.routing.conftest import Stage, rest_of
from tests.support.database import on_sqlite
from tests.support.openai_upstream import (
    Answer,
    OpenAIUpstream,
    chat,
    error,
    raw,
    redirect,
    refuse,
    silent,
    sse,
    stream,
    whole,
)

pytestmark = on_sqlite

HTML = b"<html><body>502 Bad Gateway</body></html>"
ERROR_EVENT = b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'


async def two(stage: Stage) -> tuple[OpenAIUpstream, OpenAIUpstream]:
    return await stage.provider("first"), await stage.provider("second")


def asked(*upstreams: OpenAIUpstream) -> list[int]:
    """How many requests each provider got."""
    return [len(upstream.requests) for upstream in upstreams]


async def test_the_first_that_has_the_model_answers_and_nobody_else_is_asked(stage: Stage) -> None:
    first, second = await two(stage)
    answer = await stage.answer()
    assert (answer.place.provider, answer.place.model, answer.status) == ("first", "m", 200)
    assert asked(first, second) == [1, 0]
    assert first.requests[0].headers["authorization"] == "Bearer sk-of-first"
    record = await stage.record()
    assert (record.provider, record.attempts, record.outcome) == ("first", 1, "answered")


# What is no answer, and may be made good by the next provider.
USELESS: dict[str, Callable[[], Answer]] = {
    "500": lambda: error(500),
    "502 in HTML": lambda: error(502, body=HTML, content_type="text/html"),
    "503": lambda: error(503),
    "529": lambda: error(529),
    "429": lambda: error(429),
    "401": lambda: error(401),
    "402": lambda: error(402),
    "403": lambda: error(403),
    "404": lambda: error(404),
    "408": lambda: error(408),
    "HTML": lambda: whole(HTML, content_type="text/html"),
    "nothing": lambda: whole(b""),
    "half a body": lambda: whole(b'{"choices": [', missing=100),
    "half a body that nobody announced": lambda: raw(b"HTTP/1.1 200 OK\r\n\r\n", b'{"choices": ['),
    "no JSON object": lambda: whole(b'"hello"'),
    "a redirect": lambda: redirect("http://127.0.0.1:1/v1/chat/completions"),
    "a closed connection": refuse,
    "no HTTP": lambda: raw(b"220 mail.example.com ESMTP\r\n"),
    "half a head": lambda: raw(b"HTTP/1.1 200 OK\r\nContent-Ty"),
}


@pytest.mark.parametrize("what", USELESS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_what_is_no_answer_is_made_good_by_the_next_provider(stage: Stage, what: str, streamed: bool) -> None:
    first, second = await two(stage)
    first.always(USELESS[what]())
    if streamed:
        reply = await stage.stream()
        assert b"there." in await rest_of(reply)
    else:
        reply = await stage.answer()
        assert b"Hello there." in reply.body
    assert (reply.place.provider, reply.status) == ("second", 200)
    assert asked(first, second) == [1, 1]
    assert second.requests[0].headers["authorization"] == "Bearer sk-of-second"
    assert stage.pauses == []
    record = await stage.record()
    assert (record.provider, record.attempts, record.status_code, record.outcome) == ("second", 2, 200, "answered")


# How a stream can fail before its first event.
STILLBORN: dict[str, Callable[[], Answer]] = {
    "no event": lambda: sse([]),
    "cut before an event": lambda: sse([], cut=True),
    "cut within the first event": lambda: sse([b'data: {"choi'], cut=True),
    "comments and no event": lambda: sse([b": keep-alive\n\n", b": keep-alive\n\n"]),
    "comments, and then cut": lambda: sse([b": keep-alive\n\n"], cut=True),
    "an error in place of an event": lambda: sse([ERROR_EVENT]),
    "an error after a comment": lambda: sse([b": keep-alive\n\n", ERROR_EVENT, b"data: [DONE]\n\n"]),
}


@pytest.mark.parametrize("what", STILLBORN)
async def test_a_stream_that_fails_before_its_first_event_is_made_good(stage: Stage, what: str) -> None:
    first, _ = await two(stage)
    first.script(STILLBORN[what]())
    streamed = await stage.stream()
    assert streamed.place.provider == "second"
    text = await rest_of(streamed)
    assert b"there." in text
    assert b"overloaded" not in text
    assert (await stage.record()).attempts == 2


async def test_an_error_in_place_of_a_stream_has_the_status_that_it_names(stage: Stage) -> None:
    only = await stage.provider("only")
    only.always(sse([ERROR_EVENT]))
    reply = await stage.run(stream=True)
    assert isinstance(reply, CompleteAnswer)
    assert (reply.status, reply.content_type) == (503, "application/json")
    assert reply.body == ERROR_EVENT[6:].strip()
    record = await stage.record()
    assert (record.status_code, record.outcome, record.attempts) == (503, "failed", 2)


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"message": "bad schema", "code": 400}}\n\n',  # the caller's own fault
        b'data: {"error": null, "choices": [{"delta": {"content": "error"}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "\\"error\\""}}]}\n\n',
        b'data: "error"\n\n',
        b'event: "error"\ndata: {}\n\n',
    ],
)
async def test_what_no_other_provider_makes_good_is_passed_on(stage: Stage, event: bytes) -> None:
    first, second = await two(stage)
    first.script(sse([b": hello\n\n", event, b"data: [DONE]\n\n"]))
    streamed = await stage.stream()
    assert await rest_of(streamed) == b": hello\n\n" + event + b"data: [DONE]\n\n"
    assert asked(first, second) == [1, 0]


async def test_comments_without_end_take_no_memory(stage: Stage) -> None:
    only = await stage.provider("only")
    comment = b": " + b"x" * 10_000 + b"\n\n"
    only.script(sse([comment] * 50 + [b'data: {"choices": []}\n\n', b"data: [DONE]\n\n"]))
    text = await rest_of(await stage.stream())
    assert text.endswith(b'\n\ndata: {"choices": []}\n\ndata: [DONE]\n\n')
    assert len(text) < 400_000


async def test_a_connection_that_is_refused_is_made_good(stage: Stage) -> None:
    dead = await stage.declare("dead", base_url="http://127.0.0.1:1/v1")
    good = await stage.provider("good")
    stage.route("r", "dead/m", "good/m")
    assert (await stage.answer("r")).place.provider == "good"
    assert asked(good) == [1]
    assert not stage.health.all_well()
    assert not stage.health.rests(dead)  # once is not enough


@pytest.mark.parametrize("status", [400, 413, 415, 422, 451])
async def test_what_is_the_callers_own_fault_is_answered_at_once(stage: Stage, status: int) -> None:
    first, second = await two(stage)
    first.script(error(status, "your fault"))
    answer = await stage.answer()
    assert (answer.status, answer.place.provider) == (status, "first")
    assert b"your fault" in answer.body
    assert asked(first, second) == [1, 0]
    assert stage.health.all_well()


async def test_after_the_first_byte_nobody_else_is_asked(stage: Stage) -> None:
    first, second = await two(stage)
    first.script(stream(["Hel", "lo", " there."], cut_after=3))
    with pytest.raises(StreamInterrupted):
        await rest_of(await stage.stream())
    assert asked(first, second) == [1, 0]
    record = await stage.record()
    assert (record.provider, record.outcome, record.error_reason) == ("first", "failed", "STREAM_INTERRUPTED")
    assert record.output_tokens > 0


async def test_a_route_is_followed_in_its_order_each_under_its_own_name(stage: Stage) -> None:
    one = await stage.provider("one", "a")
    two = await stage.provider("two", "org/b", "c")
    stage.route("fast", "two/org/b", "c", "one/a")
    two.script(error(503), error(503))
    answer = await stage.answer("fast")
    assert (answer.place.provider, answer.place.model) == ("one", "a")
    assert [request.json["model"] for request in (*two.requests, *one.requests)] == ["org/b", "c", "a"]
    record = await stage.record()
    assert (record.requested_model, record.provider, record.model) == ("fast", "one", "a")


async def test_a_model_can_be_asked_of_one_provider_by_name_and_stays_there(stage: Stage) -> None:
    first, second = await two(stage)
    second.always(error(500))
    answer = await stage.answer("second/m")
    assert (answer.status, answer.place.provider) == (500, "second")
    assert asked(first, second) == [0, 1]
    assert second.requests[0].json["model"] == "m"


async def test_a_models_name_with_slashes_reaches_the_provider_whole(stage: Stage) -> None:
    only = await stage.provider("only", "org/model:free")
    await stage.answer("org/model:free")
    await stage.answer("only/org/model:free")
    assert [request.json["model"] for request in only.requests] == ["org/model:free"] * 2


@pytest.mark.parametrize("model", ["absent", "only/absent", "nobody/m", "only/", "/m"])
async def test_a_model_that_nobody_has_is_refused_and_recorded(stage: Stage, model: str) -> None:
    only = await stage.provider("only")
    with pytest.raises(UnknownModel):
        await stage.run(model)
    assert asked(only) == [0]
    record = await stage.record()
    assert (record.requested_model, record.status_code, record.provider, record.cost_nanousd) == (model, 400, "", None)


async def test_a_single_provider_is_asked_again_after_a_moment(stage: Stage) -> None:
    only = await stage.provider("only")
    only.script(error(503), chat("Hello there."))
    assert b"Hello there." in (await stage.answer()).body
    assert asked(only) == [2]
    assert len(stage.pauses) == 1
    assert 0.1 <= stage.pauses[0] <= 0.5


async def test_who_says_when_to_come_back_is_asked_then(stage: Stage) -> None:
    only = await stage.provider("only")
    only.script(error(429, retry_after="3"), chat("Hello there."))
    assert (await stage.answer()).status == 200
    assert stage.pauses == [3.0]
    assert asked(only) == [2]


async def test_who_says_to_come_back_at_a_time_of_day_is_asked_then(stage: Stage) -> None:
    only = await stage.provider("only")
    only.script(error(429, retry_after="Fri, 02 Jan 2026 03:04:09 GMT"), chat())  # it is 03:04:05 now
    assert (await stage.answer()).status == 200
    assert stage.pauses == [4.0]


async def test_a_long_wait_is_left_to_the_caller(stage: Stage) -> None:
    only = await stage.provider("only")
    only.script(error(429, "slow down", retry_after="30"))
    answer = await stage.answer()
    assert (answer.status, dict(answer.headers)["retry-after"]) == (429, "30")
    assert b"slow down" in answer.body
    assert stage.pauses == []
    assert asked(only) == [1]
    record = await stage.record()
    assert (record.status_code, record.error_reason) == (429, "UPSTREAM_STATUS")


@pytest.mark.parametrize("written", ["soon", "-5", "nan", "inf", "-inf", "1e999", "Fri, 02 Jan 2026", "0x10"])
async def test_a_time_to_come_back_that_makes_no_sense_does_no_harm(stage: Stage, written: str) -> None:
    first, second = await two(stage)
    first.script(error(429, retry_after=written))
    assert (await stage.answer()).place.provider == "second"
    assert stage.pauses == []
    assert asked(first, second) == [1, 1]


async def test_a_provider_that_rests_is_asked_last_until_its_time_has_come(stage: Stage) -> None:
    first, second = await two(stage)
    first.script(error(429, retry_after="20"))
    assert (await stage.answer()).place.provider == "second"
    assert (await stage.answer()).place.provider == "second"
    assert asked(first, second) == [1, 2]

    second.script(error(500))  # where the others fail, one that rests is better than none
    assert (await stage.answer()).place.provider == "first"

    second.always(None)
    first.script(error(429, retry_after="20"))
    assert (await stage.answer()).place.provider == "second"
    stage.clock.advance(21)
    assert (await stage.answer()).place.provider == "first"


async def test_a_provider_that_fails_again_and_again_rests(stage: Stage) -> None:
    first, second = await two(stage)
    first.always(error(500))
    for _ in range(8):
        assert (await stage.answer()).place.provider == "second"
    assert asked(first, second) == [5, 8]
    first.always(None)
    stage.clock.advance(6)
    assert (await stage.answer()).place.provider == "first"
    assert stage.health.all_well()


async def test_a_refusal_of_our_key_does_not_make_a_provider_rest(stage: Stage) -> None:
    first, second = await two(stage)
    first.always(error(401))
    for _ in range(6):
        assert (await stage.answer()).place.provider == "second"
    assert asked(first, second) == [6, 6]


async def test_where_all_fail_the_last_word_is_mirrored_without_our_key(stage: Stage) -> None:
    first, second = await two(stage)
    first.always(error(500, "first"))
    second.always(error(500, "no such key: sk-of-second"))
    answer = await stage.answer()
    assert (answer.status, answer.place.provider) == (500, "second")
    assert b"no such key: ***" in answer.body
    record = await stage.record()
    assert (record.status_code, record.attempts, record.provider, record.outcome) == (500, 2, "second", "failed")


async def test_the_attempts_of_a_request_have_a_bound(stage: Stage) -> None:
    upstreams = [await stage.provider(f"p{number}") for number in range(8)]
    for upstream in upstreams:
        upstream.always(error(503))
    assert (await stage.answer()).status == 503
    assert asked(*upstreams) == [1] * 6 + [0] * 2
    assert (await stage.record()).attempts == 6


async def test_two_rounds_are_the_most(stage: Stage) -> None:
    first, second = await two(stage)
    first.always(error(503))
    second.always(error(503))
    assert (await stage.answer()).status == 503
    assert asked(first, second) == [2, 2]
    assert len(stage.pauses) == 1


async def test_what_cannot_get_better_is_not_asked_twice(stage: Stage) -> None:
    first, second = await two(stage)
    first.always(error(401))
    second.script(error(503), chat("Hello there."))
    assert (await stage.answer()).place.provider == "second"
    assert asked(first, second) == [1, 2]


async def sweep_when(stage: Stage, upstream: OpenAIUpstream, seconds: float) -> None:
    """When the provider has the next request, lets this much time pass, and looks who is late."""
    await upstream.received()
    stage.active.sweep()  # takes note of who is expected to do something
    stage.clock.advance(seconds)
    stage.active.sweep()


async def test_a_silent_provider_is_given_up_for_the_next(stage: Stage) -> None:
    first = await stage.provider("first", first_byte_ms=2000)
    second = await stage.provider("second")
    first.script(silent())
    asking = asyncio.create_task(stage.answer())
    await sweep_when(stage, first, 2.1)
    assert (await asking).place.provider == "second"
    assert asked(first, second) == [1, 1]
    await first.requests[0].hung_up.wait()
    assert not stage.health.all_well()


async def test_where_nobody_answers_in_time_that_is_the_error(stage: Stage) -> None:
    only = await stage.provider("only", first_byte_ms=2000)
    only.always(silent())
    asking = asyncio.create_task(stage.answer())
    await sweep_when(stage, only, 2.1)
    await sweep_when(stage, only, 2.1)
    with pytest.raises(ProviderTimeout):
        await asking
    record = await stage.record()
    assert (record.status_code, record.error_reason, record.attempts) == (504, "PROVIDER_TIMEOUT", 2)


async def test_the_deadline_ends_all_attempts_together(stage: Stage) -> None:
    first = await stage.provider("first", first_byte_ms=3000)
    second = await stage.provider("second", first_byte_ms=3000)
    third = await stage.provider("third")
    for upstream in (first, second):
        upstream.always(silent())
    asking = asyncio.create_task(stage.answer(timeout=5.0))
    await sweep_when(stage, first, 3.1)
    await sweep_when(stage, second, 2.0)
    with pytest.raises(DeadlineExceeded):
        await asking
    await second.requests[0].hung_up.wait()
    assert asked(first, second, third) == [1, 1, 0]
    record = await stage.record()
    assert (record.status_code, record.error_reason, record.provider) == (504, "DEADLINE_EXCEEDED", "second")


async def test_nobody_is_waited_for_beyond_the_deadline(stage: Stage) -> None:
    only = await stage.provider("only")
    only.script(error(429, retry_after="4"))
    answer = await stage.answer(timeout=3.0)
    assert answer.status == 429
    assert stage.pauses == []


async def test_no_other_provider_is_asked_for_a_caller_who_went_away(stage: Stage) -> None:
    first, second = await two(stage)
    first.script(silent())
    asking = asyncio.create_task(stage.answer())
    await first.received()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await first.requests[0].hung_up.wait()
    assert asked(first, second) == [1, 0]
    record = await stage.record()
    assert (record.status_code, record.outcome) == (499, "hung_up")


async def test_a_dead_provider_is_one_error_where_it_is_the_only_one(stage: Stage) -> None:
    await stage.declare("dead", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(ProviderError, match="the provider 'dead' could not be reached"):
        await stage.answer("dead/m")
    record = await stage.record()
    assert (record.status_code, record.error_reason, record.attempts) == (502, "PROVIDER_ERROR", 2)
