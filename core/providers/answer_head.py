"""The head of a provider's answer, whichever client has read it."""

from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime

from core.clock import Clock

_MAX_RETRY_AFTER = 24 * 3600.0
_MAX_REQUEST_ID = 200


class AnswerHead:
    """What the router needs of an answer's head."""

    __slots__ = ("_request_id", "_retry_after", "bounded", "content_type", "encoding", "status")

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """headers: names in lower case; of a name that comes twice the last counts."""
        found = dict(headers)
        self.status = status
        self.content_type = _plain(found.get(b"content-type", b""))
        self.encoding = found.get(b"content-encoding", b"").strip().lower()
        chunked = found.get(b"transfer-encoding", b"").strip().lower().endswith(b"chunked")
        self.bounded = chunked or b"content-length" in found or status in (204, 304)
        self._request_id = found.get(b"x-request-id") or found.get(b"request-id")  # the latter is Anthropic's
        self._retry_after = found.get(b"retry-after")

    def passed_on(self) -> Sequence[tuple[str, str]]:
        """What is passed on to the caller, names in lower case."""
        if self._request_id is None:
            return ()
        return (("x-upstream-request-id", _plain(self._request_id[:_MAX_REQUEST_ID])),)

    def retry_after(self, clock: Clock) -> float | None:
        """Seconds from a Retry-After header (RFC 9110, 10.2.3): a number or a date; None without an error."""
        if self.status < 400 or self._retry_after is None:
            return None
        value = _plain(self._retry_after)
        try:
            seconds = float(value)
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
            except (ValueError, TypeError):
                return None
        return min(max(seconds, 0.0), _MAX_RETRY_AFTER) if seconds == seconds else None


def _plain(value: bytes) -> str:
    """A header's value as it can be passed on: of bytes that are no ASCII, question marks."""
    return value.decode("ascii", "replace").replace("\ufffd", "?")
