"""A body of multipart/form-data (RFC 7578), read where it lies: files are looked over, never copied.

    --boundary CRLF  headers CRLF CRLF  content CRLF  --boundary …  --boundary--

It is read strictly. Readers of such bodies differ in what they forgive, and what the provider reads must be
what was read here: which model is asked decides what is paid and who may.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from core.errors import InvalidArgument

MEDIA_TYPE: Final = "multipart/form-data"

_MAX_PARTS: Final = 256
_MAX_HEAD: Final = 8 * 1024  # bytes of one part's headers

# RFC 2046, 5.1.1: what a boundary is made of; quoted, it may have spaces in it too, but nobody's has.
_BOUNDARY = re.compile(r"""multipart/form-data\s*(?:;.*)?;\s*boundary=("?)([\w'()+,./:=?-]{1,70})\1\s*(?:;.*)?""", re.I)
_BOUNDARY_NAME = re.compile(r"boundary\*?\d*\*?\s*=", re.I)
_DISPOSITION = re.compile(
    rb"""content-disposition:[ \t]*form-data[ \t]*;[ \t]*name=(?:"([^"\\\r\n]*)"|([\w.\[\]-]+))"""
    rb"""((?:[ \t]*;[ \t]*filename\*?=(?:"(?:[^"\\\r\n]|\\[^\r\n])*"|[^\s;"]+))*)[ \t]*""",
    re.I,
)
_ENCODING = re.compile(rb"content-transfer-encoding:[ \t]*(?!7bit|8bit|binary)", re.I)


class Field(NamedTuple):
    """A part of a form."""

    name: str
    start: int  # of its content
    end: int
    is_file: bool


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form."""
    return content_type[: len(MEDIA_TYPE)].lower() == MEDIA_TYPE


def fields_of_form(body: bytes, content_type: str) -> list[Field]:
    """The parts of a form, in their order. Raises InvalidArgument."""
    found = _BOUNDARY.fullmatch(content_type.strip())
    if found is None or len(_BOUNDARY_NAME.findall(content_type)) != 1:
        raise InvalidArgument("invalid payload: the Content-Type of a form must name its boundary")
    delimiter = b"--" + found[2].encode()
    fields: list[Field] = []
    for head, start, end in _parts(body, delimiter):
        fields.append(_field(head, start, end))
        if len(fields) > _MAX_PARTS:
            raise InvalidArgument(f"invalid payload: a form has at most {_MAX_PARTS} parts")
    return fields


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The headers of each part, and where its content is. Raises InvalidArgument."""
    if not body.startswith(delimiter):
        raise InvalidArgument("invalid payload: the form does not begin with its boundary")
    line_and_delimiter = b"\r\n" + delimiter
    place = len(delimiter)
    while body[place : place + 2] == b"\r\n":
        end_of_head = body.find(b"\r\n\r\n", place, place + _MAX_HEAD)
        if end_of_head < 0:
            raise InvalidArgument("invalid payload: a part of the form has no end of its headers")
        start = end_of_head + 4
        end = body.find(line_and_delimiter, start)
        if end < 0:
            raise InvalidArgument("invalid payload: the form breaks off")
        yield body[place + 2 : end_of_head], start, end
        place = end + len(line_and_delimiter)
    if body[place : place + 2] != b"--" or body[place + 2 :].strip():
        raise InvalidArgument("invalid payload: the form is not parted by its boundary")


def _field(head: bytes, start: int, end: int) -> Field:
    disposed = None
    for line in head.split(b"\r\n"):
        if _ENCODING.match(line):
            raise InvalidArgument("invalid payload: a part of the form is encoded, which forms must not be")
        if line[:20].lower().strip().startswith(b"content-disposition"):
            found = _DISPOSITION.fullmatch(line)
            if disposed is not None or found is None:
                raise InvalidArgument("invalid payload: a part of the form must have one name")
            disposed = found
    if disposed is None:
        raise InvalidArgument("invalid payload: a part of the form has no name")
    name = disposed[1] if disposed[1] is not None else disposed[2]
    return Field(name.decode(errors="replace"), start, end, bool(disposed[3]))
