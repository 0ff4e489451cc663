"""RouterService: inference for gRPC clients, and the relay for the facade."""

from typing import Any

import grpc.aio

from core.deps import Deps
from core.rpc.relay import RelayStream
from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1 import router_pb2_grpc


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    router_pb2_grpc.add_RouterServiceServicer_to_server(RouterService(deps), server)
    return pb.DESCRIPTOR.services_by_name["RouterService"].full_name


class RouterService(router_pb2_grpc.RouterServiceServicer):
    """Runs inference."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        """The models that can be called now."""
        catalog = self.deps.catalog
        models: list[pb.Model] = []
        for name, places in sorted(catalog.models().items()):
            targets = [place.upstream.target for place in places]
            offers = [
                pb.ModelOffer(provider_id=target.id, provider_name=target.name, name=place.model)
                for place, target in zip(places, targets, strict=True)
            ]
            models.append(pb.Model(id=name, owned_by=targets[0].name, offers=offers, route=catalog.is_alias(name)))
        return pb.ListModelsResponse(models=models)

    async def Relay(  # pyright: ignore[reportIncompatibleMethodOverride] - it writes by the context, as grpc.aio allows
        self, request_iterator: Any, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        """Carries many calls."""
        deps = self.deps
        await RelayStream(deps.pipeline, deps.authenticator, deps.new_id, context).run()
