"""From usage records to entries of the ledger.

A request under a budget has one entry for each balance that pays for it: its settlement, which says what
was held before, what it cost, and by which price and which count of the tokens that is known.
"""

from core.dialects.tokens import ESTIMATED
from core.ledger.record import UsageRecord
from core.store.ledger import SETTLEMENT, Entry


def entries_of(record: UsageRecord) -> list[Entry]:
    """The entries of a request that has come to its end."""
    estimated = record.token_source == ESTIMATED
    return [
        Entry(
            record.created_at,
            SETTLEMENT,
            charge.balance_id,
            record.request_id,
            max(1, record.attempts),
            record.cost_nanousd or 0,
            charge.held,
            record.price_source,
            record.token_source,
            estimated,
            lease_id=charge.lease_id,
            drawn=charge.covered,
        )
        for charge in record.charges
    ]
