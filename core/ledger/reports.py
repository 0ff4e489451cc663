"""Reports of the accounts: who used what, and who may know.

Users see their own usage, administrators everybody's. To a user, everybody else's usage is not
there. A user who was removed lives on in the accounts, and an administrator can still ask.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from core.auth import Principal
from core.errors import NotFound
from core.store import usage, usage_days, usage_sums, users, virtual_keys
from core.store.database import Database
from core.store.usage import Selection, Sums, UsageRow


async def stats(
    database: Database,
    principal: Principal,
    user_id: int = 0,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Sums:
    """Sums over a user's requests from `start` on and before `end`.

    user_id: 0 for the principal. Raises NotFound where that user is not there for the principal.
    """
    whose = user_id or principal.user_id
    if whose != principal.user_id and not sees_all(principal):
        raise NotFound
    async with database.snapshot() as connection:
        sums = await usage_sums.of_user(connection, whose, start, end)
        if sums.requests or await users.get(connection, whose) or await usage_sums.any_of_user(connection, whose):
            return sums
    raise NotFound


def sees_all(principal: Principal) -> bool:
    """Whether everybody's usage is the principal's to see; a virtual key sees no more than its user's own."""
    return principal.is_admin and principal.kind != virtual_keys.KIND


def seen_by(principal: Principal, selection: Selection) -> Selection:
    """What of a selection is the principal's to see.

    A selection without a user means everybody for an administrator, else the principal. Raises NotFound
    where the user of the selection is not the principal's to see.
    """
    if sees_all(principal):
        return selection
    if selection.user_id not in (None, principal.user_id):
        raise NotFound
    return replace(selection, user_id=principal.user_id)


async def records(
    database: Database, principal: Principal, selection: Selection, *, before_id: int | None, limit: int
) -> Sequence[UsageRow]:
    """At most `limit` of the selected records with a number below `before_id`, the newest first.

    Raises NotFound as `seen_by` does.
    """
    async with database.snapshot() as connection:
        narrowed = await usage_days.narrowed(connection, seen_by(principal, selection))
        if narrowed is None:
            return []
        return await usage.page(connection, narrowed, before_id=before_id, limit=limit)
