"""AdminService.GetMetrics."""

import asyncio
from typing import Any

from core.deps import Deps
from core.metrics import Metrics
from llmrouter.v1 import admin_pb2


class MetricsMethods:
    """The part of AdminService that tells this process's metrics."""

    deps: Deps

    async def GetMetrics(self, request: admin_pb2.GetMetricsRequest, context: Any) -> admin_pb2.GetMetricsResponse:
        return admin_pb2.GetMetricsResponse(text=await asyncio.to_thread(_text, self.deps.metrics))


def _text(metrics: Metrics) -> str:
    from core.exposition import expose  # in the thread, because its first import takes a while

    return expose(metrics)
