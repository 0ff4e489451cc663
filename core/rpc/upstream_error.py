"""A provider's own error answer, as the error that ends an RPC.

Status message and details travel in HTTP/2 trailers, where 8 kB is all that every client takes, so
what the provider says is cut.
"""

import re

from core.dialects.canonical import Fault
from core.dialects.openai.answer import read_fault
from core.dialects.openai.faults import write_fault
from core.errors import UpstreamStatus
from core.routing.reply import Answer

_MAX_MESSAGE_BYTES = 1500  # percent-encoding makes up to three times as much of it
_MAX_WORD_BYTES = 200

_STATUS = re.compile("[45][0-9][0-9]")
_BAD_GATEWAY = 502


def answered(answer: Answer) -> UpstreamStatus:
    """The error for an answer whose status is 400 or more."""
    retry_after = next((value for name, value in answer.headers if name == "retry-after"), "")
    return _error(answer.status, answer.body, float(retry_after) if retry_after.isdigit() else None)


def mirrored(error: UpstreamStatus) -> UpstreamStatus:
    """The error for an answer of which only status and body are known."""
    return _error(error.status, error.body, error.retry_after)


def inside(body: bytes) -> UpstreamStatus:
    """The error that came in an event of a stream or in an answer whose status is 200. body: its JSON."""
    code = read_fault(body).code
    return _error(int(code) if _STATUS.fullmatch(code) else _BAD_GATEWAY, body, None)


def failed(fault: Fault) -> UpstreamStatus:
    """The same for one that was put into the form between all wires."""
    return _error(fault.status, write_fault(fault), fault.retry_after)


def _error(status: int, body: bytes, retry_after: float | None) -> UpstreamStatus:
    fault = read_fault(body)
    message = _cut(fault.message, _MAX_MESSAGE_BYTES) or f"the provider answered with status {status}"
    words = {"type": fault.type, "code": fault.code, "param": fault.param}
    metadata = {name: _cut(word, _MAX_WORD_BYTES) for name, word in words.items() if word}
    return UpstreamStatus(message, status=status, body=body, retry_after=retry_after, metadata=metadata)


def _cut(text: str, size: int) -> str:
    """One line of at most so many bytes."""
    return " ".join(text.split()).encode()[:size].decode(errors="ignore")
