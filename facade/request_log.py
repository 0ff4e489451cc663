"""One line in the log per request, as long as there are not too many.

Writing a line costs more than the facade's whole part of an inference call. So at most so many are
written in a second, faults apart from the rest, and the next one says how many were left out; at the
level "debug" all are written. Nothing is lost by it: /metrics counts every request, and each inference
call has its usage record.
"""

import logging

from facade.call import Call

log = logging.getLogger("llmrouter.http")

LINES_PER_SECOND = 50


class _Budget:
    """Lines that may still be written in this second."""

    __slots__ = ("left", "second", "skipped")

    def __init__(self) -> None:
        self.second = 0
        self.left = 0
        self.skipped = 0

    def take(self, now: float) -> bool:
        second = int(now)
        if second != self.second:
            self.second, self.left = second, LINES_PER_SECOND
        if self.left:
            self.left -= 1
            return True
        self.skipped += 1
        return False


class RequestLog:
    """Writes the lines."""

    def __init__(self) -> None:
        self._usual = _Budget()
        self._faults = _Budget()

    def note(self, call: Call, path: str, status: int, seconds: float, now: float) -> None:
        """A request was answered. path: of the route, so that no secret in a path is logged; now: monotonic."""
        if not log.isEnabledFor(logging.INFO):
            return
        budget = self._faults if status >= 500 else self._usual
        if budget.take(now) or log.isEnabledFor(logging.DEBUG):
            extra = {
                "method": call.method if len(call.method) <= 20 else "?",
                "path": path,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "request_id": call.request_id,
            }
            if budget.skipped:
                extra["skipped"], budget.skipped = budget.skipped, 0
            log.info("http", extra=extra)
