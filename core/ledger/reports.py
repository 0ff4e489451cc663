"""Reports of the accounts: who used what, and who may know.

Users see their own usage, administrators everybody's. To a user, everybody else's usage is not
there. A user who was removed lives on in the accounts, and an administrator can still ask.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from core.auth import Principal
from core.errors import NotFound
from core.store import usage, users
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
    if whose != principal.user_id and not principal.is_admin:
        raise NotFound
    async with database.read() as connection:
        sums = await usage.sums(connection, Selection(user_id=whose, start=start, end=end))
        if sums.requests or await users.get(connection, whose) or await usage.any_of_user(connection, whose):
            return sums
    raise NotFound


async def records(
    database: Database, principal: Principal, selection: Selection, *, before_id: int | None, limit: int
) -> Sequence[UsageRow]:
    """At most `limit` of the selected records with a number below `before_id`, the newest first.

    A selection without a user means everybody for an administrator, else the principal. Raises NotFound
    where the user of the selection is not the principal's to see.
    """
    if not principal.is_admin:
        if selection.user_id not in (None, principal.user_id):
            raise NotFound
        selection = replace(selection, user_id=principal.user_id)
    async with database.read() as connection:
        return await usage.page(connection, selection, before_id=before_id, limit=limit)
