"""How each provider is doing: which ones rest for a while.

A provider rests after it said when to come back (Retry-After), and after several failures in a row,
longer each time. A resting provider is tried last, not never: where it is the only one it is asked.
"""

from core.clock import Clock

_FAILURES = 5  # in a row, before a provider rests
_REST = 5.0  # seconds, doubled with each further failure
_MAX_REST = 60.0


class _State:
    __slots__ = ("failures", "rests_until")

    def __init__(self) -> None:
        self.failures = 0
        self.rests_until = 0.0


class Health:
    """The state of all providers, by their numbers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[int, _State] = {}

    def succeeded(self, provider_id: int) -> None:
        """It answered."""
        if self._states:
            self._states.pop(provider_id, None)

    def failed(self, provider_id: int, retry_after: float | None) -> None:
        """It gave no answer, or one that says to come back later (in `retry_after` seconds)."""
        state = self._states.setdefault(provider_id, _State())
        state.failures += 1
        rest = retry_after or 0.0
        if state.failures >= _FAILURES:
            rest = max(rest, min(_MAX_REST, _REST * 2 ** min(10, state.failures - _FAILURES)))
        state.rests_until = max(state.rests_until, self._clock.monotonic() + min(rest, _MAX_REST))

    def rests(self, provider_id: int) -> bool:
        """Whether others shall be tried first."""
        state = self._states.get(provider_id)
        return state is not None and state.rests_until > self._clock.monotonic()

    def forget(self, provider_id: int) -> None:
        """The provider was changed: it starts anew."""
        self._states.pop(provider_id, None)

    def all_well(self) -> bool:
        """Whether no provider has failed since it last answered."""
        return not self._states
