"""Limits that the configuration file declares, brought into the database.

What the file declares belongs to the file: what the API changes of such a limit lasts until the next start
or reload, and a limit that is not in the file any more is removed. One that the API made is left alone.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from core.config.limits import DeclaredLimit
from core.deps import Deps
from core.ledger.limits import ANY, Scope
from core.ledger.scope import USER
from core.store import changes, limits, users

if TYPE_CHECKING:
    from core.store.limits import LimitChange

log = logging.getLogger(__name__)

_SOURCE = "config"


async def bring_in_line(deps: Deps, declared: Sequence[DeclaredLimit]) -> None:
    """Brings the limits to what the file says: all of them, or none where it fails. Raises DatabaseError."""
    now = deps.clock.now()
    said: list[tuple[int, Scope, str]] = []
    async with deps.database.write() as connection:
        rows = {Scope(row.scope_kind, row.scope_id): row for row in await limits.lock_all(connection)}
        wanted: set[Scope] = set()
        for one in declared:
            scope = await _scope(connection, one)
            if scope is None:
                said.append((logging.WARNING, Scope(one.kind, one.id), "is in the file, and there is no such user"))
                continue
            row, counts = rows.get(scope), cast("LimitChange", dict(one.counts))
            wanted.add(scope)
            if row is None:
                row = await limits.add(connection, scope.kind, scope.id, counts, _SOURCE, now)
                said.append((logging.INFO, scope, "was declared by the file"))
            elif row.source != _SOURCE:
                said.append((logging.WARNING, scope, "was made by the API and is left alone"))
                continue
            elif any(getattr(row, name) != number for name, number in one.counts):
                await limits.change(connection, row.id, counts, now)
                said.append((logging.INFO, scope, "was changed by the file"))
            else:
                continue
            await changes.note(connection, "limit", row.id, now)
        for scope, row in rows.items():
            if row.source == _SOURCE and scope not in wanted:
                await limits.remove(connection, row.id)
                await changes.note(connection, "limit", row.id, now)
                said.append((logging.INFO, scope, "is not in the file any more and was removed"))
    for level, scope, what in said:
        log.log(level, "the limit of %s %s", scope, what)


async def _scope(connection: AsyncConnection, declared: DeclaredLimit) -> Scope | None:
    """Whose limit it is, a user by number; None where there is no such user."""
    if declared.kind != USER or declared.id == ANY:
        return Scope(declared.kind, declared.id)
    found = await users.by_login(connection, declared.id.lower())
    if found is not None:
        return Scope(USER, str(found[0].id))
    if declared.id.isascii() and declared.id.isdigit() and len(declared.id) < 19:
        user = await users.get(connection, int(declared.id))
        return None if user is None else Scope(USER, str(user.id))
    return None
