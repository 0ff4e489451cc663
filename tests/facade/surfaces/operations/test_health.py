"""Health, readiness and version."""

import asyncio
import re
import time
from typing import Any

import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.support.database import on_sqlite
from tests.support.facade import Site, SiteFactory
from tests.support.router import until
from tests.support.stub_core import stub_core

pytestmark = on_sqlite

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ALL_OK = {"core": "ok", "database": "ok", "journal": "ok", "relay": "ok"}
NOBODY_THERE = "127.0.0.1:1"


class Hanging(health_pb2_grpc.HealthServicer):
    """Takes the question and never answers."""

    async def Check(self, request: Any, context: Any) -> Any:
        await asyncio.Event().wait()

    async def Watch(self, request: Any, context: Any) -> Any:
        await asyncio.Event().wait()


def new_servicer() -> Any:
    library: Any = health  # its stubs don't know its asyncio half
    return library.aio.HealthServicer()


async def healthy(**states: int) -> Any:
    servicer = new_servicer()
    for service, state in ({"": SERVING, "database": SERVING, "journal": SERVING} | states).items():
        await servicer.set(service, state)
    return servicer


@pytest.mark.parametrize("path", ["/health", "/healthz"])
async def test_a_living_process_is_healthy(site: Site, path: str):
    response = await site.client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "healthy"})


async def test_it_is_ready_where_the_core_has_all_it_needs(site_factory: SiteFactory):
    async with stub_core({}, await healthy(), relays=True) as target, site_factory(core_targets=(target,)) as site:
        await until(lambda: site.facade.relay.ready)
        response = await site.client.get("/ready")
        assert (response.status_code, response.json()) == (200, {"status": "ready", "dependencies": ALL_OK})


async def test_it_is_not_ready_while_inference_finds_no_way_to_the_core(site_factory: SiteFactory):
    async with stub_core({}, await healthy()) as target, site_factory(core_targets=(target,)) as site:
        response = await site.client.get("/ready")
        assert response.status_code == 503
        assert response.json() == {"status": "not ready", "dependencies": ALL_OK | {"relay": "down"}}


@pytest.mark.parametrize("dependency", ["database", "journal"])
async def test_it_is_not_ready_without_a_dependency_and_says_which(site_factory: SiteFactory, dependency: str):
    servicer = await healthy(**{dependency: NOT_SERVING})
    async with stub_core({}, servicer, relays=True) as target, site_factory(core_targets=(target,)) as site:
        await until(lambda: site.facade.relay.ready)
        response = await site.client.get("/ready")
        assert response.status_code == 503
        assert response.json() == {"status": "not ready", "dependencies": ALL_OK | {dependency: "down"}}


async def test_a_dependency_of_which_the_core_does_not_tell_is_not_taken_for_well(site_factory: SiteFactory):
    servicer = new_servicer()
    await servicer.set("", SERVING)
    async with stub_core({}, servicer, relays=True) as target, site_factory(core_targets=(target,)) as site:
        await until(lambda: site.facade.relay.ready)
        response = await site.client.get("/ready")
        unknown = ALL_OK | {"database": "unknown", "journal": "unknown"}
        assert (response.status_code, response.json()["dependencies"]) == (503, unknown)


async def test_a_core_that_is_down_is_reported_soon(site_factory: SiteFactory):
    async with site_factory(core_targets=(NOBODY_THERE,)) as site:
        started = time.monotonic()
        response = await site.client.get("/ready")
        assert time.monotonic() - started < 2
        assert (response.status_code, response.json()["dependencies"]["core"]) == (503, "down")
        assert (await site.client.get("/health")).status_code == 200


async def test_a_core_that_hangs_is_reported_soon(site_factory: SiteFactory):
    async with stub_core({}, Hanging()) as target, site_factory(core_targets=(target,)) as site:
        started = time.monotonic()
        response = await site.client.get("/ready")
        assert time.monotonic() - started < 2
        assert (response.status_code, response.json()["dependencies"]["core"]) == (503, "down")


async def test_one_core_of_several_is_enough(site_factory: SiteFactory):
    async with (
        stub_core({}, await healthy(), relays=True) as target,
        site_factory(core_targets=(NOBODY_THERE, target)) as site,
    ):
        await until(lambda: site.facade.relay.ready)
        response = await site.client.get("/ready")
        body = response.json()
        assert (response.status_code, body["dependencies"]) == (200, ALL_OK)
        assert (body["cores"]["core-0"]["core"], body["cores"]["core-1"]) == ("down", ALL_OK)


async def test_the_version_is_the_packages(site: Site):
    body = (await site.client.get("/version")).json()
    assert body["name"] == "llmrouter"
    assert re.fullmatch(r"\d+\.\d+.*|unknown", body["version"])
