"""The routes of Anthropic's inference endpoints, for the surfaces that mount them."""

from facade.endpoint import Inference
from facade.route import EVENT_STREAM, JSON, Doc, Route
from facade.schema import BOOLEAN, INTEGER, NUMBER, STRING, array, obj
from facade.surface import Schema, Surface
from llmrouter.v1 import router_pb2 as pb

_MESSAGE: Schema = {"type": "object", "required": ["role", "content"], "properties": {"role": STRING}}
_MESSAGES = array(_MESSAGE)
_USAGE = obj(input_tokens=INTEGER, output_tokens=INTEGER)
_EVENTS: Schema = {"type": "string", "description": "Server-sent events; `message_stop` ends a complete stream."}

# What goes on to the provider beside the body.
_HEADERS = ("anthropic-version", "anthropic-beta")

# (path, operation, what it is, request, answer, whether it streams)
_ENDPOINTS: tuple[tuple[str, pb.Operation, str, Schema, Schema, bool], ...] = (
    (
        "/messages",
        pb.OPERATION_MESSAGES,
        "A message",
        obj({"stream": BOOLEAN, "temperature": NUMBER}, model=STRING, max_tokens=INTEGER, messages=_MESSAGES),
        obj({"stop_reason": STRING}, id=STRING, content=array({"type": "object"}), usage=_USAGE),
        True,
    ),
    (
        "/messages/count_tokens",
        pb.OPERATION_COUNT_TOKENS,
        "The tokens of a prompt",
        obj(model=STRING, messages=_MESSAGES),
        obj(input_tokens=INTEGER),
        False,
    ),
)

_DESCRIPTION = (
    "The body is that of Anthropic's endpoint and goes to the provider as it came, fields that are not named here "
    "included, and so do the headers `anthropic-version` and `anthropic-beta`; the provider's answer comes back as "
    "it is, its errors included."
)


def routes(inference: Inference, surface: Surface, prefix: str) -> tuple[Route, ...]:
    """The endpoints under a prefix such as "/v1"."""
    return tuple(
        Route(
            method="POST",
            path=prefix + path,
            surface=surface,
            handler=inference.handler(surface, operation, passes=_HEADERS),
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
