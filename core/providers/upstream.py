"""What the router asks of a provider, whatever is behind it.

    routing ─► Upstream.send(operation, body) ─► Reply ─┬─ read()    the whole body
                                                       └─ arrived()  as it comes

Implementations: core/providers/http_upstream.py (every vendor) and core/providers/echo.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from core.providers.wire import Headers

if TYPE_CHECKING:
    from core.providers.objects import ProviderObjects

MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""An answer larger than this is a provider's fault, not something to keep in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a provider is and how to call it. Times are in seconds."""

    id: int
    name: str
    type: str
    base_url: str
    api_key: str = field(repr=False)
    connect_timeout: float
    first_byte_timeout: float
    idle_timeout: float


class Reply(Protocol):
    """A provider's answer whose head has arrived."""

    status: int
    content_type: str
    headers: Sequence[tuple[str, str]]  # what is passed on to the caller, names in lower case
    retry_after: float | None  # seconds

    async def read(self) -> bytes:
        """The whole body. Raises ProviderError where it breaks off or is too large."""
        ...

    @property
    def over(self) -> bool:
        """Whether the whole body has been taken."""
        ...

    def arrived(self) -> bytes:
        """What of the body has come since the last time, b"" for nothing. Raises StreamInterrupted."""
        ...

    async def more(self) -> None:
        """Waits until there may be something to take, or the end. Raises StreamInterrupted."""
        ...

    def notify(self, tell: Callable[[], None]) -> None:
        """From now on `tell` is called whenever there may be something to take, or the end; instead of `more`."""
        ...

    def close(self) -> None:
        """Ends the answer, and with it the provider's work, where it is not complete."""
        ...


class Upstream(Protocol):
    """One provider."""

    target: Target
    asks_usage: bool  # whether streams must be asked to report their usage
    operations: frozenset[str]  # what it can be asked for: those of the wires that it speaks
    translates_to: str  # the one of them for which a chat on another wire is translated; "" for none

    @property
    def objects(self) -> "ProviderObjects | None":
        """Its files and batches; None where it keeps none."""
        ...

    async def send(
        self, operation: str, body: bytes, headers: Headers = (), *, model: str = "", streamed: bool = False
    ) -> Reply:
        """Sends a request; returns when the head of the answer is there, whatever its status.

        headers: the caller's, of which those go on that the wire passes on. model: by its name there, for wires
        that have it in the address, as some have whether the answer is streamed. Raises ProviderError where
        there is no answer.
        """
        ...

    async def models(self) -> list[str]:
        """The models that the provider has now. Raises RefreshFailed."""
        ...
