"""Blocks in which an RPC must fail.

with refused("NOT_FOUND"):
    await core.usage.GetStats(…)
"""

from collections.abc import Generator
from contextlib import contextmanager

import grpc.aio
import pytest

from tests.support.failures import failure_of


@contextmanager
def refused(reason: str, field: str = "", *, says: str = "") -> Generator[None]:
    """Fails unless an RPC within fails for this reason, about this field, with `says` in its message."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    failure = failure_of(caught.value)
    assert (failure.reason, failure.field) == (reason, field), failure.message
    assert says in failure.message
