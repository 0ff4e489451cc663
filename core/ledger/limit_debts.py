"""What Redis is to be told of its windows: what goes back, what was used beyond the estimate, and what was let in
while it was gone. It is told with the next tick, all together.
"""

from typing import Any

from core.ledger.limit_scripts import CHANGE, PREFIX
from core.ledger.limits import Cap
from core.ledger.redis_link import Gone, RedisLink

_AT_ONCE = 500  # changes in one script


class Debts:
    """Amounts by window and span of time."""

    def __init__(self) -> None:
        self._owed: dict[tuple[str, str, int], tuple[Cap, int]] = {}

    def owe(self, key: str, cap: Cap, number: int, amount: int) -> None:
        """The span of that number is to have so much more."""
        _, before = self._owed.get((key, cap.name, number), (cap, 0))
        self._owed[key, cap.name, number] = (cap, before + amount)

    async def pay(self, link: RedisLink, process: str) -> None:
        """Tells Redis. Raises Gone: what may have arrived then and makes less is not told again, for more is safe."""
        while self._owed:
            owed = [(name, self._owed.pop(name)) for name in list(self._owed)[:_AT_ONCE]]
            keys: list[str] = []
            arguments: list[Any] = [process]
            for (key, name, number), (cap, amount) in owed:
                keys.append(f"{PREFIX}w:{key}:{name}")
                arguments += ["w", cap.window.span, cap.window.size, number, amount]
            try:
                await link.beat(CHANGE, keys, arguments)
            except Gone:
                for (key, _, number), (cap, amount) in owed:
                    if amount > 0:
                        self.owe(key, cap, number, amount)
                raise

    def forget_passed(self, now: float) -> None:
        """Forgets what is not counted any more."""
        for name, (cap, _) in list(self._owed.items()):
            if name[2] <= int(now) // cap.window.span - cap.window.size:
                del self._owed[name]

    def clear(self) -> None:
        self._owed.clear()
