"""`llmrouter serve` with two core and two facade processes: to a client it is one service."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.store.usage import Selection
from tests.support.openai_upstream import MODEL, OpenAIUpstream
from tests.support.service import ADMIN_EMAIL, ADMIN_PASSWORD, Service, launch

if TYPE_CHECKING:
    from tests.support.database import Postgres

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

ENVIRON = {
    "LLMROUTER_CORE_WORKERS": "2",
    "LLMROUTER_FACADE_WORKERS": "2",
    "LLMROUTER_ECHO_TOKENS_PER_SECOND": "0",
}
CORES, FACADES = {"core-0", "core-1"}, {"facade-0", "facade-1"}
REQUESTS = "llmrouter_requests_total"
AT_ONCE = 16
ROUNDS = 20  # until all processes have been met, at most
SOON = 1.0  # seconds until all processes know what one of them was told


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def workers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on each kind of database."""
    with ExitStack() as ending:
        url = ""
        if request.param == "postgres":
            server: Postgres = request.getfixturevalue("postgres")
            url = server.create()
            ending.callback(server.drop, url)
        folder = tmp_path_factory.mktemp("workers")
        yield launch(folder, ending, supervised=True, database_url=url, environ=ENVIRON)


async def ask(service: Service, key: str, model: str = "echo", times: int = AT_ONCE) -> list[tuple[float, int]]:
    """Asks at once, over a connection each; when each was asked (monotonic), and its answer's status."""

    async def one(client: httpx.AsyncClient) -> tuple[float, int]:
        body = {"model": model, "messages": [{"role": "user", "content": "one two three"}]}
        asked_at = time.monotonic()
        response = await client.post("/v1/chat/completions", json=body, headers={"Connection": "close"})
        return asked_at, response.status_code

    async with service.client(key) as client:
        return await asyncio.gather(*(one(client) for _ in range(times)))


async def counts(service: Service, name: str, **labels: str) -> "Counter[str]":
    """A metric by process: the sum of its samples that have these labels."""
    async with service.client() as client:
        text = (await client.get("/metrics")).text
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                found[sample.labels["process"]] += int(sample.value)
    return found


async def meet_all(service: Service, key: str) -> int:
    """Asks with a key until each core has answered it; how many requests that took."""
    before = await counts(service, REQUESTS)
    for asked in range(AT_ONCE, (ROUNDS + 1) * AT_ONCE, AT_ONCE):
        assert {status for _, status in await ask(service, key)} == {200}
        if (await counts(service, REQUESTS) - before).keys() == CORES:
            return asked
    raise AssertionError("one core was never asked")


async def make(service: Service, path: str, body: Any) -> Any:
    async with service.client(cookies={"session": service.session}) as client:
        return (await client.post(path, json=body)).raise_for_status().json()


async def stats(service: Service) -> "Counter[str]":
    """The administrator's sums."""
    async with service.client(cookies={"session": service.session}) as client:
        return Counter((await client.get("/api/stats/me")).json())


async def test_requests_spread_and_all_of_them_are_accounted_for(workers: Service):
    made = await make(workers, "/api/keys", {"name": "spread"})
    http = {"name": "llmrouter_http_requests_total", "surface": "gateway", "status": "2xx"}
    sums, by_core, by_facade = await stats(workers), await counts(workers, REQUESTS), await counts(workers, **http)
    asked = await meet_all(workers, made["value"])

    assert await counts(workers, "llmrouter_up") == dict.fromkeys(CORES | FACADES, 1)
    assert (await counts(workers, REQUESTS) - by_core).total() == asked
    by_facade = await counts(workers, **http) - by_facade
    assert (by_facade.keys(), by_facade.total()) == (FACADES, asked)

    mine = Selection(credential_id=made["id"])
    records = await workers.records_when(lambda found: len(found) >= asked, mine)
    assert len({record.request_id for record in records}) == len(records) == asked
    assert {record.status_code for record in records} == {200}
    more = await stats(workers) - sums
    assert (more["requests"], more["messages"]) == (asked, asked)
    assert more["tokens_in"] == sum(record.input_tokens for record in records) > 0


async def test_a_key_that_is_deleted_over_one_process_is_refused_by_all(workers: Service):
    made = await make(workers, "/api/keys", {"name": "short-lived"})
    await meet_all(workers, made["value"])
    async with workers.client(cookies={"session": workers.session}) as client:
        (await client.delete(f"/api/keys/{made['id']}")).raise_for_status()
    deleted_at = time.monotonic()
    latest, seen = 0.0, set[int]()
    while not (seen == {401} and time.monotonic() > deleted_at + SOON):
        answers = await ask(workers, made["value"])
        seen = {status for _, status in answers}
        assert seen <= {200, 401}
        latest = max([latest, *(asked_at - deleted_at for asked_at, status in answers if status == 200)])
        assert time.monotonic() < deleted_at + 20 * SOON, "it is never refused by all"
    assert latest < SOON
    refusals = await counts(workers, "llmrouter_http_requests_total", surface="gateway", status="4xx")
    assert refusals.keys() == FACADES


async def test_a_session_of_one_process_counts_at_all_until_it_ends(workers: Service):
    login = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    async with workers.client() as client:
        (await client.post("/api/auth/login", json=login)).raise_for_status()
        session = client.cookies["session"]

    async def visit() -> set[int]:
        headers = {"Cookie": f"session={session}", "Connection": "close"}
        async with workers.client() as client:
            answers = await asyncio.gather(*(client.get("/api/auth/me", headers=headers) for _ in range(AT_ONCE)))
        return {answer.status_code for answer in answers}

    assert await visit() == {200}
    async with workers.client(cookies={"session": session}) as client:
        (await client.post("/api/auth/logout")).raise_for_status()
    ended_at = time.monotonic()
    while time.monotonic() < ended_at + SOON:
        await visit()
    assert await visit() == {401}


async def test_a_provider_that_is_added_over_one_process_is_known_to_all(
    workers: Service, openai_upstream: OpenAIUpstream
):
    provider = await workers.add_provider(openai_upstream.base_url, name="added")
    added_at = time.monotonic()
    latest, seen = 0.0, set[int]()
    while not (seen == {200} and time.monotonic() > added_at + SOON):
        answers = await ask(workers, workers.key, MODEL)
        seen = {status for _, status in answers}
        assert seen <= {200, 400}
        latest = max([latest, *(asked_at - added_at for asked_at, status in answers if status == 400)])
        assert time.monotonic() < added_at + 20 * SOON, "it is never known to all"
    assert latest < SOON
    await workers.remove_provider(provider["id"])
