"""The routes of OpenAI's inference endpoints, for the surfaces that mount them."""

from dataclasses import replace

from facade import media_routes, openai_errors
from facade.endpoint import Inference
from facade.route import EVENT_STREAM, JSON, Doc, Route
from facade.schema import BOOLEAN, INTEGER, NUMBER, STRING, array, obj
from facade.surface import Schema, Surface
from llmrouter.v1 import router_pb2 as pb

_USAGE = obj(prompt_tokens=INTEGER, total_tokens=INTEGER)
_RESPONSE_USAGE = obj(input_tokens=INTEGER, output_tokens=INTEGER)
_INPUT: Schema = {"type": ["string", "array"]}
_MESSAGE: Schema = {"type": "object", "required": ["role"], "properties": {"role": STRING}}
_SAMPLING: dict[str, Schema] = {"stream": BOOLEAN, "max_tokens": INTEGER, "temperature": NUMBER}
_EVENTS: Schema = {"type": "string", "description": "Server-sent events; `data: [DONE]` ends a complete stream."}

# (path, operation, what it is, request, answer, whether it streams)
_ENDPOINTS: tuple[tuple[str, pb.Operation, str, Schema, Schema, bool], ...] = (
    (
        "/chat/completions",
        pb.OPERATION_CHAT_COMPLETION,
        "A chat completion",
        obj(_SAMPLING, model=STRING, messages=array(_MESSAGE)),
        obj({"usage": _USAGE}, id=STRING, choices=array({"type": "object"})),
        True,
    ),
    (
        "/completions",
        pb.OPERATION_COMPLETION,
        "A text completion",
        obj(_SAMPLING, model=STRING, prompt={"type": ["string", "array"]}),
        obj({"usage": _USAGE}, id=STRING, choices=array({"type": "object"})),
        True,
    ),
    (
        "/embeddings",
        pb.OPERATION_EMBEDDING,
        "Embeddings",
        obj({"encoding_format": STRING, "dimensions": INTEGER}, model=STRING, input={"type": ["string", "array"]}),
        obj({"usage": _USAGE}, data=array({"type": "object"})),
        False,
    ),
    (
        "/responses",
        pb.OPERATION_RESPONSE,
        "A response",
        obj({"stream": BOOLEAN, "temperature": NUMBER, "store": BOOLEAN}, model=STRING, input=_INPUT),
        obj({"usage": _RESPONSE_USAGE}, id=STRING, status=STRING, output=array({"type": "object"})),
        True,
    ),
)

_DESCRIPTION = (
    "The body is that of OpenAI's endpoint and goes to the provider as it came, fields that are not named here "
    "included; so does the provider's answer, its errors included."
)


def routes(inference: Inference, surface: Surface, prefix: str) -> tuple[Route, ...]:
    """The endpoints under a prefix such as "/v1"."""
    conversations = tuple(
        Route(
            method="POST",
            path=prefix + path,
            surface=surface,
            handler=inference.handler(_in_its_words(surface, operation), operation),
            quiet=True,  # each has its usage record
            doc=Doc(
                summary=summary,
                description=_DESCRIPTION,
                request=request,
                success={200: {JSON: answer} | ({EVENT_STREAM: _EVENTS} if streams else {})},
                errors=(400, 404, 429, 502, 503, 504),
            ),
        )
        for path, operation, summary, request, answer, streams in _ENDPOINTS
    )
    return conversations + media_routes.routes(inference, surface, prefix)


def _in_its_words(surface: Surface, operation: pb.Operation) -> Surface:
    """The surface as it is for an operation: the Responses API has an event of its own for what ends a stream."""
    if operation != pb.OPERATION_RESPONSE:
        return surface
    return replace(surface, error_event="error", render_event=openai_errors.render_response_event)
