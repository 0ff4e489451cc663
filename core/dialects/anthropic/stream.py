"""The Anthropic wire as a stream of server-sent events: accounting with as little looking as possible.

    message_start         what the prompt used, cached tokens apart
    content_block_delta   passed on unread, kept aside in case no usage comes
    message_delta         what the whole answer used: counts add up from report to report
    message_stop · error  the end

Events may be split anywhere by the network; what is torn waits for its rest.
"""

import re

import msgspec

from core.dialects.anthropic.usage import Usage
from core.dialects.event_meter import WholeEventMeter
from core.dialects.events import payloads
from core.dialects.tally import texts_after
from core.dialects.tokens import COUNTED, Tokens

# A quotation mark inside a JSON string is escaped, so this never matches what a model said.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
# At the start of a line, which nothing that a model said can be.
_END = re.compile(rb'(?:^|[\r\n])(?:event:[ \t]*|data:[ \t]*\{\s*"type"\s*:\s*")(message_stop|error)\b')
_TEXTS = tuple(map(texts_after, (b'"text', b'"thinking', b'"partial_json')))

# The HTTP status that an error of each type has where it is an answer of its own.
STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_BAD_GATEWAY = 502


class _Begun(msgspec.Struct):
    usage: Usage | None = None


class _Event(msgspec.Struct):
    message: _Begun | None = None
    usage: Usage | None = None


class _Failure(msgspec.Struct):
    type: str = ""


class _FailureEvent(msgspec.Struct):
    type: str = ""
    error: _Failure | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_failure = msgspec.json.Decoder(_FailureEvent).decode


class MessageMeter(WholeEventMeter):
    """Follows one stream. Feed it what the network brings, relay what it returns."""

    __slots__ = ("_known",)

    def __init__(self, *, hide_usage: bool = False) -> None:
        """hide_usage: means nothing here, for every stream of this wire reports its usage unasked."""
        del hide_usage
        super().__init__(_TEXTS)
        self._known: Usage | None = None  # from the beginning on: the prompt

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used. Of one that broke off the prompt is known from its beginning, if it was reported."""
        if self.usage is not None:
            return self.usage
        said = self._tally.tokens()
        if self._known is not None and self._known.is_known:
            return self._known.tokens(counted_output=said)
        return Tokens(input=prompt_tokens, output=said, source=COUNTED)

    def _look_at(self, data: bytes) -> None:
        self._tally.add(data)
        if _USAGE.search(data) is not None:
            self._take_usage(data)
        end = _END.search(data)
        if end is not None:
            self.done = True
            self.reported_error = end[1] == b"error"

    def _take_usage(self, data: bytes) -> None:
        for payload in payloads(data):
            if _USAGE.search(payload) is None:
                continue
            try:
                event = _decode_event(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            found = event.usage or (event.message.usage if event.message is not None else None)
            if found is None:
                continue
            self._known = self._known.followed_by(found) if self._known is not None else found
            if event.usage is not None and self._known.is_known:
                self.usage: Tokens | None = self._known.tokens()


def first_failure(first: bytes) -> tuple[int, bytes] | None:
    """The status and the body of the error that a stream begins with, None where it does not."""
    if _END.search(first) is None:
        return None
    payload = next(payloads(first), b"")
    try:
        event = _decode_failure(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if event.type != "error":
        return None
    return STATUSES.get(event.error.type if event.error else "", _BAD_GATEWAY), payload
