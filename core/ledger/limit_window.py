"""Sliding windows of counts, in a row of integers.

    head │ total │ cell cell cell …      a cell for each span of time, used in turn; head: the span of the newest

A window counts the span that runs now and as many whole ones before it as cover its length. So what
was counted stays for at least the window's length and at most one span longer: there is no stretch of
a minute, wherever it begins, with more in it than the limit. That is the promise; what it costs is a
sixtieth of the rate at most.

The integers are anybody's who gives a sequence of them: a list, or memory that processes share.
"""

from typing import Final, Protocol


class Cells(Protocol):
    """A mutable sequence of 64-bit integers."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...


class Window:
    """Where a window's integers are in a slot, and how long its spans are. It holds no counts itself."""

    __slots__ = ("_first", "_head", "_total", "end", "seconds", "size", "span")

    def __init__(self, start: int, spans: int, span: int) -> None:
        """start: of its integers in a slot; spans: whole ones that cover its length; span: in seconds."""
        self._head = start
        self._total = start + 1
        self._first = start + 2
        self.size = spans + 1
        self.end = self._first + self.size
        self.span = span
        self.seconds = self.size * span  # how long something is counted at most

    def used(self, cells: Cells, base: int, now: float) -> int:
        """What is counted now. base: where the slot begins; now: seconds since 1970."""
        number = int(now) // self.span
        if number != cells[base + self._head]:
            self._advance(cells, base, number)
        return cells[base + self._total]

    def add(self, cells: Cells, base: int, amount: int) -> int:
        """Counts something in the newest span, after `used` was asked; what is counted then."""
        cells[base + self._first + cells[base + self._head] % self.size] += amount
        cells[base + self._total] = total = cells[base + self._total] + amount
        return total

    def correct(self, cells: Cells, base: int, at: float, now: float, difference: int) -> None:
        """Makes what was counted at some time more or less.

        Where that time is not counted any more, more counts now, and less is nothing.
        """
        self.used(cells, base, now)
        head = cells[base + self._head]
        number = int(at) // self.span
        if not head - self.size < number <= head:
            if difference < 0:
                return
            number = head
        place = base + self._first + number % self.size
        difference = max(difference, -cells[place])
        cells[place] += difference
        cells[base + self._total] += difference

    def wait(self, cells: Cells, base: int, now: float, needed: int) -> float:
        """Seconds until so much of what is counted has passed; until all has, where that is too little."""
        head = cells[base + self._head]
        passed = 0
        for number in range(head - self.size + 1, head + 1):
            passed += cells[base + self._first + number % self.size]
            if passed >= needed or number == head:
                return max(0.0, (number + self.size) * self.span - now)
        return 0.0

    def counted(self, cells: Cells, base: int, now: float) -> dict[int, int]:
        """The number of each span with something in it, and how much that is."""
        self.used(cells, base, now)
        head = cells[base + self._head]
        numbers = range(head - self.size + 1, head + 1)
        amounts = ((number, cells[base + self._first + number % self.size]) for number in numbers)
        return {number: amount for number, amount in amounts if amount}

    def _advance(self, cells: Cells, base: int, number: int) -> None:
        """Makes a later span the newest. A clock that was put back does not bring back what has passed."""
        head, first, size = cells[base + self._head], base + self._first, self.size
        if number < head:
            if head - number < size:
                return  # a little: the newest span lasts longer
            head = number - size  # far: all that is counted is counted as of now
            counted = sum(cells[first + place] for place in range(size))
            for place in range(size):
                cells[first + place] = 0
            cells[first + number % size] = counted
        else:
            for passed in range(max(head + 1, number - size + 1), number + 1):
                cells[first + passed % size] = 0
        cells[base + self._head] = number
        # Summed up anew, so that a process that was killed between two writes leaves no trace for long.
        cells[base + self._total] = sum(cells[first + place] for place in range(size))


HEADER: Final = 4
"""The first integers of a slot: whose it is (two), and until when it is needed."""

REQUESTS_PER_MINUTE: Final = Window(HEADER, 60, 1)
TOKENS_PER_MINUTE: Final = Window(REQUESTS_PER_MINUTE.end, 60, 1)
REQUESTS_PER_DAY: Final = Window(TOKENS_PER_MINUTE.end, 48, 1800)
TOKENS_PER_DAY: Final = Window(REQUESTS_PER_DAY.end, 48, 1800)

RUNNING: Final = TOKENS_PER_DAY.end
"""From here on, how many requests each process of the machine has under way."""

MAX_WORKERS: Final = 64
SLOT: Final = RUNNING + MAX_WORKERS
"""Integers of a slot."""
