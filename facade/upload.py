"""A form with one file (RFC 7578), as uploads have it: text fields, and the file's bytes.

It is read strictly, and only once: the core makes a form of its own of what was read, so that nobody reads
anything else in it.
"""

import re
from dataclasses import dataclass, field

from facade.payload import invalid
from facade.route import MULTIPART

_MAX_PARTS = 32
_MAX_HEAD = 8 * 1024  # bytes of a part's headers
_MAX_TEXT = 16 * 1024  # bytes of a text field
_BROKEN = "the body is not a valid form"

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_DISPOSITION = re.compile(r"content-disposition:\s*form-data\s*;(.*)", re.IGNORECASE)
_PARAMETER = re.compile(r'\s*([\w*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))\s*(?:;|$)')
_TYPE = re.compile(r"content-type:\s*(\S.*?)\s*", re.IGNORECASE)


@dataclass(slots=True)
class Upload:
    """What was uploaded. filename: "" where there was no file; fields: the texts beside it."""

    filename: str = ""
    content_type: str = ""
    content: bytes = b""
    fields: dict[str, str] = field(default_factory=dict[str, str])


def parse_upload(content_type: str, body: bytes) -> Upload:
    """The upload in a form. content_type: the whole header. Raises Problem."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith(MULTIPART) or found is None:
        raise invalid(f"the body must be of {MULTIPART}")
    delimiter = b"--" + (found[1] or found[2]).encode()
    upload = Upload()
    try:
        _read(upload, body, delimiter)
    except ValueError:  # UnicodeDecodeError is one
        raise invalid(_BROKEN) from None
    return upload


def _read(upload: Upload, body: bytes, delimiter: bytes) -> None:
    """Reads part after part. Raises ValueError, Problem."""
    if not body.startswith(delimiter):
        raise ValueError
    place, number = len(delimiter), 0
    while body[place : place + 2] == b"\r\n":
        number += 1
        end_of_head = body.find(b"\r\n\r\n", place, place + _MAX_HEAD)
        end = body.find(b"\r\n" + delimiter, end_of_head + 4)
        if end_of_head < 0 or end < 0 or number > _MAX_PARTS:
            raise ValueError
        _add(upload, body[place + 2 : end_of_head].decode(), memoryview(body)[end_of_head + 4 : end])
        place = end + 2 + len(delimiter)
    if body[place : place + 2] != b"--" or body[place + 2 :].strip():
        raise ValueError


def _add(upload: Upload, head: str, content: memoryview) -> None:
    parameters, media_type = _described(head)
    name, filename = parameters.get("name", ""), parameters.get("filename")
    if not name:
        raise ValueError
    if filename is None:
        if name in upload.fields or len(content) > _MAX_TEXT:
            raise invalid("must be there once, and be short", name)
        upload.fields[name] = bytes(content).decode()
    elif name != "file" or upload.filename or not filename:
        raise invalid("must be the one file of the form, and have a name", name)
    else:
        upload.filename, upload.content_type, upload.content = filename, media_type, bytes(content)


def _described(head: str) -> tuple[dict[str, str], str]:
    """The parameters of a part's disposition, and its media type. Raises ValueError."""
    parameters: dict[str, str] = {}
    media_type = ""
    for line in head.split("\r\n"):
        if (found := _DISPOSITION.fullmatch(line)) is not None:
            place = 0
            while place < len(found[1]):
                parameter = _PARAMETER.match(found[1], place)
                if parameter is None or parameter[1].lower() in parameters:
                    raise ValueError
                value = parameter[2] if parameter[2] is not None else parameter[3]
                parameters[parameter[1].lower()] = value.replace('\\"', '"').replace("%22", '"')
                place = parameter.end()
        elif (found := _TYPE.fullmatch(line)) is not None:
            media_type = found[1]
    return parameters, media_type
