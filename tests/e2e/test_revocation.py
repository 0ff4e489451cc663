"""A key that is deleted while its stream runs, in a running service."""

import asyncio
import json

import pytest

from tests.support.openai_upstream import Gate, OpenAIUpstream, stream
from tests.support.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]


async def test_a_deleted_key_ends_its_streams(service: Service, openai_upstream: OpenAIUpstream):
    openai_upstream.models = ["revoked"]
    openai_upstream.always(stream(["Hel", "lo"], gate=Gate(2)))
    provider = await service.add_provider(openai_upstream.base_url)
    async with service.client(cookies={"session": service.session}) as owner:
        key = (await owner.post("/api/keys", json={"name": "short-lived"})).raise_for_status().json()
        body = {"model": "revoked", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        async with (
            service.client(key["value"]) as client,
            client.stream("POST", "/v1/chat/completions", json=body) as answer,
        ):
            lines = answer.aiter_lines()
            assert (await anext(lines)).startswith("data:")
            (await owner.delete(f"/api/keys/{key['id']}")).raise_for_status()
            async with asyncio.timeout(5):
                said = [line async for line in lines if line]
    assert "revoked" in json.loads(said[-1][5:])["error"]["message"]
    records = await service.records_when(lambda found: any(one.model == "revoked" for one in found))
    (record,) = [one for one in records if one.model == "revoked"]
    assert (record.outcome, record.status_code, record.output_tokens) == ("failed", 401, 1)
    await service.remove_provider(provider["id"])
