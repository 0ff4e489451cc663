"""What goes into the pipeline, and a whole answer that comes out of it; a stream is in stream.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.auth import Principal
from core.dialects.tokens import NO_TOKENS, Tokens
from core.providers.wire import CONTENT_TYPE, Headers
from core.routing.typed import TypedChat


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, as every way in hands it to the pipeline."""

    request_id: str  # unique: a record is kept under it
    operation: str  # of core/dialects/table.py
    surface: str
    principal: Principal
    body: bytes
    timeout: float = 0.0  # seconds; 0 for the setting's
    never_stream: bool = False
    headers: Headers = ()  # of the caller's, what a wire may pass on to the provider
    check: Callable[[bytes], object] | None = None  # of a whole good answer; raises ProviderError where it is of no use
    typed: TypedChat | None = None  # the same request, of a caller who takes no wire's bytes

    @property
    def form(self) -> str:
        """The type of a body that is a form, with its boundary; "" for JSON."""
        return next((value for name, value in self.headers if name == CONTENT_TYPE), "")


@dataclass(slots=True)
class Place:
    """Where a request went."""

    provider: str = ""
    model: str = ""


@dataclass(slots=True)
class Answer:
    """A complete answer: the provider's own bytes, its errors included."""

    place: Place
    status: int
    content_type: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    tokens: Tokens = NO_TOKENS
    cost_nanousd: int | None = None
