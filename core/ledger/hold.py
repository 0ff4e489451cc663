"""Money that is held for one request, under every budget that pays for it."""

from collections.abc import Sequence

from core.ledger.purse import Purse
from core.ledger.record import Charge


class Hold:
    """Settle it once; until then its amount is nobody else's."""

    __slots__ = ("amount", "purses", "settled", "watched")

    def __init__(self, amount: int, purses: Sequence[Purse], watched: Sequence[int]) -> None:
        """amount: in nano-dollars; watched: the balances that only count what is spent."""
        self.amount = amount
        self.purses = purses
        self.watched = watched
        self.settled = False

    def charges(self) -> list[Charge]:
        """What the balances have to do with the request, as long as its cost is not known."""
        amount, charges = self.amount, self._watching() if self.watched else []
        for purse in self.purses:
            lease = purse.lease
            charges.append(Charge(lease.balance_id, lease.id, amount, amount))
        return charges

    def settle(self, cost: int) -> list[Charge]:
        """Ends the hold; what the balances pay. A second call has no effect and says nothing."""
        if self.settled:
            return []
        self.settled = True
        amount, charges = self.amount, self._watching() if self.watched else []
        for purse in self.purses:
            lease = purse.lease
            charges.append(Charge(lease.balance_id, lease.id, amount, purse.put(amount, cost)))
        return charges

    def _watching(self) -> list[Charge]:
        return [Charge(balance_id, 0, 0, 0) for balance_id in self.watched]
