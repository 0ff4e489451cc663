"""A meter around another one, which does something with what passes."""

from core.dialects.dialect import Meter
from core.dialects.tokens import Tokens


class WrappedMeter:
    """Follows a stream for another meter, as core/dialects/dialect.py says."""

    __slots__ = ("_inner", "done", "reported_error", "usage")

    def __init__(self, inner: Meter) -> None:
        self._inner = inner
        self.done = self.reported_error = False
        self.usage: Tokens | None = None

    def feed(self, data: bytes) -> bytes:
        return self.passed(self._inner.feed(data))

    def end(self) -> bytes:
        return self.passed(self._inner.end())

    def passed(self, block: bytes) -> bytes:
        """What goes to the caller of what the other meter gives."""
        inner = self._inner
        self.done, self.reported_error, self.usage = inner.done, inner.reported_error, inner.usage
        return block

    @property
    def complete(self) -> bool:
        return self._inner.complete

    def output_tokens(self) -> int:
        return self._inner.output_tokens()

    def rough_output_tokens(self) -> int:
        return self._inner.rough_output_tokens()

    def tokens(self, prompt_tokens: int) -> Tokens:
        return self._inner.tokens(prompt_tokens)
