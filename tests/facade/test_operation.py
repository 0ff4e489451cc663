"""The table of operations against the documented endpoints."""

import pytest

from facade.app import OPERATION_TABLES
from facade.cores import rpc
from facade.operation import Operation
from facade.payload import Incoming, Payload
from facade.problem import STATUSES, Problem
from facade.route import Access
from facade.surface import Surface

ROWS = [(surface, row) for surface, rows in OPERATION_TABLES for row in rows]

# Method, path, who may call, status of success: as the surfaces' documents have them, and what was added to them.
DOCUMENTED = """
POST   /api/auth/login                      anyone 200
POST   /api/auth/logout                     user   200
GET    /api/account                         user   200
PUT    /api/account                         user   200
GET    /api/users                           admin  200
POST   /api/users                           admin  201
PUT    /api/users/{id}                      admin  200
DELETE /api/users/{id}                      admin  204
GET    /api/keys                            user   200
POST   /api/keys                            user   201
DELETE /api/keys/{id}                       user   204
GET    /api/admin/users/{id}/keys           admin  200
GET    /api/providers                       user   200
POST   /api/providers                       admin  201
GET    /api/providers/{id}                  admin  200
PUT    /api/providers/{id}                  admin  200
POST   /api/providers/{id}/refresh_models   admin  200
DELETE /api/providers/{id}                  admin  204
GET    /api/models                          user   200
GET    /api/stats/me                        user   200
GET    /api/admin/stats/user/{id}           admin  200
GET    /api/auth/me                         user   200
GET    /api/v1/models                       user   200
GET    /api/v1/models/{model...}            user   200
GET    /v1/models                           user   200
GET    /v1/models/{model...}                user   200
POST   /api/auth/token                      anyone 200
POST   /api/admin/virtual-keys              admin  201
GET    /api/admin/virtual-keys              user   200
GET    /api/admin/virtual-keys/{id}         user   200
PATCH  /api/admin/virtual-keys/{id}         admin  200
DELETE /api/admin/virtual-keys/{id}         admin  204
GET    /api/metrics/overview                user   200
GET    /proxy/openai/v1/models              user   200
GET    /proxy/openai/v1/models/{model...}   user   200
GET    /proxy/anthropic/v1/models           user   200
GET    /proxy/anthropic/v1/models/{model...} user  200
"""


def name_of(row: Operation) -> str:
    return f"{row.method} {row.path}"


def test_the_table_has_the_documented_operations_and_no_others():
    documented = [tuple(line.split()) for line in DOCUMENTED.strip().splitlines()]
    assert [(row.method, row.path, row.access.value, str(row.status)) for _, row in ROWS] == documented


@pytest.mark.parametrize(("surface", "row"), ROWS, ids=[name_of(row) for _, row in ROWS])
def test_each_row_is_sound(surface: Surface, row: Operation):
    assert row.path.startswith((surface.prefix, *surface.also))
    assert rpc(row.rpc).path.startswith("/llmrouter.v1.")
    if row.first is not None:
        assert rpc(row.first[0])
    assert (row.response is None) == (row.status == 204)
    assert (row.request is not None) <= (row.method in ("POST", "PUT", "PATCH"))
    assert set(row.failures) <= set(STATUSES)
    assert row.summary


@pytest.mark.parametrize(
    "row", [row for _, row in ROWS if row.request is None], ids=[name_of(row) for _, row in ROWS if row.request is None]
)
def test_a_row_without_a_body_decodes_to_its_rpcs_request(row: Operation):
    incoming = Incoming(params={"id": "7", "model": "a/b"})
    request = row.decode(incoming)
    assert type(request) is rpc(row.rpc).request
    if "{id}" in row.path:
        assert 7 in [value for _, value in request.ListFields()]


@pytest.mark.parametrize(
    "row", [row for _, row in ROWS if row.request], ids=[name_of(row) for _, row in ROWS if row.request]
)
def test_a_row_refuses_fields_of_the_wrong_type(row: Operation):
    assert row.request is not None
    for name in row.request["properties"]:
        others = {other: "admin" for other in row.request.get("required", ()) if other != name}
        with pytest.raises(Problem) as caught:
            row.decode(Incoming(Payload({**others, name: []}), {"id": "7"}))
        assert (caught.value.reason, caught.value.field_name) == ("INVALID_ARGUMENT", name)


@pytest.mark.parametrize(
    "row", [row for _, row in ROWS if row.request], ids=[name_of(row) for _, row in ROWS if row.request]
)
def test_a_row_refuses_a_body_without_what_it_needs(row: Operation):
    assert row.request is not None
    for name in row.request.get("required", ()):
        others = {other: "admin" for other in row.request["required"] if other != name}
        with pytest.raises(Problem) as caught:
            row.decode(Incoming(Payload(others), {"id": "7"}))
        assert caught.value.field_name == name


def test_only_what_everybody_may_call_has_no_probe_for_who_calls():
    assert {row.path for _, row in ROWS if row.access is Access.ANYONE} == {"/api/auth/login", "/api/auth/token"}


def test_a_name_that_is_no_rpc_is_a_mistake():
    with pytest.raises(KeyError):
        rpc("AccountService.Nothing")
