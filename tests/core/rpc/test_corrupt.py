"""Messages that are no protobuf."""

from typing import Any

import grpc
import grpc.aio
import pytest

from tests.support.core import Core

METHODS = [
    "/llmrouter.v1.AccountService/Login",
    "/llmrouter.v1.AdminService/CreateUser",
    "/llmrouter.v1.RouterService/CompleteChat",
]


@pytest.mark.parametrize("method", METHODS)
async def test_a_message_that_can_not_be_read_is_an_invalid_argument(core: Core, method: str):
    admin = await core.admin()
    channel: Any = core.channel
    call = channel.unary_unary(method)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff", metadata=admin.metadata)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the request is not a valid protobuf message"
    trailers: Any = caught.value.trailing_metadata()
    assert "grpc-status-details-bin" in dict(trailers)


async def test_so_is_one_of_a_relay_stream(core: Core):
    admin = await core.admin()
    channel: Any = core.channel
    call = channel.stream_stream("/llmrouter.v1.RouterService/Relay")(metadata=admin.metadata)
    await call.write(b"\xff\xff\xff")
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
