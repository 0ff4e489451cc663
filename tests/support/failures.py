"""What a failed RPC told, taken apart."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True, slots=True)
class Failure:
    """A gRPC status with its details."""

    code: grpc.StatusCode
    reason: str  # "" where there is no google.rpc.ErrorInfo
    message: str
    domain: str
    metadata: dict[str, str]
    field: str  # of the first violation in google.rpc.BadRequest
    retry_after: float | None  # seconds


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """Takes an error apart."""
    trailers = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    packed = [value for key, value in trailers if key == "grpc-status-details-bin" and isinstance(value, bytes)]
    status = status_pb2.Status.FromString(b"".join(packed))
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    delayed = False
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        delayed = detail.Unpack(retry) or delayed
    return Failure(
        code=error.code(),
        reason=info.reason,
        message=error.details() or "",
        domain=info.domain,
        metadata=dict(info.metadata),
        field=bad.field_violations[0].field if bad.field_violations else "",
        retry_after=retry.retry_delay.ToMilliseconds() / 1000 if delayed else None,
    )


async def failure(call: Awaitable[Any]) -> Failure:
    """Waits for an RPC that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return failure_of(caught.value)
