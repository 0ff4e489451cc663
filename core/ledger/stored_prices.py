"""Puts the prices that administrators set in force, in this process."""

from core.ledger.prices import Override, Price, Prices, Rate
from core.store import price_overrides
from core.store.database import Database
from core.store.price_overrides import PriceOverride

_MAX_SOURCE = 200  # what fits into a usage record


class StoredPrices:
    """The prices of the database, for `Prices`."""

    def __init__(self, database: Database, prices: Prices) -> None:
        self._database = database
        self._prices = prices

    async def load(self) -> None:
        """Reads them anew. Raises DatabaseError."""
        async with self._database.read() as connection:
            found = await price_overrides.every(connection)
        self._prices.set_stored([_override(row) for row in found])


def _override(row: PriceOverride) -> Override:
    source = f"override {row.id} {row.provider}/{row.model} from {row.since:%Y-%m-%d}"
    price = Price(
        source=source[:_MAX_SOURCE],
        input=Rate(row.input),
        output=Rate(row.output),
        cached_input=_rate(row.cached_input),
        cache_write=_rate(row.cache_write),
        audio_input=_rate(row.audio_input),
        audio_output=_rate(row.audio_output),
    )
    return Override(row.provider, row.model, price, row.since.date())


def _rate(nanos: int | None) -> Rate | None:
    return None if nanos is None else Rate(nanos)
