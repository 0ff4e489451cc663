"""Our key at a provider, which providers repeat in their errors, taken out of what goes to callers."""

from typing import Final

from core.dialects.dialect import Meter
from core.dialects.tokens import Tokens

_SHORTEST: Final = 8  # characters; what is shorter is no key, and may be a word
_HIDDEN: Final = b"***"


def secret_of(api_key: str) -> str:
    """What must not be shown; "" where there is nothing to hide."""
    return api_key if len(api_key) >= _SHORTEST else ""


def scrubbed(data: bytes, api_key: str) -> bytes:
    """The same without the key."""
    return data.replace(api_key.encode(), _HIDDEN) if api_key else data


def scrubbing(meter: Meter, api_key: str) -> Meter:
    """The meter of a stream whose bytes pass, which passes all but the key."""
    secret = secret_of(api_key)
    return _ScrubbingMeter(meter, secret.encode()) if secret else meter


class _ScrubbingMeter:
    """Follows a stream for another meter, whose events are whole: a key is never torn."""

    __slots__ = ("_inner", "_secret", "done", "reported_error", "usage")

    def __init__(self, inner: Meter, secret: bytes) -> None:
        self._inner = inner
        self._secret = secret
        self.done = self.reported_error = False
        self.usage: Tokens | None = None

    def feed(self, data: bytes) -> bytes:
        """As core/dialects/dialect.py says."""
        inner = self._inner
        data = inner.feed(data)
        self.done, self.reported_error, self.usage = inner.done, inner.reported_error, inner.usage
        return data.replace(self._secret, _HIDDEN) if self._secret in data else data

    def end(self) -> bytes:
        data = self._inner.end()
        inner = self._inner
        self.done, self.reported_error, self.usage = inner.done, inner.reported_error, inner.usage
        return data.replace(self._secret, _HIDDEN)

    @property
    def complete(self) -> bool:
        return self._inner.complete

    def output_tokens(self) -> int:
        return self._inner.output_tokens()

    def rough_output_tokens(self) -> int:
        return self._inner.rough_output_tokens()

    def tokens(self, prompt_tokens: int) -> Tokens:
        return self._inner.tokens(prompt_tokens)
