"""The parts of a caller's messages, put into the form between all wires: texts, images, sounds, files.

Images and files come by URL, as data: URLs (RFC 2397), by id, and files as bare base64 too.
"""

import base64
import mimetypes
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from core.dialects.canonical import Audio, CacheMark, Document, Image, Part, Refusal, Text
from core.dialects.openai import body
from core.errors import InvalidArgument

_T = TypeVar("_T")


def read_part(part: body.Part, where: str) -> Part | None:
    """A part of a content; None for a kind that the form can't say. Raises InvalidArgument."""
    control = part.cache_control or part.prompt_cache_breakpoint
    mark = control.mark() if control is not None else None
    match part.type:
        case "text" | "input_text" | "output_text":
            return Text(_needed(part.text, where, "text"), mark)
        case "image_url":
            return _image(_needed(part.image_url, where, "image_url"), mark, f"{where}.image_url")
        case "input_audio":
            audio = _needed(part.input_audio, where, "input_audio")
            return Audio(audio.data, audio.format)
        case "file":
            return _document(_needed(part.file, where, "file"), mark, f"{where}.file")
        case "refusal":
            return Refusal(_needed(part.refusal, where, "refusal"))
        case _:
            return None


def _needed(value: _T | None, where: str, name: str) -> _T:
    if value is None:
        raise InvalidArgument(f"{where}.{name} is missing", field=f"{where}.{name}")
    return value


def _image(image: body.ImageUrl | str, mark: CacheMark | None, where: str) -> Image:
    url, detail = (image, "") if isinstance(image, str) else (image.url, image.detail or "")
    if url[:5].lower() != "data:":
        return Image(url=url, detail=detail, cache=mark)
    media_type, data = data_url(url, f"{where}.url")
    return Image(data=data, media_type=media_type, detail=detail, cache=mark)


def _document(file: body.File, mark: CacheMark | None, where: str) -> Document:
    name, data = file.filename or "", file.file_data or ""
    if file.file_id:
        return Document(file_id=file.file_id, name=name, cache=mark)
    if not data:
        raise InvalidArgument(f"{where}: file_data or file_id is missing", field=where)
    if data.startswith(("https://", "http://")):
        return Document(url=data, name=name, cache=mark)
    if data[:5].lower() != "data:":
        media_type = mimetypes.guess_type(name)[0] or "application/pdf"
        return Document(data=data, media_type=media_type, name=name, cache=mark)
    media_type, data = data_url(data, f"{where}.file_data")
    return Document(data=data, media_type=media_type, name=name, cache=mark)


def data_url(url: str, where: str) -> tuple[str, str]:
    """Media type and base64 of a data: URL (RFC 2397). Raises InvalidArgument."""
    head, comma, data = url[5:].partition(",")
    media_type, *options = head.split(";")
    if not comma or not data:
        raise InvalidArgument(f"{where}: not a data: URL with something in it", field=where)
    if options and options[-1].strip().lower() == "base64":
        data = data if "%" not in data else unquote_to_bytes(data).decode(errors="replace")
    else:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type.strip().lower() or "text/plain", data
