"""RPCs that are to fail.

with refused("NOT_FOUND"):
    await core.usage.GetStats(…)
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2


@contextmanager
def refused(reason: str, field: str = "", *, says: str = "") -> Generator[None]:
    """Fails unless the RPC within fails for this reason, about this field, with `says` in its message."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    error = caught.value
    found, fields = _details(error)
    assert (found, fields) == (reason, [field] if field else []), error.details()
    assert says in (error.details() or "")


def _details(error: grpc.aio.AioRpcError) -> tuple[str, list[str]]:
    """The reason and the fields that an error names."""
    status, info, bad = status_pb2.Status(), error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    trailers: Any = error.trailing_metadata()
    for key, value in trailers:
        if key == "grpc-status-details-bin":
            status.ParseFromString(value)
    for detail in status.details:
        _ = detail.Unpack(info) or detail.Unpack(bad)
    return info.reason, [violation.field for violation in bad.field_violations]
