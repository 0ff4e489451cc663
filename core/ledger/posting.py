"""From usage records to entries of the ledger.

A request under a budget has one entry for each balance that pays for it: its settlement, which says what
was held before, what it cost, and by which price and which count of the tokens that is known.
"""

from collections.abc import Iterator

from core.dialects.tokens import ESTIMATED
from core.ledger.record import UsageRecord
from core.store.ledger import SETTLEMENT, Entry


def entries_of(record: UsageRecord) -> Iterator[Entry]:
    """The entries of a request that has come to its end."""
    for charge in record.charges:
        yield Entry(
            created_at=record.created_at,
            kind=SETTLEMENT,
            balance_id=charge.balance_id,
            request_id=record.request_id,
            attempt=max(1, record.attempts),
            amount=record.cost_nanousd or 0,
            held=charge.held,
            price_source=record.price_source,
            token_source=record.token_source,
            estimated=record.token_source == ESTIMATED,
            lease_id=charge.lease_id,
            drawn=charge.covered,
        )
