"""One line in the log for each request that failed, as long as there are not too many.

The usage record says the same, but an operator looks into the log first. So that a flood of failures is
no flood of lines, at most so many are written in a second, what is the callers' fault apart from the
rest; the next line says how many were left out, and /metrics has counted them all.
"""

import logging
from typing import Protocol

from core.clock import Clock

log = logging.getLogger("llmrouter.inference")

LINES_PER_SECOND = 10
_MAX_MODEL = 100


class Failed(Protocol):
    """What is told of a request (core/ledger/record.py)."""

    @property
    def request_id(self) -> str: ...
    @property
    def surface(self) -> str: ...
    @property
    def requested_model(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def status_code(self) -> int: ...
    @property
    def error_reason(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def latency_us(self) -> int: ...


class _Lines:
    """Lines that may still be written in this second."""

    def __init__(self) -> None:
        self.second = -1
        self.left = 0
        self.skipped = 0

    def take(self, second: int) -> bool:
        if second != self.second:
            self.second, self.left = second, LINES_PER_SECOND
        if self.left:
            self.left -= 1
            return True
        self.skipped += 1
        return False


class FailureLog:
    """Writes the lines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines = {logging.INFO: _Lines(), logging.WARNING: _Lines()}

    def note(self, record: Failed) -> None:
        """A request failed. It takes microseconds where nothing is written."""
        level = logging.INFO if 400 <= record.status_code < 500 else logging.WARNING
        lines = self._lines[level]
        if not log.isEnabledFor(level) or not lines.take(int(self._clock.monotonic())):
            return
        extra: dict[str, object] = {
            "request_id": record.request_id,
            "reason": record.error_reason,
            "status": record.status_code,
            "provider": record.provider or "-",
            "model": record.requested_model[:_MAX_MODEL],
            "surface": record.surface,
            "attempts": record.attempts,
            "ms": round(record.latency_us / 1000, 1),
        }
        if lines.skipped:
            extra["skipped"], lines.skipped = lines.skipped, 0
        log.log(level, "inference failed", extra=extra)
