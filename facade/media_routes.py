"""The rows of OpenAI's endpoints that are no conversations: pictures, sound, moderation, and the ranking of documents.

Their requests go on to a provider that has the endpoint, to the byte; where they bring files they are forms.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from facade.endpoint import Inference
from facade.route import EVENT_STREAM, JSON, Doc, Route
from facade.schema import BOOLEAN, INTEGER, STRING, array, obj
from facade.surface import Schema, Surface
from llmrouter.v1 import router_pb2 as pb

_OBJECTS: Schema = array({"type": "object"})
_FILE: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_EVENTS: Schema = {"type": "string", "description": "Server-sent events, as the provider has them."}
_SOUND: Schema = {"type": "string", "description": "The sound itself, in the format that was asked for."}
_TEXT: Schema = {"type": "string", "description": "The text alone, or subtitles."}
_PICTURES: Mapping[str, Schema] = {JSON: obj({"data": _OBJECTS}), EVENT_STREAM: _EVENTS}
_TRANSCRIPTS: Mapping[str, Schema] = {JSON: obj({"text": STRING}), "text/plain": _TEXT}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """One endpoint. request: of JSON; form: of the body as a form with files, None where it can't be one."""

    path: str
    operation: pb.Operation
    summary: str
    request: Schema
    form: Schema | None = None
    success: Mapping[str, Schema]


_ENDPOINTS = (
    _Endpoint(
        path="/images/generations",
        operation=pb.OPERATION_IMAGE_GENERATION,
        summary="Pictures from a text",
        request=obj({"n": INTEGER, "size": STRING, "stream": BOOLEAN}, model=STRING, prompt=STRING),
        success=_PICTURES,
    ),
    _Endpoint(
        path="/images/edits",
        operation=pb.OPERATION_IMAGE_EDIT,
        summary="Pictures from pictures and a text",
        request=obj({"stream": BOOLEAN}, model=STRING, prompt=STRING),
        form=obj(model=STRING, prompt=STRING, image=_FILE),
        success=_PICTURES,
    ),
    _Endpoint(
        path="/audio/speech",
        operation=pb.OPERATION_SPEECH,
        summary="A text spoken",
        request=obj({"response_format": STRING, "stream_format": STRING}, model=STRING, input=STRING),
        success={"audio/*": _SOUND, "application/octet-stream": _SOUND, EVENT_STREAM: _EVENTS},
    ),
    _Endpoint(
        path="/audio/transcriptions",
        operation=pb.OPERATION_TRANSCRIPTION,
        summary="What is said in a recording",
        request=obj({"stream": BOOLEAN}, model=STRING),
        form=obj(model=STRING, file=_FILE),
        success={**_TRANSCRIPTS, EVENT_STREAM: _EVENTS},
    ),
    _Endpoint(
        path="/audio/translations",
        operation=pb.OPERATION_TRANSLATION,
        summary="What is said in a recording, in English",
        request=obj(model=STRING),
        form=obj(model=STRING, file=_FILE),
        success=_TRANSCRIPTS,
    ),
    _Endpoint(
        path="/moderations",
        operation=pb.OPERATION_MODERATION,
        summary="Whether a text or a picture is harmful",
        request=obj({"model": STRING}, input={"type": ["string", "array"]}),
        success={JSON: obj({"results": _OBJECTS})},
    ),
    _Endpoint(
        path="/rerank",
        operation=pb.OPERATION_RERANK,
        summary="Documents by how well they answer a question",
        request=obj({"top_n": INTEGER}, model=STRING, query=STRING, documents=array({"type": ["string", "object"]})),
        success={JSON: obj({"results": _OBJECTS})},
    ),
)

_DESCRIPTION = (
    "The body goes to the provider as it came, fields that are not named here included; so does the provider's "
    "answer, its errors included. A model whose provider has no such endpoint is refused."
)


def routes(inference: Inference, surface: Surface, prefix: str) -> tuple[Route, ...]:
    """The endpoints under a prefix such as "/v1"."""
    return tuple(
        Route(
            method="POST",
            path=prefix + endpoint.path,
            surface=surface,
            handler=inference.handler(surface, endpoint.operation, passes=("content-type",) if endpoint.form else ()),
            quiet=True,  # each has its usage record
            doc=Doc(
                summary=endpoint.summary,
                description=_DESCRIPTION,
                request=endpoint.request,
                multipart=endpoint.form,
                success={200: endpoint.success},
                errors=(400, 404, 429, 502, 503, 504),
            ),
        )
        for endpoint in _ENDPOINTS
    )
