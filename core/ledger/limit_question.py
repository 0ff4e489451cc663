"""One question to Redis for all requests that wait for it, and what its answer gives to whom.

requests that wait ─► Question: keys, arguments ─► TAKE (limit_scripts.py) ─► received ─► slices
                                                                          └─► a refusal for each cap without room
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.ledger.limit_counters import Refusal, concurrent_refusal
from core.ledger.limit_scripts import PREFIX
from core.ledger.limit_slices import Name, Slices
from core.ledger.limits import Cap, Limit


@dataclass(slots=True)
class _Want:
    """What is asked for of one cap, or of the places of a limit."""

    limit: Limit
    cap: Cap | None  # None: places
    need: int = 0  # of all requests together
    missing: int = 0  # of that, what is not in the slice
    extra: int = 0


class Question:
    """What to ask, and what came of it."""

    def __init__(self, slices: Slices, now: float) -> None:
        """now: Redis's time."""
        self._slices = slices
        self._now = now
        self._wants: dict[Name, _Want] = {}

    def add(self, limits: Sequence[Limit], tokens: int) -> None:
        """A request that will use so many tokens."""
        for limit in limits:
            for cap in limit.caps:
                want = self._wants.setdefault((limit.key, cap.name), _Want(limit, cap))
                want.need += tokens if cap.of_tokens else 1
            if limit.concurrent:
                self._wants.setdefault((limit.key, ""), _Want(limit, None)).need += 1

    def asked(self, alive: str, process: str) -> tuple[list[str], list[Any]]:
        """The keys and arguments of the script. alive: the key of the processes; process: this one."""
        keys: list[str] = [alive]
        arguments: list[Any] = [process]
        for (key, name), want in self._wants.items():
            if want.cap is not None:
                piece = self._slices.piece(key, want.cap, self._now)
                want.missing = max(0, want.need - piece.left)
                want.extra = max(0, piece.extra() - max(0, piece.left - want.need))
                window = want.cap.window
                keys.append(f"{PREFIX}w:{key}:{name}")
                arguments += ["w", window.span, window.size, want.cap.most, want.missing, want.extra]
            else:
                places = self._slices.place(want.limit)
                free = places.held - places.running
                want.missing = max(0, want.need - free)
                want.extra = max(0, places.peak - places.running - max(want.need, free))
                keys.append(f"{PREFIX}c:{key}")
                arguments += ["c", 0, 0, want.limit.concurrent, want.missing, want.extra]
        return keys, arguments

    def received(self, answer: Sequence[int]) -> dict[Name, Refusal]:
        """Puts what was given into the slices; the caps of which there was not enough."""
        now = answer[0] / 1000
        refusals: dict[Name, Refusal] = {}
        for place, (name, want) in enumerate(self._wants.items()):
            given, beyond, wait, reset = answer[1 + place * 4 : 5 + place * 4]
            limit, cap = want.limit, want.cap
            if cap is None:
                places = self._slices.place(limit)
                places.held += given
                places.beyond = beyond
                if given < want.missing:
                    refusals[name] = concurrent_refusal(limit, limit.concurrent)
                continue
            piece = self._slices.piece(limit.key, cap, now)
            piece.number, piece.beyond, piece.idle = int(now) // cap.window.span, beyond, 0
            piece.left += given
            if given < want.missing:
                refusals[name] = Refusal(limit, cap.name, cap.most, beyond, wait / 1000, reset / 1000)
        return refusals
