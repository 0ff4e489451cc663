"""What the official clients make of a limit that is reached."""

import anthropic
import openai
import pytest

from llmrouter.v1 import admin_pb2
from tests.facade.surfaces.proxy.conftest import Proxy
from tests.support.anthropic_upstream import MODEL
from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL as GPT
from tests.support.openai_upstream import chat

pytestmark = on_sqlite


@pytest.fixture(autouse=True)
async def once_a_minute(proxy: Proxy) -> None:
    inference = proxy.router.inference
    request = admin_pb2.CreateLimitRequest(scope=admin_pb2.LIMIT_SCOPE_USER, scope_id="*", requests_per_minute=1)
    await inference.core.administration.CreateLimit(request, metadata=inference.metadata)


async def test_anthropics_client_is_told_in_its_own_words(proxy: Proxy):
    raw = proxy.claude.messages.with_raw_response
    answer = await raw.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "1"
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert answer.headers["anthropic-ratelimit-requests-reset"] == "2026-01-02T03:05:06Z"
    assert answer.headers["x-ratelimit-limit-requests"] == "1"
    with pytest.raises(anthropic.RateLimitError) as caught:
        await raw.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.response.headers["retry-after"] == "61"
    assert caught.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert "1 requests per minute" in caught.value.message


async def test_openais_client_is_told_in_its_own_words(proxy: Proxy):
    proxy.router.upstream.always(chat("Hello."))
    await proxy.gpt.chat.completions.create(model=GPT, messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(openai.RateLimitError) as caught:
        await proxy.gpt.chat.completions.create(model=GPT, messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.response.headers["retry-after"] == "61"
    assert caught.value.response.headers["x-ratelimit-reset-requests"] == "1m1s"
    assert "anthropic-ratelimit-requests-limit" not in caught.value.response.headers
