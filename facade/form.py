"""HTML forms, in both of their encodings, as payloads: each field a string, the last of a name counts.

The standard library's parser of multipart bodies takes seconds over what an evil one holds, and this is
read before anybody is known. There are no files here, so little is needed: parts, each with a name.
"""

import re
from urllib.parse import parse_qsl

from facade.payload import Payload, invalid, parse
from facade.route import FORMS

MAX_FORM = 64 * 1024
"""Bytes of a form."""

_MAX_FIELDS = 100
_MAX_HEAD = 1024  # bytes of a part's headers
_MULTIPART, _ = FORMS
_BROKEN = "the body is not a valid form"

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'(?:^|\n)content-disposition:\s*form-data[^\r\n]*?;\s*name="([^"\r\n]*)"', re.IGNORECASE)


def is_form(content_type: str) -> bool:
    """Whether a body of this media type is a form."""
    return content_type.lower() in FORMS


def parse_form(content_type: str, data: bytes) -> Payload:
    """The payload in a form; content_type: the whole header. Raises Problem."""
    try:
        if content_type.lower().startswith(_MULTIPART):
            return Payload(_multipart(content_type, data))
        if data.lstrip().startswith(b"{"):  # JSON, as `curl -d` sends it where nobody says what it is
            return parse(data)
        return Payload(dict(parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)))
    except ValueError:
        raise invalid(_BROKEN) from None


def _multipart(content_type: str, data: bytes) -> dict[str, str]:
    """The fields of a multipart body (RFC 7578). Raises ValueError."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError
    delimiter = b"\r\n--" + (found[1] or found[2]).encode()
    _, *parts = (b"\r\n" + data).split(delimiter, _MAX_FIELDS + 1)
    if not parts or not parts[-1].startswith(b"--"):
        raise ValueError
    return dict(map(_field, parts[:-1]))


def _field(part: bytes) -> tuple[str, str]:
    """Name and value of a part, which begins with the end of its delimiter's line. Raises ValueError."""
    head, found, value = part.partition(b"\r\n\r\n")
    name = _NAME.search(head[:_MAX_HEAD])
    if not found or name is None:
        raise ValueError
    return name[1].decode(), value.decode()
