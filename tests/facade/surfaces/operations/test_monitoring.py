"""Metrics of all processes in one text."""

from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from llmrouter.v1 import admin_pb2
from tests.support.core import Core
from tests.support.database import on_sqlite
from tests.support.facade import Site, SiteFactory, serve_facade
from tests.support.stub_core import stub_core

pytestmark = on_sqlite


def up(text: str) -> dict[str, float]:
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {sample.labels["process"]: sample.value for sample in families["llmrouter_up"].samples}


async def test_metrics_are_the_facades_and_the_cores(site: Site):
    response = await site.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert up(response.text) == {"facade-0": 1, "core-0": 1}
    assert 'process_resident_memory_bytes{process="facade-0"}' in response.text


async def test_each_family_is_there_once_and_each_sample_has_its_process(site: Site):
    families = list(text_string_to_metric_families((await site.client.get("/metrics")).text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all("process" in sample.labels for family in families for sample in family.samples)


async def test_the_core_is_asked_in_the_facades_own_name(site_factory: SiteFactory):
    seen: list[dict[str, Any]] = []

    async def metrics(_: Any, context: Any) -> admin_pb2.GetMetricsResponse:
        seen.append(dict(context.invocation_metadata()))
        return admin_pb2.GetMetricsResponse(text="# TYPE llmrouter_x gauge\nllmrouter_x 1\n")

    async with (
        stub_core({"AdminService.GetMetrics": metrics}) as target,
        site_factory(core_targets=(target, "127.0.0.1:1")) as site,
    ):
        text = (await site.client.get("/metrics", headers={"Authorization": "Bearer somebody"})).text
        assert 'llmrouter_x{process="core-0"} 1.0' in text
        assert up(text) == {"facade-0": 1, "core-0": 1, "core-1": 0}
        assert seen[0]["x-llmrouter-internal"] == site.core.internal_token
        assert "authorization" not in seen[0]


async def test_siblings_tell_each_other(core: Core, tmp_path: Path):
    sockets = [str(tmp_path / f"facade-{worker}.sock") for worker in range(3)]
    (tmp_path / "facade-1.sock").touch()  # left by a process that was killed
    async with (
        serve_facade(core, worker=0, admin_socket=sockets[0], sibling_sockets=tuple(sockets[1:])) as first,
        serve_facade(core, worker=1, admin_socket=sockets[1], sibling_sockets=(sockets[0],)) as second,
    ):
        await second.client.get("/v1/nothing")
        text = (await first.client.get("/metrics")).text
        assert up(text) == {"facade-0": 1, "core-0": 1, "facade-1": 1, "facade-2": 0}
        assert 'llmrouter_http_requests_total{process="facade-1",status="4xx",surface="gateway"} 1.0' in text
    assert not Path(sockets[0]).exists()
