"""What a process has counted in advance in the shared memory, so that most requests need not look there.

    a request of a second ─► the file: it is counted, and with it as many more as are likely to come ─► Advance
    those more            ─► Advance: a subtraction
    the second is over    ─► what is left goes back to where it was counted, and so do tokens that were not used

An advance is good within the second in which it was counted, so nothing is let in that is not counted at
its time. It is a small part of what its limits have left. Near a limit there is none: whoever comes near
one first takes back what this process has in advance of it, and then looks at every request.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from core.ledger.limit_counters import Ticket, note
from core.ledger.limit_file import LimitFile
from core.ledger.limits import Limit

_PART = 64  # an advance is at most this part of what a limit has left
_LEAST = 4  # requests for which it is worth the while
NEAR: Final = _PART * _LEAST
"""Where a limit has less left than so many requests nothing of it is counted in advance."""

_IDLE = 60  # seconds after which no more are expected


class Advance:
    """What is counted in advance for all requests that have the same limits."""

    __slots__ = (
        "_before",
        "_given",
        "_returns",
        "_taken",
        "at",
        "good_until",
        "limits",
        "nearest",
        "owed",
        "requests",
        "tokens",
    )

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits = limits
        self.at = 0  # the second in which it was counted, since 1970
        self.good_until = 0.0  # by the monotonic clock
        self.requests = 0
        self.tokens = 0
        self.owed: dict[int, int] = {}  # tokens to be made good, by the second in which they were counted
        self.nearest = Ticket(limits, 0, 0.0)  # the limits nearest to their end; what they have beside this
        self._returns = any(limit.has_tokens for limit in limits)
        self._given = 0  # requests, the last time
        self._taken = 0  # requests of the second `at`
        self._before = 0  # and of the one before it

    def take(self, tokens: int) -> Ticket:
        """Lets a request in. Ask before whether there is enough."""
        self.requests = requests = self.requests - 1
        self.tokens = left = self.tokens - tokens
        nearest = self.nearest
        return Ticket(
            self.limits,
            tokens,
            self.at,
            nearest.requests_cap,
            nearest.requests_left + requests,
            nearest.tokens_cap,
            nearest.tokens_left + left,
            self._returns,
            advance=self,
        )

    def owe(self, second: int, difference: int) -> None:
        """A request of an earlier second used so many more tokens than were counted."""
        self.owed[second] = self.owed.get(second, 0) + difference

    def expected(self, second: int) -> int:
        """How many more requests are to be expected in a second in which one has just come; after `settle`."""
        if second != self.at:
            self._before = self._taken if second == self.at + 1 else 0
            self._taken, self.at = 0, second
        self._taken += 1
        return max(self._taken, self._before)

    def fill(self, file: LimitFile, bases: Sequence[int], now: float, tokens: int, good_until: float) -> bool:
        """Counts in advance what is expected, of requests with so many tokens; whether that is anything."""
        cells, requests = file.cells, self.expected(int(now))
        for limit, base in zip(self.limits, bases, strict=True):
            if limit.concurrent:
                return False
            for cap in limit.caps:
                rest = (cap.most - cap.window.used(cells, base, now)) // _PART
                requests = min(requests, rest // tokens if cap.of_tokens else rest)
        if requests < _LEAST:
            return False
        self.requests = self._given = requests
        self.tokens, self.good_until = requests * tokens, good_until
        self.nearest = Ticket(self.limits, 0, now)
        for limit, base in zip(self.limits, bases, strict=True):
            for cap in limit.caps:
                used = cap.window.add(cells, base, self.tokens if cap.of_tokens else requests)
                note(self.nearest, cap, cap.most - used)
        return True

    def settle(self, file: LimitFile, now: float) -> None:
        """Gives back what is left, and makes good what is owed."""
        cells, left, tokens = file.cells, self.requests, self.tokens
        self._taken += self._given - left
        self.requests = self.tokens = self._given = 0
        self.good_until = 0.0
        owed, self.owed = self.owed, {}
        if tokens:
            owed[self.at] = owed.get(self.at, 0) - tokens
        for limit in self.limits:
            base = file.slot(limit.key, now, limit.seconds)
            for cap in limit.caps:
                if cap.of_tokens:
                    for at, difference in owed.items():
                        cap.window.correct(cells, base, at, now, difference)
                elif left:
                    cap.window.correct(cells, base, self.at, now, -left)


class Advances:
    """All of them."""

    def __init__(self) -> None:
        self.known: dict[int, Advance] = {}  # by the identity of their limits, which they keep
        self._out: dict[str, set[Advance]] = {}  # those to be settled, by the key of each of their limits

    def add(self, limits: Sequence[Limit]) -> Advance:
        """The first of these very limits."""
        self.known[id(limits)] = advance = Advance(limits)
        return advance

    def note(self, advance: Advance) -> None:
        """It is to be settled."""
        for limit in advance.limits:
            self._out.setdefault(limit.key, set()).add(advance)

    def settle(self, advances: Iterable[Advance], file: LimitFile, now: float) -> None:
        """Settles those that have to be, with the file's lock held."""
        for advance in tuple(advances):
            for limit in advance.limits:
                others = self._out.get(limit.key)
                if others is not None:
                    others.discard(advance)
                    if not others:
                        del self._out[limit.key]
            advance.settle(file, now)

    def out(self, limit: Limit) -> Iterable[Advance]:
        """Those of a limit that are to be settled."""
        return self._out.get(limit.key, ())

    def over(self, monotonic: float) -> list[Advance]:
        """Those to be settled whose time is over."""
        found = {advance for some in self._out.values() for advance in some if monotonic >= advance.good_until}
        return list(found)

    def all(self) -> list[Advance]:
        """All that are to be settled."""
        return list({advance for some in self._out.values() for advance in some})

    def forget(self, now: float) -> None:
        """Forgets those that nobody has used for long."""
        for key, advance in list(self.known.items()):
            if advance.at < now - _IDLE and not advance.owed and not advance.good_until:
                del self.known[key]
