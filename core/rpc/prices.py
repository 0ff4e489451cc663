"""The part of AdminService that keeps prices."""

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from core import inputs
from core.deps import Deps
from core.errors import InvalidArgument, NameExists, NotFound
from core.rpc.times import to_timestamp
from core.store import price_overrides
from core.store.price_overrides import PriceOverride
from llmrouter.v1 import budget_pb2

_MOST = 1000
_MOST_RATE = 10**15  # a million dollars
_MAX_PATTERN = 300
_OPTIONAL = ("cached_input", "cache_write", "audio_input", "audio_output")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class PriceAdministration:
    """Prices that win over the published ones, each from a day on."""

    deps: Deps

    async def ListPrices(self, request: budget_pb2.ListPricesRequest, context: Any) -> budget_pb2.ListPricesResponse:
        async with self.deps.database.read() as connection:
            found = await price_overrides.every(connection)
        return budget_pb2.ListPricesResponse(prices=map(price_message, found))

    async def CreatePrice(self, request: budget_pb2.CreatePriceRequest, context: Any) -> budget_pb2.CreatePriceResponse:
        given = request.price
        columns: dict[str, Any] = {
            "provider": inputs.line(given.provider or "*", "provider", least=1, most=_MAX_PATTERN),
            "model": inputs.line(given.model, "model", least=1, most=_MAX_PATTERN),
            "since": _day(given.since),
            "input": _rate(given.input_nanousd, "input_nanousd"),
            "output": _rate(given.output_nanousd, "output_nanousd"),
        }
        for name in _OPTIONAL:
            field = f"{name}_nanousd"
            columns[name] = _rate(getattr(given, field), field) if given.HasField(field) else None  # pyright: ignore[reportArgumentType] - a name of the message's own
        try:
            async with self.deps.database.write() as connection:
                if len(await price_overrides.every(connection)) >= _MOST:
                    raise InvalidArgument(f"there are {_MOST} prices, which is the most; delete one first")
                made = await price_overrides.add(connection, self.deps.clock.now(), **columns)
        except IntegrityError as error:
            raise NameExists("there is a price for the same models from the same day", field="model") from error
        return budget_pb2.CreatePriceResponse(price=price_message(made))

    async def DeletePrice(self, request: budget_pb2.DeletePriceRequest, context: Any) -> budget_pb2.DeletePriceResponse:
        async with self.deps.database.write() as connection:
            if not await price_overrides.remove(connection, request.id, self.deps.clock.now()):
                raise NotFound
        return budget_pb2.DeletePriceResponse()


def price_message(row: PriceOverride) -> budget_pb2.Price:
    """A price as a message."""
    return budget_pb2.Price(
        id=row.id,
        provider=row.provider,
        model=row.model,
        since="" if row.since == _ALWAYS else f"{row.since:%Y-%m-%d}",
        input_nanousd=row.input,
        output_nanousd=row.output,
        cached_input_nanousd=row.cached_input,
        cache_write_nanousd=row.cache_write,
        audio_input_nanousd=row.audio_input,
        audio_output_nanousd=row.audio_output,
        created_at=to_timestamp(row.created_at),
    )


def _day(text: str) -> datetime:
    """The midnight in UTC with which a day begins; "" is always. Raises InvalidArgument."""
    if not text:
        return _ALWAYS
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise InvalidArgument("since must be a day such as 2026-01-31", field="since")


def _rate(nanos: int, field: str) -> int:
    if not 0 <= nanos <= _MOST_RATE:
        raise InvalidArgument(f"{field} must be from 0 to {_MOST_RATE}", field=field)
    return nanos
