"""Anthropic's official client through the router, to a provider that speaks its wire."""

import asyncio

import anthropic
import pytest
from anthropic.types import MessageParam, TextBlockParam, ToolParam

from tests.facade.surfaces.proxy.conftest import Proxy
from tests.support import anthropic_upstream as claude
from tests.support.anthropic_upstream import COUNTED, MODEL, SIGNATURE, TEXTS, THOUGHTS
from tests.support.database import on_sqlite
from tests.support.openai_upstream import Gate
from tests.support.router import until

pytestmark = on_sqlite

MESSAGES: list[MessageParam] = [{"role": "user", "content": "Hello!"}]
WEATHER: ToolParam = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.mark.parametrize(("mount", "surface"), [("/proxy/anthropic", "proxy_anthropic"), ("", "messages")])
async def test_a_message_is_answered_and_accounted_for(proxy: Proxy, mount: str, surface: str):
    client = proxy.anthropic_client(mount)
    answer = await client.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES, system="Be short.")
    assert answer.content[0].to_dict() == {"type": "text", "text": "".join(TEXTS)}
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.stop_reason) == (12, 9, "end_turn")
    record = await proxy.router.record()
    assert (record.surface, record.operation, record.provider, record.model) == (surface, "messages", "claude", MODEL)
    assert (record.input_tokens, record.output_tokens, record.token_source) == (12, 9, "provider")
    assert (record.status_code, record.outcome, record.messages, record.streamed) == (200, "answered", 1, False)


async def test_a_stream_is_answered_and_accounted_for(proxy: Proxy):
    async with proxy.claude.messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert tuple(texts) == TEXTS
    assert (final.usage.input_tokens, final.usage.output_tokens) == (12, 9)
    record = await proxy.router.record()
    assert (record.input_tokens, record.output_tokens, record.token_source) == (12, 9, "provider")
    assert (record.status_code, record.outcome, record.streamed) == (200, "answered", True)
    assert record.ttft_us is not None


async def test_a_tool_is_called(proxy: Proxy):
    answer = await proxy.claude.messages.create(
        model=MODEL, max_tokens=100, messages=MESSAGES, tools=[WEATHER], tool_choice={"type": "any"}
    )
    assert answer.stop_reason == "tool_use"
    assert answer.content[0].to_dict() == {
        "type": "tool_use",
        "id": "toolu_01",
        "name": "weather",
        "input": {"city": "Graz"},
    }


async def test_a_tool_is_called_in_a_stream_and_thoughts_keep_their_signature(proxy: Proxy):
    async with proxy.claude.messages.stream(
        model=MODEL,
        max_tokens=4000,
        messages=MESSAGES,
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "weather"},
        thinking={"type": "enabled", "budget_tokens": 2000},
    ) as stream:
        final = await stream.get_final_message()
    thought, call = [block.to_dict() for block in final.content]
    assert (thought["thinking"], thought["signature"]) == ("".join(THOUGHTS), SIGNATURE)
    assert call["input"] == {"city": "Graz"}


async def test_what_was_read_from_and_written_to_the_cache_is_accounted_for_apart(proxy: Proxy):
    system: list[TextBlockParam] = [
        {"type": "text", "text": "Long instructions.", "cache_control": {"type": "ephemeral"}}
    ]
    await proxy.claude.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES, system=system)
    async with proxy.claude.messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES, system=system) as stream:
        assert (await stream.get_final_message()).usage.cache_read_input_tokens == 2000
    for record in await proxy.router.records(2):
        assert record.input_tokens == 12 + 300 + 2000
        assert (record.cached_input_tokens, record.cache_write_tokens, record.output_tokens) == (2000, 300, 9)
        assert record.token_source == "provider"


async def test_tokens_are_counted_for_nothing(proxy: Proxy):
    counted = await proxy.claude.messages.count_tokens(model=MODEL, messages=MESSAGES)
    assert counted.input_tokens == COUNTED
    record = await proxy.router.record()
    assert (record.operation, record.input_tokens, record.output_tokens) == ("count_tokens", 0, 0)
    assert (record.status_code, record.outcome) == (200, "answered")


@pytest.mark.parametrize(
    ("type_", "raised", "status"),
    [
        ("invalid_request_error", anthropic.BadRequestError, 400),
        ("authentication_error", anthropic.AuthenticationError, 401),
        ("not_found_error", anthropic.NotFoundError, 404),
        ("rate_limit_error", anthropic.RateLimitError, 429),
        ("overloaded_error", anthropic.InternalServerError, 529),
    ],
)
async def test_the_providers_errors_raise_the_clients_own_exceptions(
    proxy: Proxy, type_: str, raised: type[anthropic.APIStatusError], status: int
):
    proxy.upstream.always(claude.error(type_))
    with pytest.raises(raised) as caught:
        await proxy.claude.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES)
    assert caught.value.status_code == status
    assert caught.value.body == claude.error_body(type_)
    assert (await proxy.router.record()).status_code == status


async def test_the_routers_own_errors_raise_the_clients_own_exceptions(proxy: Proxy):
    with pytest.raises(anthropic.AuthenticationError) as wrong_key:
        await proxy.claude.with_options(api_key="sk_wrong").messages.create(
            model=MODEL, max_tokens=9, messages=MESSAGES
        )
    said = wrong_key.value.body
    assert isinstance(said, dict)
    assert said["type"] == "error"
    assert said["error"] == {"type": "authentication_error", "message": said["detail"]}
    with pytest.raises(anthropic.BadRequestError) as unknown:
        await proxy.claude.messages.create(model="nobody-has-it", max_tokens=9, messages=MESSAGES)
    assert "unknown model" in str(unknown.value)


async def test_an_error_within_a_stream_reaches_the_client_as_the_provider_said_it(proxy: Proxy):
    proxy.upstream.always(claude.stream(cut_after=4, last=claude.error_event()))
    texts: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        async with proxy.claude.messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES) as stream:
            texts += [text async for text in stream.text_stream]
    record = await proxy.router.record()
    assert (record.outcome, record.error_reason) == ("failed", "STREAM_INTERRUPTED")
    assert (record.input_tokens, record.token_source) == (12, "counted")  # as its beginning reported


async def test_a_stream_that_breaks_off_ends_with_an_error_event(proxy: Proxy):
    proxy.upstream.always(claude.stream(cut_after=4))
    with pytest.raises(anthropic.APIStatusError, match="ended before it was complete"):
        async with proxy.claude.messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES) as stream:
            await stream.get_final_message()
    assert (await proxy.router.record()).error_reason == "STREAM_INTERRUPTED"


async def test_a_client_that_goes_away_ends_the_providers_work_and_pays_for_what_came(proxy: Proxy):
    gate = Gate(passes=5)  # up to the first words
    proxy.upstream.always(claude.stream(gate=gate))
    async with proxy.claude.messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES) as stream:
        async for text in stream.text_stream:
            assert text == TEXTS[0]
            break
    await until(lambda: proxy.upstream.hang_ups == 1)
    record = await proxy.router.record()
    assert (record.status_code, record.outcome, record.input_tokens) == (499, "hung_up", 12)
    assert 1 <= record.output_tokens <= 3
    assert record.token_source == "counted"


async def test_headers_of_the_wire_go_on_and_no_others(proxy: Proxy):
    await proxy.claude.messages.create(
        model=MODEL,
        max_tokens=9,
        messages=MESSAGES,
        extra_headers={"anthropic-beta": "context-1m-2025-08-07,other", "X-Private": "mine"},
    )
    request = await proxy.upstream.received()
    assert request.headers["anthropic-version"] == proxy.claude.default_headers["anthropic-version"]
    assert request.headers["anthropic-beta"] == "context-1m-2025-08-07,other"
    assert request.headers["x-api-key"] == claude.KEY
    assert "x-private" not in request.headers
    assert "authorization" not in request.headers
    assert proxy.router.key not in str(request.headers)


async def test_without_a_version_of_the_callers_the_provider_gets_one(proxy: Proxy):
    body = {"model": MODEL, "max_tokens": 9, "messages": MESSAGES, "of_the_future": {"big": 12345678901234567890}}
    async with proxy.router.post("/v1/messages", body) as answer:
        assert answer.status == 200
        assert answer.headers["request-id"] == answer.headers["x-request-id"]
        assert answer.headers["x-llmrouter-provider"] == "claude"
        assert answer.headers["x-upstream-request-id"] == "req_of_the_provider"
        assert answer.headers["x-llmrouter-cost-usd"]
    request = await proxy.upstream.received()
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.json == body


@pytest.mark.parametrize("header", ["X-Virtual-Key", "X-API-Key", "Authorization"])
async def test_a_credential_counts_in_any_header(proxy: Proxy, header: str):
    value = f"Bearer {proxy.router.key}" if header == "Authorization" else proxy.router.key
    async with proxy.router.session.post(
        f"{proxy.router.site.url}/proxy/anthropic/v1/messages",
        json={"model": MODEL, "max_tokens": 9, "messages": MESSAGES},
        headers={header: value},
    ) as answer:
        assert answer.status == 200


async def test_models_of_every_wire_are_listed(proxy: Proxy):
    listed = [model.id async for model in proxy.claude.models.list()]
    assert listed == [MODEL, "echo", "echo-embedding", "gpt-test"]  # the last of another wire, for it is translated
    assert (await proxy.claude.models.retrieve("gpt-test")).id == "gpt-test"
    with pytest.raises(anthropic.NotFoundError):
        await proxy.claude.models.retrieve("nobody-has-it")


async def test_two_streams_at_once_do_not_mix(proxy: Proxy):
    async def ask() -> str:
        async with proxy.claude.messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES) as stream:
            return await stream.get_final_text()

    assert set(await asyncio.gather(*(ask() for _ in range(8)))) == {"".join(TEXTS)}
    assert {record.output_tokens for record in await proxy.router.records(8)} == {9}
