"""Images, documents and sounds as Bedrock takes them: bytes with the name of their format, or an object in S3.

Nothing is fetched: what only has another address can't be said.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from core.dialects.bedrock.converse import Json
from core.dialects.canonical import Audio, Document, Image
from core.dialects.losses import Losses

_IMAGES: Final[Mapping[str, str]] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENTS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_SOUNDS: Final = frozenset(
    {
        *("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv"),
        *("mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm"),
    }
)
_NOT_IN_A_NAME: Final = re.compile(r"[^\w\s()\[\]-]|_", re.ASCII)
_SPACES: Final = re.compile(r"\s+")
_LONGEST_NAME: Final = 180  # of 200, so that a number finds room behind it


def image(part: Image, losses: Losses, path: str) -> Json | None:
    """The block of an image; None where it can't be said. Raises InvalidArgument."""
    if part.detail not in ("", "auto"):
        losses.lose(f"{path}.detail", "the model decides")
    source = _source(part.data, part.url)
    kind = _IMAGES.get(part.media_type) if part.data else _kind_of_url(part.url, _IMAGES)
    if source is None or kind is None:
        why = "images must be PNG, JPEG, GIF or WebP" if source else "images must be in the request, or in S3"
        return losses.lose(path, why)
    return {"image": {"format": kind, "source": source}}


def document(part: Document, names: set[str], losses: Losses, path: str) -> Json | None:
    """The block of a document; None where it can't be said. Raises InvalidArgument.

    names: of the documents before it, since each must have one of its own.
    """
    source = _source(b64encode(part.text.encode()).decode() if part.text else part.data, part.url)
    if part.text:
        kind: str | None = "txt"
    else:
        kind = _DOCUMENTS.get(part.media_type) if part.data else _kind_of_url(part.url, _DOCUMENTS)
    if source is None or kind is None:
        why = "documents of this type are not known there" if source else "documents must be in the request, or in S3"
        return losses.lose(path, why)
    said: Json = {"format": kind, "name": _name(part.name, names), "source": source}
    if part.context:
        said["context"] = part.context
    return {"document": said}


def audio(part: Audio, losses: Losses, path: str) -> Json | None:
    """The block of a sound; None where it can't be said. Raises InvalidArgument."""
    kind = part.format.lower()
    if kind not in _SOUNDS:
        return losses.lose(path, "sounds of this format are not known there")
    return {"audio": {"format": kind, "source": {"bytes": part.data}}}


def _source(data: str, url: str) -> Json | None:
    if data:
        return {"bytes": data}
    return {"s3Location": {"uri": url}} if url.startswith("s3://") else None


def _kind_of_url(url: str, kinds: Mapping[str, str]) -> str | None:
    ending = url.rpartition(".")[2].lower().replace("jpg", "jpeg").replace("htm", "html").replace("htmll", "html")
    return ending if ending in kinds.values() else None


def _name(name: str, names: set[str]) -> str:
    """A name of the characters that are allowed, which no other document of the request has."""
    plain = _SPACES.sub(" ", _NOT_IN_A_NAME.sub("-", name)).strip()[:_LONGEST_NAME].strip() or "document"
    found, number = plain, 1
    while found in names:
        number += 1
        found = f"{plain} {number}"
    names.add(found)
    return found
