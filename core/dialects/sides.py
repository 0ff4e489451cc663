"""The two sides of a translation, the same of each wire.

A wire that callers speak has a CallerSide, one that providers speak a ProviderSide, and many have both.
Any caller's side works with any provider's: what they have in common is core/dialects/canonical.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.dialects.canonical import Answer, Chat, Event, Fault
from core.dialects.embedding import Embed, Embedded
from core.dialects.losses import Losses
from core.dialects.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one provider has its wire, and one of its models: what differs between those that speak the same."""

    vendor: str = ""  # the row of the vendors table, as `type` there
    output_field: str = "max_tokens"  # how a chat of the OpenAI wire says how many tokens its answer may have
    most_output: int = 4096  # tokens that the model makes at most, for wires where a request must name a number


class ErrorAnswer(NamedTuple):
    """An error of a provider's, as the caller shall have it."""

    status: int
    body: bytes
    retry_after: float | None = None  # seconds, where the provider says when to come back
    content_type: str = ""  # "" for that of the provider's answer, or of the way


class Unreadable(ValueError):
    """What a provider sent is not what its wire has. Of a stream that payload is left out."""


class Frames(Protocol):
    """Cuts what the network brings, which may be torn anywhere, into the payloads of a stream's events."""

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete now. Raises Unreadable where nothing sensible can follow."""
        ...

    def end(self) -> list[bytes]:
        """What was left when the connection ended: an event without the mark of its end, or nothing."""
        ...


class StreamReader(Protocol):
    """Reads one stream of a provider's."""

    def read(self, payload: bytes) -> list[Event]:
        """The events of one payload, perhaps none. Raises Unreadable."""
        ...

    def end(self) -> list[Event]:
        """What remains to be said when the connection has ended in good order."""
        ...


class StreamWriter(Protocol):
    """Writes one stream for a caller."""

    def write(self, events: Sequence[Event]) -> bytes:
        """Whole events of the caller's wire, b"" for nothing yet.

        After Ended it has written everything, its own end mark included. After Failed it has written the
        error event of its wire.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSide:
    """A wire as its callers have it."""

    names: Mapping[str, str]
    """Field of Chat → its name on this wire, where that is another: for the words about what gets lost."""
    read_chat: Callable[[Request], Chat]
    """What a request asks for. Raises InvalidArgument, with the field, for what the wire does not allow."""
    write_answer: Callable[[Answer, Chat], bytes]
    stream_writer: Callable[[Chat], StreamWriter]
    write_fault: Callable[[Fault], bytes]
    """The body of an error answer."""
    leave_out: str = "send x-llmrouter-drop-unsupported: true"
    """How a caller allows that what a provider can't do is left out, for the words that refuse it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSide:
    """A wire as its providers have it."""

    write_chat: Callable[[Chat, Losses, Manner], bytes]
    """The body of a request to a provider that calls the model `chat.model`. What can't be said goes to `Losses`."""
    read_answer: Callable[[bytes], Answer]
    """A whole good answer. Raises Unreadable."""
    stream_reader: Callable[[], StreamReader]
    read_fault: Callable[[int, bytes], Fault]
    """An error answer by its HTTP status and body; never raises. The fault's status is the one it should have had."""
    frames: Callable[[], Frames]
    stream_type: str = "text/event-stream"
    """The media type of its streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCaller:
    """A wire as those have it who ask for embeddings."""

    names: Mapping[str, str]
    """Field of Embed → its name on this wire, where that is another."""
    read_embed: Callable[[Request], Embed]
    """What a request asks for. Raises InvalidArgument."""
    write_embedded: Callable[[Embedded, Embed], bytes]
    write_fault: Callable[[Fault], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingProvider:
    """A wire as those have it who make embeddings."""

    write_embed: Callable[[Embed, Losses], bytes]
    """The body of a request to a provider that calls the model `embed.model`. What can't be said goes to `Losses`."""
    read_embedded: Callable[[bytes], Embedded]
    """A whole good answer. Raises Unreadable."""
    read_fault: Callable[[int, bytes], Fault]
    """As ProviderSide.read_fault."""
