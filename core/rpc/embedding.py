"""Embeddings between protobuf and the OpenAI wire: EmbedRequest as a body, an answer as EmbedResponse."""

import base64
import binascii
import sys
from array import array

from core.dialects.openai.answer import Vector, is_error, read_vectors
from core.errors import ProviderError
from core.routing.reply import Answer
from core.rpc import upstream_error
from core.rpc.request_body import Body
from core.rpc.routing_message import routing_message, usage_message
from llmrouter.v1 import router_pb2 as pb

_MAX_DIMENSIONS = 65_536


def embedding_body(request: pb.EmbedRequest) -> bytes:
    """The body of POST /embeddings. Raises InvalidArgument, ModelRequired."""
    body = Body(request, "", request.extra_json)
    body.model()
    if request.inputs:
        body.fields["input"] = list(request.inputs)
    elif not body.has_extra("input"):
        raise body.wrong("inputs", "must hold at least one text")
    body.fields["encoding_format"] = "float"
    body.numbers({"dimensions": (1, _MAX_DIMENSIONS)})
    body.texts(("user",))
    return body.encode(stream=False)


def read_embeddings(request: pb.EmbedRequest, body: bytes) -> pb.EmbedResponse:
    """Reads a whole answer. Raises ProviderError where it is none, UpstreamStatus where it is an error."""
    found = read_vectors(body)
    if is_error(found):
        raise upstream_error.inside(body)
    vectors = found.data or []
    if len(vectors) != len(request.inputs) and not request.extra_json:  # which may hold other inputs
        raise ProviderError("the provider did not answer with one embedding to each input")
    placed = [(position if one.index is None else one.index, one) for position, one in enumerate(vectors)]
    placed.sort(key=lambda pair: pair[0])
    embeddings = [pb.Embedding(index=index, values=_values(vector)) for index, vector in placed]
    return pb.EmbedResponse(model=found.model or "", embeddings=embeddings)


def embed_response(request_id: str, answer: Answer, found: pb.EmbedResponse) -> pb.EmbedResponse:
    """A provider's answer. found: what `read_embeddings` made of it, which is completed."""
    found.usage.CopyFrom(usage_message(answer.tokens))
    found.routing.CopyFrom(routing_message(request_id, answer.place, answer.cost_nanousd))
    return found


def _values(vector: Vector) -> "list[float] | array[float]":
    if not isinstance(vector.embedding, str):
        return vector.embedding
    try:
        values = array("f", base64.b64decode(vector.embedding, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ProviderError("the provider's embedding can't be read") from error
    if sys.byteorder == "big":
        values.byteswap()
    return values
