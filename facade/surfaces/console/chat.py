"""POST /api/chat: a chat completion for the console, never streamed."""

from facade.endpoint import Inference
from facade.route import JSON, Doc, Route
from facade.schema import ANY_OBJECT, obj, text
from facade.surfaces.console.surface import CONSOLE
from llmrouter.v1 import router_pb2 as pb


def routes(inference: Inference) -> tuple[Route, ...]:
    """The console's routes of inference."""
    return (
        Route(
            method="POST",
            path="/api/chat",
            surface=CONSOLE,
            handler=inference.handler(CONSOLE, pb.OPERATION_CHAT_COMPLETION, never_stream=True),
            doc=Doc(
                summary="A chat completion",
                description="Body and answer are those of OpenAI's chat completions; `stream` is taken as false.",
                request=obj(model=text(1)),
                success={200: {JSON: ANY_OBJECT}},
                errors=(400, 429, 502),
            ),
        ),
    )
