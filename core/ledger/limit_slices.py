"""What a process has of limits, taken from Redis beforehand, so that most requests need not ask.

A slice of a window is good within the span of time in which it was taken, for there it is counted: what is
left of it then goes back. So nothing is let in that is not counted at its time or before it, and the sum of
what all processes let in never passes the limit. The nearer the limit, the smaller the slices.
"""

from core.ledger.limit_debts import Debts
from core.ledger.limits import Cap, Limit

_IDLE = 480  # ticks after which a slice that nobody uses is forgotten

Name = tuple[str, str]
"""The key of a limit, and the name of a cap of it; "" for its places."""


class Slice:
    """A part of a window."""

    __slots__ = ("beyond", "cap", "idle", "key", "left", "number", "used", "used_before")

    def __init__(self, key: str, cap: Cap) -> None:
        self.key = key
        self.cap = cap
        self.number = -1  # of the span in which it was taken
        self.left = 0
        self.beyond = 0  # how much there was beside it when it was taken
        self.used = 0  # since the last tick
        self.used_before = 0  # between the last two
        self.idle = 0  # ticks since it was used, or filled

    def extra(self) -> int:
        """How much more to take than is needed: as much as will be needed until the next tick."""
        return max(self.used, self.used_before)

    def spend(self, amount: int) -> int:
        """Uses some of it; how much of the window is left, as far as is known here."""
        self.left -= amount
        self.used += amount
        self.idle = 0
        return self.beyond + self.left


class Places:
    """A part of the requests that may be under way at once."""

    __slots__ = ("beyond", "held", "key", "most", "peak", "running")

    def __init__(self, key: str) -> None:
        self.key = key
        self.most = 0
        self.held = 0  # taken from Redis
        self.running = 0  # requests under way here
        self.peak = 0  # the most of them since the last tick
        self.beyond = 0  # how many there were beside those when they were taken

    @property
    def scarce(self) -> bool:
        """Whether others may need what is free here."""
        return self.beyond < self.most // 2

    def start(self) -> None:
        self.running += 1
        self.peak = max(self.peak, self.running)

    def free(self) -> int:
        """How many to give back now."""
        needed = self.running if self.scarce else max(self.running, self.peak)
        return max(0, self.held - needed)


class Slices:
    """All that this process has."""

    def __init__(self, debts: Debts) -> None:
        """debts: where what goes back is noted."""
        self._debts = debts
        self.pieces: dict[Name, Slice] = {}
        self.places: dict[str, Places] = {}

    def piece(self, key: str, cap: Cap, now: float) -> Slice:
        """The slice of a cap, after what is left of an earlier span has gone back. now: Redis's time."""
        piece = self.pieces.get((key, cap.name))
        if piece is None:
            piece = self.pieces[key, cap.name] = Slice(key, cap)
        piece.cap = cap
        if piece.left and piece.number != int(now) // cap.window.span:
            self._give_back(piece)
        return piece

    def place(self, limit: Limit) -> Places:
        """The places of a limit."""
        places = self.places.get(limit.key)
        if places is None:
            places = self.places[limit.key] = Places(limit.key)
        places.most = limit.concurrent
        return places

    def tick(self, now: float) -> None:
        """What nobody used since the last tick goes back."""
        for name, piece in list(self.pieces.items()):
            if piece.left and (piece.idle or piece.number != int(now) // piece.cap.window.span):
                self._give_back(piece)
            piece.used_before, piece.used = piece.used, 0
            piece.idle += 1
            if piece.idle > _IDLE:
                del self.pieces[name]

    def tick_places(self) -> None:
        """Begins to look anew for how many places are needed."""
        for key, places in list(self.places.items()):
            places.peak = places.running
            if not places.held and not places.running:
                del self.places[key]

    def give_back(self) -> None:
        """All that is left goes back."""
        for piece in self.pieces.values():
            self._give_back(piece)

    def drop(self) -> None:
        """Nothing that is left counts any more."""
        for piece in self.pieces.values():
            piece.left = 0

    def _give_back(self, piece: Slice) -> None:
        self._debts.owe(piece.key, piece.cap, piece.number, -piece.left)
        piece.left = 0
