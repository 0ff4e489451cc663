"""The description of the API: valid, complete, and true of the running service.

schemathesis makes requests from the description and checks the answers against it, as an
administrator of a service of its own.
"""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from core.settings import Settings
from core.store.database import Database
from facade.app import SURFACES
from facade.openapi import describe
from facade.route import Doc, Route
from facade.surfaces.operations.health import health
from tests.support.clock import FakeClock
from tests.support.core import SECRET_KEY, build_deps, serve
from tests.support.database import on_sqlite
from tests.support.facade import Site, serve_facade

_all: Any = checks  # its types are not complete
_all.load_all_checks()
CHECKS: Any = _all.CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "allow_header_conformance",
    ]
)
# To each operation, of valid and of invalid data each.
EXAMPLES = 10
# Faults that are to be expected here: a provider that is not there can't be asked, and the core of
# these tests does not tell its health.
FAULTS = {("POST", "/api/providers/{id}/refresh_models"): 502, ("GET", "/ready"): 503}


@dataclass(frozen=True, slots=True)
class Service:
    """A service in a thread of its own, for tools that are not asynchronous."""

    url: str
    email: str  # of an administrator
    key: str  # of the same
    description: dict[str, Any]


@pytest.fixture(scope="module")
def service(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    shutil.copyfile(sqlite_template, directory / "test.db")
    started: Future[Service] = Future()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(_run(directory, started, stop),))
    thread.start()
    try:
        yield started.result(timeout=30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=30)
        loop.close()


async def _run(directory: Path, started: "Future[Service]", stop: asyncio.Event) -> None:
    database, clock = Database(f"sqlite+aiosqlite:///{directory / 'test.db'}"), FakeClock()
    deps = build_deps(database, Settings(data_dir=directory, secret_key=SECRET_KEY), clock)
    try:
        async with serve(deps, clock) as core, serve_facade(core) as site:
            admin = await core.admin()
            key, _ = await core.credential(admin.id, kind="virtual_key")
            description = (await site.client.get("/openapi.json")).json()
            started.set_result(Service(site.url, admin.email, key, description))
            await stop.wait()
    finally:
        await database.close()


def test_the_description_is_valid(service: Service):
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(service.description)] == []


@on_sqlite
async def test_every_route_is_described_and_nothing_else(site: Site):
    described = (await site.client.get("/openapi.json")).json()["paths"]
    served = {(route.method.lower(), route.path.replace("...}", "}")) for route in site.facade.routes}
    assert {(method, path) for path, methods in described.items() for method in methods} == served


@on_sqlite
async def test_operations_have_unique_ids_and_known_errors(site: Site):
    described = (await site.client.get("/openapi.json")).json()["paths"]
    operations = [operation for methods in described.values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all({"500", "503"} <= set(operation["responses"]) for operation in operations)


def test_two_routes_of_one_method_and_path_are_a_mistake(service: Service):
    doc = Doc(summary="", success={})
    route = Route(method="GET", path="/x", surface=SURFACES[0], handler=health, doc=doc)
    with pytest.raises(ValueError, match="GET /x"):
        describe((route, route), service.url, "1")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_the_service_does_what_its_description_says(service: Service, mode: GenerationMode, subtests: pytest.Subtests):
    schema: Any = schemathesis.openapi.from_dict(service.description)
    with requests.Session() as session:
        session.trust_env = False
        for found in schema.get_all_operations():
            operation = found.ok()
            with subtests.test(operation.label):
                conforms(operation, mode, service, session)


def conforms(operation: Any, mode: GenerationMode, service: Service, session: requests.Session) -> None:
    """Makes requests to an operation and checks the answers."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
    )
    @given(case=operation.as_strategy(mode))
    def run(case: Any) -> None:
        response = case.call(base_url=service.url, session=session, headers={"X-API-Key": service.key})
        expected = FAULTS.get((case.method, case.path))
        assert response.status_code < 500 or response.status_code == expected, response.text
        case.validate_response(response, checks=CHECKS)

    try:
        run()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # there is nothing to send that could be wrong
