"""RouterService: inference for gRPC clients, and the relay for the facade."""

from functools import partial
from typing import Any

import grpc.aio

from core.deps import Deps
from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING
from core.routing.passage import can_translate
from core.rpc import caller, grpc_relay
from core.rpc.chat_request import chat_body
from core.rpc.completion_response import chat_response, read_answer, text_response
from core.rpc.embedding import embed_response, embedding_body, read_embeddings
from core.rpc.inference import Inference, deliver
from core.rpc.objects import ObjectMethods
from core.rpc.relay import OPERATIONS
from core.rpc.responses import ResponseMethods
from core.rpc.stream_events import StreamEvents
from core.rpc.text_request import text_body
from core.rpc.typed_chat import typed_chat
from core.rpc.typed_events import ChatEvents
from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1 import router_pb2_grpc


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    router_pb2_grpc.add_RouterServiceServicer_to_server(RouterService(deps), server)
    return pb.DESCRIPTOR.services_by_name["RouterService"].full_name


class RouterService(ResponseMethods, ObjectMethods, router_pb2_grpc.RouterServiceServicer):
    """Runs inference."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self._inference = Inference(deps.pipeline, deps.settings.max_body)

    async def CompleteChat(self, request: pb.CompleteChatRequest, context: Any) -> pb.CompleteChatResponse:
        """Answers a chat completion in one message."""
        chat = request.chat
        typed = typed_chat(chat, stream=False)
        answer, found = await self._inference.answer(
            context,
            CHAT,
            chat.model,
            lambda: chat_body(chat, stream=False),
            lambda body: typed.answer or read_answer(body),
            typed,
        )
        return chat_response(caller.current().request_id, answer, found, typed, include_raw=request.include_raw_json)

    async def StreamChat(  # pyright: ignore[reportIncompatibleMethodOverride] - it writes by the context, as grpc.aio allows
        self, request: pb.StreamChatRequest, context: Any
    ) -> None:
        """Answers a chat completion as it is made."""
        chat = request.chat
        typed = typed_chat(chat, stream=True)
        reply = await self._inference.run(
            context,
            CHAT,
            chat.model,
            lambda: chat_body(chat, stream=True),
            lambda body: typed.answer or read_answer(body),
            typed,
        )
        await deliver(context, reply, ChatEvents(caller.current().request_id, reply.place, typed))

    async def CompleteText(self, request: pb.CompleteTextRequest, context: Any) -> pb.CompleteTextResponse:
        """Answers a text completion in one message."""
        text = request.text
        answer, found = await self._inference.answer(
            context, COMPLETION, text.model, lambda: text_body(text, stream=False), read_answer
        )
        return text_response(caller.current().request_id, answer, found, include_raw=request.include_raw_json)

    async def StreamText(  # pyright: ignore[reportIncompatibleMethodOverride] - it writes by the context, as grpc.aio allows
        self, request: pb.StreamTextRequest, context: Any
    ) -> None:
        """Answers a text completion as it is made."""
        text = request.text
        reply = await self._inference.run(
            context, COMPLETION, text.model, lambda: text_body(text, stream=True), read_answer
        )
        await deliver(context, reply, StreamEvents(pb.StreamTextResponse, caller.current().request_id, reply.place))

    async def Embed(self, request: pb.EmbedRequest, context: Any) -> pb.EmbedResponse:
        """Turns texts into vectors."""
        answer, found = await self._inference.answer(
            context, EMBEDDING, request.model, lambda: embedding_body(request), partial(read_embeddings, request)
        )
        return embed_response(caller.current().request_id, answer, found)

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
            able = [
                number
                for number, operation in OPERATIONS.items()
                if any(operation in p.upstream.operations or can_translate(p, operation) for p in places)
            ]
            models.append(
                pb.Model(
                    id=name, owned_by=targets[0].name, offers=offers, route=catalog.is_alias(name), operations=able
                )
            )
        return pb.ListModelsResponse(models=models)

    async def Relay(  # pyright: ignore[reportIncompatibleMethodOverride] - it writes by the context, as grpc.aio allows
        self, request_iterator: Any, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        """Carries many calls."""
        await grpc_relay.serve(self.deps, context)
