"""Embeddings on the OpenAI wire, for callers and from providers.

OpenAI's vectors have the length 1, also where fewer dimensions are asked for, and callers compare them by their
products; so those of other makers are brought to that length where dimensions were asked for.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import math
import struct
import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from core.dialects.embedding import Embed, Embedded
from core.dialects.losses import Losses
from core.dialects.openai.chat import EMBEDDING, Usage
from core.dialects.openai.faults import read_fault, write_fault
from core.dialects.request import Request, read_number
from core.dialects.sides import EmbeddingCaller, EmbeddingProvider, Unreadable
from core.errors import InvalidArgument

_KNOWN: Final = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_MOST_DIMENSIONS: Final = 1_000_000
_BYTES: Final = 4  # of a float in an answer


class _Vector(msgspec.Struct):
    embedding: list[float] | str | None = None
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Vector] | None = None
    model: str | None = None
    usage: Usage | None = None


_decode_input: Callable[[bytes | msgspec.Raw], str | list[str]] = msgspec.json.Decoder(str | list[str]).decode
_decode_text: Callable[[msgspec.Raw], str | None] = msgspec.json.Decoder(str | None).decode
_decode_answer = msgspec.json.Decoder(_Answer, strict=False).decode
_encode = msgspec.json.Encoder().encode


def read_embed(request: Request) -> Embed:
    """What a caller asks for. Raises InvalidArgument."""
    fields = request.fields
    try:
        found = _decode_input(fields.get("input", b"null"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument(
            "input must be a text or an array of texts; the model's provider takes no tokens", field="input"
        ) from None
    texts = [found] if isinstance(found, str) else found
    if not texts:
        raise InvalidArgument("input must not be empty", field="input")
    dimensions = read_number(fields.get("dimensions"), "dimensions")
    if dimensions is not None and not 0 < dimensions <= _MOST_DIMENSIONS:
        raise InvalidArgument("dimensions must be positive", field="dimensions")
    encoding = _text(fields, "encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise InvalidArgument("encoding_format must be float or base64", field="encoding_format")
    others = {name: raw for name, raw in fields.items() if name not in _KNOWN and bytes(raw) != b"null"}
    return Embed(request.model, texts, dimensions, encoding == "base64", _text(fields, "user"), others)


def write_embedded(found: Embedded, asked: Embed) -> bytes:
    """The body of a good answer."""
    data: list[dict[str, Any]] = []
    for index, vector in enumerate(found.vectors):
        scaled = _of_length_one(vector) if asked.dimensions is not None else vector
        embedding = _base64(scaled) if asked.as_base64 else scaled
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    tokens = found.tokens.input if found.tokens is not None else 0
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _encode({"object": "list", "data": data, "model": found.model, "usage": usage})


def write_embed(asked: Embed, losses: Losses) -> bytes:
    """The body for a provider that calls the model `asked.model`."""
    del losses
    body: dict[str, Any] = {"model": asked.model, "input": asked.texts, "encoding_format": "float"}
    if asked.dimensions is not None:
        body["dimensions"] = asked.dimensions
    if asked.user:
        body["user"] = asked.user
    return _encode(body)


def read_embedded(body: bytes) -> Embedded:
    """A whole good answer. Raises Unreadable."""
    try:
        found = _decode_answer(body)
        data = sorted(found.data or (), key=lambda each: each.index or 0)
        vectors = [_floats(each.embedding) for each in data]
    except (ValueError, RecursionError) as error:
        raise Unreadable("not embeddings of the OpenAI API") from error
    if not vectors:
        raise Unreadable("an answer of the OpenAI API without embeddings")
    usage = found.usage
    tokens = usage.tokens() if usage is not None and usage.is_known else None
    return Embedded(vectors, found.model or "", tokens)


def _text(fields: dict[str, msgspec.Raw], name: str) -> str:
    raw = fields.get(name)
    try:
        return (_decode_text(raw) if raw is not None else None) or ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument(f"{name} must be a text", field=name) from None


def _of_length_one(vector: Sequence[float]) -> Sequence[float]:
    length = math.sqrt(math.fsum(number * number for number in vector))
    if not length or not math.isfinite(length) or abs(length - 1) < 1e-6:
        return vector
    return [number / length for number in vector]


def _base64(vector: Sequence[float]) -> str:
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return b64encode(floats.tobytes()).decode()


def _floats(embedding: list[float] | str | None) -> list[float]:
    """Raises ValueError."""
    if isinstance(embedding, list):
        return embedding
    data = b64decode(embedding or "", validate=True)
    if not data or len(data) % _BYTES:
        raise ValueError("not floats of 32 bits")
    return list(struct.unpack(f"<{len(data) // _BYTES}f", data))


CALLERS: Final = {
    EMBEDDING: EmbeddingCaller(
        names={"texts": "input"}, read_embed=read_embed, write_embedded=write_embedded, write_fault=write_fault
    )
}
PROVIDERS: Final = {
    EMBEDDING: EmbeddingProvider(write_embed=write_embed, read_embedded=read_embedded, read_fault=read_fault)
}
