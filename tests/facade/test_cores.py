"""Calls to the cores: all pages of a list, and another core where one does not answer."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from facade.cores import Cores, rpc
from facade.problem import Problem
from llmrouter.v1 import account_pb2, admin_pb2
from tests.support.stub_core import stub_core

NOBODY_THERE = "127.0.0.1:1"
LIST_USERS = rpc("AdminService.ListUsers")
CREATE_USER = rpc("AdminService.CreateUser")


class Users:
    """Five users, two to a page; remembers how it was called."""

    def __init__(self, error: grpc.StatusCode | None = None) -> None:
        self.metadata: list[dict[str, Any]] = []
        self._error = error

    def serve(self, target: str = "") -> AbstractAsyncContextManager[str]:
        methods = {"AdminService.ListUsers": self.list, "AdminService.CreateUser": self.create}
        return stub_core(methods, target=target)

    async def list(self, request: admin_pb2.ListUsersRequest, context: Any) -> admin_pb2.ListUsersResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        if self._error is not None:
            await context.abort(self._error, "for the test")
        start = int(request.page_token or 0)
        ids = range(1, 6)[start : start + 2]
        return admin_pb2.ListUsersResponse(
            users=[account_pb2.User(id=number) for number in ids],
            next_page_token=str(start + 2) if start + 2 < 5 else "",
        )

    async def create(self, request: admin_pb2.CreateUserRequest, context: Any) -> admin_pb2.CreateUserResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        await asyncio.Event().wait()
        raise AssertionError


@asynccontextmanager
async def cores_at(*targets: str, patience: float = 5.0) -> AsyncGenerator[Cores]:
    cores = Cores(targets, "the token", patience=patience)
    try:
        yield cores
    finally:
        await cores.close()


async def ids_of(cores: Cores, metadata: Sequence[tuple[str, str]] = ()) -> list[int]:
    reply = await cores.call(LIST_USERS, admin_pb2.ListUsersRequest(), metadata, 5)
    return [user.id for user in reply.users]


async def test_a_list_is_all_its_pages():
    users = Users()
    async with users.serve() as target, cores_at(target) as cores:
        request = admin_pb2.ListUsersRequest()
        reply = await cores.call(LIST_USERS, request, (), 5)
        assert [user.id for user in reply.users] == [1, 2, 3, 4, 5]
        assert (reply.next_page_token, request.page_token) == ("", "")
        assert len(users.metadata) == 3


async def test_each_call_proves_that_this_is_the_facade():
    users = Users()
    async with users.serve() as target, cores_at(target) as cores:
        await ids_of(cores, [("x-request-id", "req_1")])
    assert users.metadata[0]["x-llmrouter-internal"] == "the token"
    assert users.metadata[0]["x-request-id"] == "req_1"


async def test_a_read_goes_to_another_core_where_the_first_does_not_answer():
    async with Users().serve() as target, cores_at(NOBODY_THERE, target, NOBODY_THERE) as cores:
        await cores.channels[1].channel_ready()
        for _ in range(6):
            assert await ids_of(cores) == [1, 2, 3, 4, 5]


async def test_calls_take_turns_among_the_cores_that_are_ready():
    one, other = Users(), Users()
    async with one.serve() as first, other.serve() as second, cores_at(first, second) as cores:
        for channel in cores.channels:
            await channel.channel_ready()
        for _ in range(4):
            await cores.call_on(0, LIST_USERS, admin_pb2.ListUsersRequest(page_token="4"), (), 5)
            await cores.call(LIST_USERS, admin_pb2.ListUsersRequest(page_token="4"), (), 5)
    assert (len(one.metadata), len(other.metadata)) == (6, 2)


async def test_a_core_that_breaks_off_a_read_is_replaced_once():
    broken = Users(grpc.StatusCode.UNAVAILABLE)
    async with broken.serve() as first, Users().serve() as second, cores_at(first, second) as cores:
        for _ in range(4):
            assert await ids_of(cores) == [1, 2, 3, 4, 5]
    assert broken.metadata


async def test_a_write_is_never_tried_twice():
    async with cores_at(NOBODY_THERE, NOBODY_THERE, patience=0.1) as cores:
        with pytest.raises(Problem) as caught:
            await cores.call(CREATE_USER, admin_pb2.CreateUserRequest(), (), 5)
    assert caught.value.reason == "UNAVAILABLE"


async def test_a_call_waits_for_a_core_that_is_just_starting(tmp_path: Path):
    target = f"unix:{tmp_path / 'core.sock'}"
    async with cores_at(target) as cores:
        await cores.channels[0].wait_for_state_change(cores.channels[0].get_state(try_to_connect=True))
        asking = asyncio.ensure_future(ids_of(cores))  # there is nobody yet
        async with Users().serve(target):
            assert await asking == [1, 2, 3, 4, 5]


async def test_another_failure_than_unavailability_is_final():
    broken, other = Users(grpc.StatusCode.INTERNAL), Users(grpc.StatusCode.INTERNAL)
    async with broken.serve() as first, other.serve() as second, cores_at(first, second) as cores:
        with pytest.raises(Problem) as caught:
            await ids_of(cores)
    assert caught.value.http_status == 500
    assert len(broken.metadata) + len(other.metadata) == 1


async def test_a_call_that_takes_too_long_is_given_up():
    users = Users()
    async with users.serve() as target, cores_at(target) as cores:
        with pytest.raises(Problem) as caught:
            await cores.call(CREATE_USER, admin_pb2.CreateUserRequest(), (), 0.2)
    assert caught.value.http_status == 504


async def test_a_core_keeps_its_name_wherever_it_stands_in_the_list():
    async with cores_at("unix:/run/core-1.sock", "unix:/run/core-0.sock") as cores:
        assert cores.names == ["core-1", "core-0"]
    async with cores_at("10.0.0.1:50051", "core-7.example:50051") as cores:
        assert cores.names == ["core-0", "core-1"]


async def test_no_core_at_all_is_reported_without_saying_where_it_should_be():
    async with cores_at(NOBODY_THERE, patience=0.1) as cores:
        with pytest.raises(Problem) as caught:
            await ids_of(cores)
    assert caught.value.http_status == 503
    assert "127.0.0.1" not in caught.value.message
