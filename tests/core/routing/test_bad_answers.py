"""What providers answer that is no good answer, for all its status or its form: what the caller gets of it."""

import json
from typing import Any

import pytest

from core.auth import NOBODY
from core.dialects.anthropic.messages import MESSAGES
from core.dialects.openai.chat import CHAT, EMBEDDING
from core.dialects.responses.request import RESPONSES
from core.errors import ProviderError
from core.routing.reply import Answer, Ask
from core.routing.stream import Streamed
from tests.core.routing.conftest import Stage, rest_of
from tests.support.openai_upstream import USAGE, chat, chat_body, error, events, sse, stream, whole

KEY = "sk-of-only"
WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": null}]}\n\n'
TOLD = {"error": {"message": f"no such key: {KEY}", "type": KEY, "code": 503}}
LIMIT = {"error": {"message": "slow down", "type": "rate_limit_error"}}
HTML = b"<html><body>nginx at /srv/internal/proxy</body></html>"

BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    MESSAGES: {"max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]},
    RESPONSES: {"input": "Hi"},
    EMBEDDING: {"input": "Hi"},
}
WIRES = pytest.mark.parametrize("operation", [CHAT, MESSAGES, RESPONSES])


async def ask(stage: Stage, operation: str, **fields: Any) -> Answer | Streamed:
    body = json.dumps({"model": "m", **BODIES[operation], **fields}).encode()
    return await stage.pipeline.run(Ask(stage.ids("req"), operation, "openai", NOBODY, body))


async def read(reply: Answer | Streamed) -> bytes:
    return reply.body if isinstance(reply, Answer) else await rest_of(reply)


def event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


# Our key


@WIRES
@pytest.mark.parametrize("words", [0, 1, 5])
async def test_no_error_in_a_stream_shows_our_key(stage: Stage, operation: str, words: int):
    only = await stage.provider("only")
    only.always(sse([WORD] * words + [event(TOLD)]))
    body = await read(await ask(stage, operation, stream=True))
    assert b"no such key: ***" in body
    assert KEY.encode() not in body


@WIRES
async def test_no_torn_error_shows_our_key(stage: Stage, operation: str):
    only = await stage.provider("only")
    said = WORD + event(TOLD)
    at = said.index(KEY.encode()) + 4
    only.always(sse([said[:at], said[at:]]))
    assert KEY.encode() not in await read(await ask(stage, operation, stream=True))


@pytest.mark.parametrize("operation", BODIES)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_no_error_answer_shows_our_key(stage: Stage, operation: str, status: int):
    only = await stage.provider("only")
    only.always(whole(json.dumps(TOLD).encode(), status=status))
    body = await read(await ask(stage, operation))
    assert b"no such key: ***" in body
    assert KEY.encode() not in body


async def test_what_is_too_short_for_a_key_stays(stage: Stage):
    only = await stage.provider("only", api_key=stage.cipher.encrypt("word"))
    only.always(stream(["a word"]))
    assert b"a word" in await read(await ask(stage, CHAT, stream=True))


# Errors under a status of 200


@pytest.mark.parametrize("operation", BODIES)
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_under_200_is_made_good_by_the_next_provider(stage: Stage, operation: str, streamed: bool):
    if streamed and operation == EMBEDDING:
        return  # which never streams
    first, _ = await stage.provider("first"), await stage.provider("second")
    first.always(whole(json.dumps(LIMIT).encode()))
    reply = await ask(stage, operation, **({"stream": True} if streamed else {}))
    await read(reply)
    assert (reply.place.provider, reply.status) == ("second", 200)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (LIMIT, 429),
        ({"error": {"message": "slow down", "code": 418}}, 418),
        ({"error": {"message": "slow down", "code": "503"}, "choices": None}, 503),
        ({"error": "slow down"}, 502),
        ({"error": {"message": "slow down", "type": "odd"}, "choices": []}, 502),
    ],
)
@WIRES
async def test_an_error_under_200_has_the_status_that_it_names_and_costs_nothing(
    stage: Stage, operation: str, said: dict[str, Any], status: int
):
    only = await stage.provider("only")
    only.always(whole(json.dumps(said).encode()))
    reply = await ask(stage, operation)
    assert isinstance(reply, Answer)
    assert reply.status == status
    assert b"slow down" in reply.body
    if operation == CHAT:
        assert json.loads(reply.body) == said
    record = await stage.record()
    assert (record.status_code, record.input_tokens, record.output_tokens) == (status, 0, 0)


async def test_an_answer_that_speaks_of_errors_is_an_answer(stage: Stage):
    only = await stage.provider("only")
    only.always(chat('{"error": {"message": "x"}}', error=None, metadata={"error": {"code": 500}}))
    reply = await ask(stage, CHAT)
    assert (reply.status, (await stage.record()).output_tokens) == (200, USAGE["completion_tokens"])


# Answers that say nothing


@pytest.mark.parametrize("choices", [[], [{"index": 0, "message": {"content": ""}, "finish_reason": None}]])
async def test_an_answer_that_says_nothing_and_not_why_is_none(stage: Stage, choices: list[Any]):
    only = await stage.provider("only")
    only.always(whole(json.dumps(chat_body() | {"choices": choices}).encode()))
    with pytest.raises(ProviderError):
        await ask(stage, MESSAGES)


async def test_an_answer_that_says_nothing_for_a_reason_is_one(stage: Stage):
    only = await stage.provider("only")
    choice = {"index": 0, "message": {"content": ""}, "finish_reason": "length"}
    only.always(whole(json.dumps(chat_body() | {"choices": [choice]}).encode()))
    assert json.loads(await read(await ask(stage, MESSAGES)))["stop_reason"] == "max_tokens"


# Whole answers in place of streams

ENDS = {CHAT: b"data: [DONE]", MESSAGES: b"event: message_stop", RESPONSES: b"event: response.completed"}


@WIRES
async def test_a_whole_answer_becomes_the_stream_that_was_asked_for(stage: Stage, operation: str):
    only = await stage.provider("only")
    only.always(chat("Hello there."))
    reply = await ask(stage, operation, stream=True)
    assert isinstance(reply, Streamed)
    assert reply.content_type.startswith("text/event-stream")
    body = await rest_of(reply)
    assert b"Hello there." in body
    assert ENDS[operation] in body
    record = await stage.record()
    assert (record.outcome, record.streamed, record.token_source) == ("answered", True, "provider")
    assert (record.input_tokens, record.output_tokens) == (11, 7)


async def test_what_can_not_be_read_as_an_answer_passes_in_place_of_a_stream(stage: Stage):
    only = await stage.provider("only")
    only.always(whole(b'{"of": "another kind"}'))
    reply = await ask(stage, CHAT, stream=True)
    assert isinstance(reply, Answer)
    assert reply.body == b'{"of": "another kind"}'


# Usage that nobody reports


@pytest.mark.parametrize("operation", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("done", [True, False])
async def test_a_caller_is_told_the_tokens_that_the_record_has(stage: Stage, operation: str, done: bool):
    only = await stage.provider("only")
    only.always(sse(events(["Hello ", "there ", "you"], usage=None, done=done)))
    body = await read(await ask(stage, operation, stream=True))
    record = await stage.record()
    assert (record.token_source, record.output_tokens) == ("counted", 3)
    said = [json.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data: {")]
    told = [each.get("usage") or each.get("response", {}).get("usage") for each in said]
    last = [usage for usage in told if usage][-1]
    assert last["output_tokens"] == record.output_tokens
    if operation == RESPONSES:
        assert last["input_tokens"] == record.input_tokens > 0


# Pages of proxies


@pytest.mark.parametrize("operation", BODIES)
@pytest.mark.parametrize("status", [400, 418, 502])
@pytest.mark.parametrize("body", [HTML, b"upstream connect error at /srv/internal/proxy"])
async def test_an_error_that_is_no_json_becomes_one_of_the_api(stage: Stage, operation: str, status: int, body: bytes):
    only = await stage.provider("only")
    only.always(error(status, body=body, content_type="text/html"))
    reply = await ask(stage, operation)
    assert isinstance(reply, Answer)
    assert (reply.status, reply.content_type) == (status, "application/json")
    assert json.loads(reply.body)["error"]["message"] == f"the provider answered {status}"
    assert (json.loads(reply.body).get("type") == "error") == (operation == MESSAGES)


async def test_an_error_in_json_is_mirrored_to_the_letter(stage: Stage):
    only = await stage.provider("only")
    body = b'{"detail":  ["odd", 1.50]}'
    only.always(error(422, body=body, content_type="text/plain"))
    reply = await ask(stage, CHAT)
    assert isinstance(reply, Answer)
    assert (reply.body, reply.content_type) == (body, "text/plain")
