"""Embeddings on the Gemini wire, for callers and from providers: batchEmbedContents, and embedContent for callers.

A provider is always asked for the batch, which has no limit that one content does not have. Vectors shorter than
the model's own are not of length 1 with some of its models; core/dialects/openai/embedding.py puts that right for
callers who count on it.

Source: https://ai.google.dev/api/embeddings
"""

from collections.abc import Callable
from typing import Final

import msgspec

from core.dialects.embedding import Embed, Embedded
from core.dialects.gemini.faults import read_fault, write_fault
from core.dialects.gemini.generate import EMBED, EMBED_ONE
from core.dialects.gemini.usage import Usage, usage_of
from core.dialects.gemini.wire import Content, Part
from core.dialects.losses import Losses
from core.dialects.request import Request
from core.dialects.sides import EmbeddingCaller, EmbeddingProvider, Unreadable
from core.errors import InvalidArgument

_KNOWN: Final = frozenset({"model", "content", "outputDimensionality", "embedContentConfig"})
_NOTHING: Final = (b"null", b"{}", b'""', b'"TASK_TYPE_UNSPECIFIED"')
_MOST_DIMENSIONS: Final = 1_000_000


class _Config(msgspec.Struct, rename="camel"):
    output_dimensionality: int | None = None


class _One(msgspec.Struct, rename="camel", omit_defaults=True):
    model: str | None = None
    content: Content | None = None
    output_dimensionality: int | None = None
    embed_content_config: _Config | None = None


class _Vector(msgspec.Struct):
    values: list[float] | None = None


class _Answer(msgspec.Struct, rename="camel", omit_defaults=True):
    embeddings: list[_Vector] | None = None
    embedding: _Vector | None = None
    usage_metadata: Usage | None = None


class _Ask(msgspec.Struct):
    requests: list[_One]


_decode_one = msgspec.json.Decoder(_One, strict=False).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_requests: Callable[[bytes | msgspec.Raw], list[msgspec.Raw] | None] = msgspec.json.Decoder(
    list[msgspec.Raw] | None
).decode
_decode_answer = msgspec.json.Decoder(_Answer, strict=False).decode
_encode = msgspec.json.Encoder().encode


def read_embed(request: Request) -> Embed:
    """What a caller asks for. Raises InvalidArgument."""
    asked = Embed(request.model, [])
    path = "requests"
    try:
        if request.operation == EMBED_ONE:
            path = ""
            _read_one(asked, path, request.fields, msgspec.Raw(_encode(request.fields)))
        else:
            for number, raw in enumerate(_decode_requests(request.fields.get("requests", b"null")) or ()):
                path = f"requests[{number}]"
                _read_one(asked, path + ".", _decode_fields(raw), raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument(f"{path or 'content'} is not what the Gemini API describes", field=path) from None
    if not asked.texts:
        raise InvalidArgument("requests must be an array with a request in it", field="requests")
    return asked


def _read_one(asked: Embed, path: str, fields: dict[str, msgspec.Raw], raw: msgspec.Raw) -> None:
    one = _decode_one(raw)
    parts = (one.content.parts if one.content is not None else None) or []
    texts = [part.text for part in parts if part.text is not None]
    if not parts or len(texts) != len(parts):
        raise InvalidArgument(f"{path}content must be a text", field=f"{path}content")
    config = one.embed_content_config
    dimensions = one.output_dimensionality or (config.output_dimensionality if config is not None else None)
    if dimensions is not None and not 0 < dimensions <= _MOST_DIMENSIONS:
        raise InvalidArgument(f"{path}outputDimensionality must be positive", field=f"{path}outputDimensionality")
    if asked.texts and dimensions != asked.dimensions:
        asked.others[f"{path}outputDimensionality"] = msgspec.Raw(_encode(dimensions))
    asked.dimensions = asked.dimensions if asked.texts else dimensions
    asked.texts.append("\n".join(texts))
    given = dict(fields)
    if "embedContentConfig" in fields and bytes(fields["embedContentConfig"]) != b"null":
        given.update(_decode_fields(fields["embedContentConfig"]))
    for name, value in given.items():
        if name not in _KNOWN and name != "stream" and bytes(value) not in _NOTHING:
            asked.others[f"{path}{name}"] = value


def write_embed(asked: Embed, losses: Losses) -> bytes:
    """The body for a provider that calls the model `asked.model`. Raises InvalidArgument."""
    if asked.user:
        losses.lose("user")
    name = f"models/{asked.model}"
    return _encode(
        _Ask([_One(name, Content(None, [Part(text=text)]), asked.dimensions or None) for text in asked.texts])
    )


def read_embedded(body: bytes) -> Embedded:
    """A whole good answer. Raises Unreadable."""
    try:
        found = _decode_answer(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not embeddings of the Gemini API") from error
    vectors = found.embeddings if found.embeddings is not None else [found.embedding] if found.embedding else None
    if not vectors or any(not each.values for each in vectors):
        raise Unreadable("an answer of the Gemini API without embeddings")
    usage = found.usage_metadata
    return Embedded(
        [each.values or [] for each in vectors],
        tokens=usage.tokens() if usage is not None and usage.is_known else None,
    )


def write_embedded(found: Embedded, asked: Embed) -> bytes:
    """The body of a good answer to batchEmbedContents."""
    del asked
    return _encode(_Answer([_Vector(list(each)) for each in found.vectors], usage_metadata=_usage(found)))


def write_one_embedded(found: Embedded, asked: Embed) -> bytes:
    """The body of a good answer to embedContent."""
    del asked
    vector = _Vector(list(found.vectors[0])) if found.vectors else None
    return _encode(_Answer(embedding=vector, usage_metadata=_usage(found)))


def _usage(found: Embedded) -> Usage | None:
    return None if found.tokens is None else Usage(prompt_token_count=usage_of(found.tokens).prompt_token_count)


NAMES: Final = {"texts": "requests", "dimensions": "requests[0].outputDimensionality"}

CALLERS: Final = {
    EMBED: EmbeddingCaller(names=NAMES, read_embed=read_embed, write_embedded=write_embedded, write_fault=write_fault),
    EMBED_ONE: EmbeddingCaller(
        names={"dimensions": "outputDimensionality"},
        read_embed=read_embed,
        write_embedded=write_one_embedded,
        write_fault=write_fault,
    ),
}
PROVIDERS: Final = {
    EMBED: EmbeddingProvider(write_embed=write_embed, read_embedded=read_embedded, read_fault=read_fault)
}
