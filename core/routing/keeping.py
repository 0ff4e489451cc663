"""What is done with one answer of the Responses API, whole or streamed, before its last byte goes to the caller."""

import re
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from core.dialects.dialect import Meter
from core.dialects.events import payloads
from core.dialects.responses import state
from core.routing.wrapped_meter import WrappedMeter

_NO_PREVIOUS: Final = re.compile(rb'"previous_response_id"\s*:\s*null')
_LONGEST_ID: Final = 200


def usable(name: str) -> bool:
    """Whether a response or an item can be kept by this id: databases take no NUL, and nobody makes such."""
    return 0 < len(name) <= _LONGEST_ID and name.isprintable()


class Keep(Protocol):
    def __call__(
        self, user_id: int, name: str, previous_id: str, asked: str, response: str, items: Sequence[str]
    ) -> None:
        """Keeps a response; asked: the request's own items as JSON, items: ids of those in the output."""
        ...


class Keeping:
    """What is to be done with the answer to one request."""

    def __init__(
        self, keep: Keep, user_id: int, previous_id: str, items: Sequence[msgspec.Raw], *, store: bool
    ) -> None:
        self._keep = keep
        self._user_id = user_id
        self._items = items
        self._store = store
        self._previous = b'"previous_response_id":' + msgspec.json.encode(previous_id) if previous_id else b""
        self.previous_id = previous_id

    def whole(self, body: bytes) -> bytes:
        """A whole answer for the caller."""
        body = self.told(body)
        self.keep(body)
        return body

    def told(self, block: bytes) -> bytes:
        """The same with what the provider does not know: the response before."""
        return _NO_PREVIOUS.sub(lambda _: self._previous, block) if self._previous else block

    def keep(self, response: bytes | msgspec.Raw) -> None:
        """Keeps a response, where that was asked for and it is one."""
        if not self._store:
            return
        try:
            name, output = state.output_of(response)
            text = bytes(response).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if usable(name):
            items = [item for raw in output if (item := state.named(raw).id) and usable(item)]
            asked = msgspec.json.encode(state.listed(self._items, name)).decode()
            self._keep(self._user_id, name, self.previous_id, asked, text, items)


class KeepingMeter(WrappedMeter):
    """Keeps a stream's response before the last of it goes to the caller."""

    __slots__ = ("_ended", "_keeping")

    def __init__(self, inner: Meter, keeping: Keeping) -> None:
        super().__init__(inner)
        self._keeping = keeping
        self._ended = False

    def end(self) -> bytes:
        self._ended = not self.done  # else its end has been seen
        return super().end()

    def passed(self, block: bytes) -> bytes:
        block = self._keeping.told(block)
        if self._ended or (self._inner.done and not self.done):
            for payload in payloads(block):
                response = state.end_of(payload)
                if response is not None:
                    self._keeping.keep(response)
        return super().passed(block)
