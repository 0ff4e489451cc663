"""The routes of the Gemini API's inference endpoints, for the surfaces that mount them.

    POST …/models/{model}:generateContent
    POST …/models/{model}:streamGenerateContent     one JSON array, or with ?alt=sse server-sent events
    POST …/models/{model}:countTokens
    POST …/models/{model}:embedContent
    POST …/models/{model}:batchEmbedContents

The address says which model is meant and whether to stream. For the core, which sees no address, both are put in
front of the body's own fields.
"""

from collections.abc import Callable

import msgspec

from facade.call import Call
from facade.endpoint import Inference
from facade.event_array import EventArray
from facade.payload import invalid
from facade.query import Query
from facade.route import EVENT_STREAM, JSON, Doc, Route
from facade.schema import ANY_OBJECT, INTEGER, STRING, array, choice, obj, text
from facade.surface import Schema, Surface
from llmrouter.v1 import router_pb2 as pb

_CONTENT = obj({"role": STRING}, parts=array(ANY_OBJECT))
_CONTENTS: dict[str, Schema] = {"contents": array(_CONTENT)}
_GENERATE = obj(
    {"systemInstruction": ANY_OBJECT, "tools": array(ANY_OBJECT), "generationConfig": ANY_OBJECT}, **_CONTENTS
)
_COUNT = obj({**_CONTENTS, "generateContentRequest": ANY_OBJECT})
_ANSWER = obj({"candidates": array(ANY_OBJECT), "usageMetadata": ANY_OBJECT, "modelVersion": STRING})
_EVENTS: Schema = {"type": "string", "description": "Server-sent events, with `alt=sse`; each is an answer in part."}
_ALT = choice("sse", "json")

# (verb, operation, what it is, request, answer, whether it streams)
_ENDPOINTS: tuple[tuple[str, pb.Operation, str, Schema, Schema, bool], ...] = (
    ("generateContent", pb.OPERATION_GENERATE_CONTENT, "An answer", _GENERATE, _ANSWER, False),
    (
        "streamGenerateContent",
        pb.OPERATION_GENERATE_CONTENT,
        "An answer as it is made",
        _GENERATE,
        array(_ANSWER),
        True,
    ),
    (
        "countTokens",
        pb.OPERATION_COUNT_CONTENT_TOKENS,
        "The tokens of a prompt",
        _COUNT,
        obj(totalTokens=INTEGER),
        False,
    ),
    (
        "embedContent",
        pb.OPERATION_EMBED_ONE_CONTENT,
        "An embedding",
        obj({"taskType": STRING, "outputDimensionality": INTEGER}, content=_CONTENT),
        obj(embedding=ANY_OBJECT),
        False,
    ),
    (
        "batchEmbedContents",
        pb.OPERATION_EMBED_CONTENT,
        "Embeddings",
        obj(requests=array(obj(content=_CONTENT))),
        obj(embeddings=array(ANY_OBJECT)),
        False,
    ),
)

_DESCRIPTION = (
    "The body is that of Google's endpoint and goes to the provider as it came, fields that are not named here "
    "included; so does the provider's answer, its errors included. The model's id may hold slashes and colons."
)

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def routes(inference: Inference, surface: Surface, prefix: str) -> tuple[Route, ...]:
    """The endpoints under a prefix such as "/v1beta"."""
    return tuple(
        Route(
            method="POST",
            path=f"{prefix}/models/{{model...}}:{verb}",
            surface=surface,
            handler=inference.handler(
                surface,
                operation,
                never_stream=not streams,
                body_of=_body_of(stream=streams),
                form=_form if streams else None,
            ),
            quiet=True,  # each has its usage record
            doc=Doc(
                summary=summary,
                description=_DESCRIPTION,
                request=request,
                success={200: {JSON: answer} | ({EVENT_STREAM: _EVENTS} if streams else {})},
                parameters={"model": text(1)},
                query={"alt": _ALT} if streams else {},
                errors=(400, 404, 429, 502, 503, 504),
            ),
        )
        for verb, operation, summary, request, answer, streams in _ENDPOINTS
    )


def _body_of(*, stream: bool) -> Callable[[Call, bytes], bytes]:
    return lambda call, body: fronted(body, call.params["model"], stream=stream)


def fronted(body: bytes, model: str, *, stream: bool) -> bytes:
    """The body with the model and whether to stream before all other fields, which stay as they came.

    What the body itself says of the two does not count. A body that is no JSON object is left to be refused.
    """
    if b'"model"' in body or b'"stream"' in body:
        body = _without(body)
    rest = body.strip(b" \t\r\n")
    if rest and not rest.startswith(b"{"):
        return body
    rest = rest[1:].lstrip(b" \t\r\n") or b"}"
    front = b'{"model":%b,"stream":%b' % (_encode(model), b"true" if stream else b"false")
    return front + (rest if rest.startswith(b"}") else b"," + rest)


def _without(body: bytes) -> bytes:
    """The body without what it says of its model and of streaming; the values of all else stay as they came."""
    try:
        fields = _decode_fields(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if "model" not in fields and "stream" not in fields:
        return body
    return _encode({name: value for name, value in fields.items() if name not in ("model", "stream")})


def _form(call: Call) -> EventArray | None:
    """The form of a stream, None for server-sent events. Raises Problem for one that is not to be had."""
    asked = Query(call.query)
    # As a parameter of Google's system it may say more, such as json;enum-encoding=int.
    alt = (asked.text("alt", most=40) or asked.text("$alt", most=40)).partition(";")[0]
    if alt not in ("", "json", "sse"):
        raise invalid("must be sse or json", "alt")
    return None if alt == "sse" else EventArray()
