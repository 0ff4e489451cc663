"""Our key at a provider, which providers repeat in their errors, taken out of what goes to callers."""

from typing import Final

from core.dialects.dialect import Meter
from core.routing.wrapped_meter import WrappedMeter

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


class _ScrubbingMeter(WrappedMeter):
    """Events are whole where they are looked at: a key is never torn."""

    __slots__ = ("_secret",)

    def __init__(self, inner: Meter, secret: bytes) -> None:
        super().__init__(inner)
        self._secret = secret

    def passed(self, block: bytes) -> bytes:
        block = super().passed(block)
        return block.replace(self._secret, _HIDDEN) if self._secret in block else block
