"""What meters of server-sent events share that only pass: whole events go on, a torn one waits for its rest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.dialects.events import whole_events
from core.dialects.tally import Tally

if TYPE_CHECKING:
    from re import Pattern

    from core.dialects.tokens import Tokens


class WholeEventMeter:
    """Follows one stream, as core/dialects/dialect.py says; a wire looks at the events."""

    __slots__ = ("_rest", "_tally", "done", "reported_error", "usage")

    def __init__(self, texts: Sequence["Pattern[bytes]"]) -> None:
        """texts: find what the model says, in case no usage comes."""
        self._rest = b""
        self._tally = Tally(texts)
        self.usage: Tokens | None = None
        self.done = False
        self.reported_error = False

    def feed(self, data: bytes) -> bytes:
        """Takes what one read brought; returns what the caller shall have of it, perhaps nothing yet."""
        data, self._rest = whole_events(self._rest + data)
        if data:
            self._look_at(data)
        return data

    def end(self) -> bytes:
        """Takes note of the stream's end; returns what was left of a last event without its blank line."""
        rest, self._rest = self._rest, b""
        if rest:
            self._look_at(rest)
        return rest

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end."""
        return self.done

    def output_tokens(self) -> int:
        """Output tokens so far: as reported, else counted."""
        return self.usage.output if self.usage is not None else self._tally.tokens()

    def rough_output_tokens(self) -> int:
        """About how many output tokens so far, without reading events: most carry one or more."""
        return self._tally.events()

    def _look_at(self, data: bytes) -> None:
        """Takes note of whole events."""
        raise NotImplementedError
