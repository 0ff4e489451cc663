"""Usage of the whole service: a request is seen by who watches, and in the overview, as soon as it is stored."""

import asyncio

import pytest

from llmrouter.v1 import usage_pb2, usage_pb2_grpc
from tests.support.core import open_channel
from tests.support.service import Service

pytestmark = pytest.mark.e2e

PATIENCE = 30.0


async def test_a_request_is_seen_at_once_by_all_who_ask(service: Service):
    async with open_channel(service.grpc_target) as channel, service.client(service.key) as client:
        stub: usage_pb2_grpc.UsageServiceAsyncStub = usage_pb2_grpc.UsageServiceStub(channel)
        bearer = (("authorization", f"Bearer {service.key}"),)
        watching = stub.WatchUsage(usage_pb2.WatchUsageRequest(model="echo"), metadata=bearer)
        answers = aiter(watching)
        begin = await anext(answers)
        before = await stub.GetOverview(usage_pb2.GetOverviewRequest(), metadata=bearer)
        body = {"model": "echo", "messages": [{"role": "user", "content": "Who sees me?"}]}
        answer = await client.post("/v1/chat/completions", json=body)
        async with asyncio.timeout(PATIENCE):
            seen = await anext(answers)
        watching.cancel()
        (record,) = seen.records
        assert record.request_id == answer.headers["x-request-id"]
        assert record.id > begin.position
        after = await stub.GetOverview(usage_pb2.GetOverviewRequest(), metadata=bearer)
        assert after.requests == before.requests + 1
    async with service.client(cookies={"session": service.session}) as person:
        events = await person.get("/api/admin/usage-events", params={"limit": 1})
        assert events.json()[0]["request_id"] == record.request_id
        overview = await person.get("/api/metrics/overview")
        assert overview.json()["cost"]["total_requests"] == after.requests
