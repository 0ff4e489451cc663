"""The overview: what was spent, by whom, for what, what the month will cost, and what repeated prompts did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.auth import Principal
from core.clock import micros
from core.ledger import period
from core.ledger.reports import sees_all
from core.store import repeats, usage_sums
from core.store.database import Database
from core.store.repeats import EVERYBODY, Repeated
from core.store.usage_sums import Spend, Spender

_TOP = 10
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Overview:
    """Amounts are in nano-dollars; months are those of UTC."""

    spend: Spend
    forecast: int
    top_users: Sequence[Spender]
    top_projects: Sequence[Spender]
    repeats: int
    waste: int
    top_prompts: Sequence[Repeated]


async def overview(database: Database, principal: Principal, now: datetime) -> Overview:
    """Everybody's for an administrator, else the principal's own. Raises DatabaseError."""
    whose = None if sees_all(principal) else principal.user_id
    viewer = EVERYBODY if whose is None else whose
    (today, _), (month, _) = period.window(period.DAY, now), period.window(period.MONTH, now)
    this = micros(month)
    async with database.snapshot() as connection:
        spend = await usage_sums.spend(
            connection, whose, day=micros(today), month=this, year=micros(month.replace(month=1))
        )
        again, waste = await repeats.waste(connection, viewer, this)
        return Overview(
            spend=spend,
            forecast=forecast(spend.month, now),
            top_users=await usage_sums.top_users(connection, whose, month=this, limit=_TOP),
            top_projects=await usage_sums.top_projects(connection, whose, month=this, limit=_TOP),
            repeats=again,
            waste=waste,
            top_prompts=await repeats.dearest(connection, viewer, this, _TOP),
        )


def forecast(spent: int, now: datetime) -> int:
    """What a month will have cost: spend over elapsed days (fractional, at least one), times the month's days."""
    start, end = period.window(period.MONTH, now)
    elapsed = max(now - start, _DAY) // timedelta(microseconds=1)
    whole = (end - start) // timedelta(microseconds=1)
    return (spent * whole + elapsed // 2) // elapsed
