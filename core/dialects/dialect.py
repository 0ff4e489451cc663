"""What the pipeline asks of a wire format, the same of each.

    caller's bytes ─read_request─► Request ─upstream_body─► provider's bytes
    provider's bytes ─answer_tokens─► Tokens
    a stream's bytes ─meter─► the caller's bytes, and Tokens at its end

Dialects are pure functions and meters, and know nothing of each other; table.py has them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from core.dialects.request import Request
from core.dialects.tokens import Tokens


class Meter(Protocol):
    """Follows one stream. Feed it what the network brings, relay what it returns."""

    usage: Tokens | None  # what the provider reported of the whole request, None until it has
    done: bool  # the stream's own end mark was seen
    reported_error: bool  # it ended with an error event, which the caller has as the provider said it

    def feed(self, data: bytes) -> bytes:
        """Takes what one read brought; returns what the caller shall have of it, perhaps nothing yet."""
        ...

    def end(self) -> bytes:
        """Takes note of the stream's end; returns what was left of a last event."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end."""
        ...

    def output_tokens(self) -> int:
        """Output tokens so far: as reported, else counted."""
        ...

    def rough_output_tokens(self) -> int:
        """About how many output tokens so far, at next to no cost."""
        ...

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used; `prompt_tokens` counts only where the provider reported nothing."""
        ...


class ReadRequest(Protocol):
    def __call__(self, operation: str, body: bytes, *, never_stream: bool = False) -> Request:
        """Reads what the router needs of a body. Raises InvalidArgument, ModelRequired."""
        ...


class ReadForm(Protocol):
    def __call__(self, operation: str, body: bytes, content_type: str) -> Request:
        """Reads the same of a body that is a form (multipart/form-data). Raises InvalidArgument, ModelRequired."""
        ...


class UpstreamBody(Protocol):
    def __call__(self, request: Request, model: str, *, ask_usage: bool) -> bytes:
        """The body for a provider that calls the model so; ask_usage: have a stream report what it used."""
        ...


class Limited(Protocol):
    def __call__(self, request: Request, most_output: int, most_reasoning: int) -> Request:
        """The request under caps on its output and on its thinking, in tokens; 0 is none.

        Where it names no number it asks for the cap. Raises InvalidArgument where it asks for more.
        """
        ...


class WithLimit(Protocol):
    def __call__(self, request: Request, body: bytes, name: str) -> bytes:
        """The body for a provider with the request's limit of output in it, where it names none of its own.

        name: what the provider calls it, on a wire where vendors differ.
        """
        ...


class NewMeter(Protocol):
    def __call__(self, *, hide_usage: bool) -> Meter:
        """A meter for one stream; hide_usage: the usage was asked for by us, not by the caller."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One wire format."""

    title: str  # how people call it
    read_request: ReadRequest
    upstream_body: UpstreamBody
    limited: Limited
    prompt_tokens: Callable[[Request], int]  # counts the prompt, where the provider does not
    answer_tokens: Callable[[Request, bytes], Tokens]  # of a whole answer; ValueError for what is none
    meter: NewMeter
    first_failure: Callable[[bytes], tuple[int, bytes] | None]
    """The status and the body of the error that a stream begins with, None where it does not."""
    without_foreign: Callable[[Request, str], Request] | None = None
    """The request without other makers' thoughts, for a type of vendor; where `upstream_body` does not see to it."""
    with_limit: WithLimit | None = None  # where an answer has a length that can be limited
    read_form: ReadForm | None = None  # where its requests may be forms
    stream_type: str = "text/event-stream"  # media type of its streams; "" where any answer is passed on as it comes
