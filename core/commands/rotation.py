"""Encrypts all provider keys with the current secret key, so that an old one can be thrown away."""

import sys

from core.deps import Deps
from core.store import changes, providers


async def rotate(deps: Deps) -> int:
    """Goes through the providers one by one, each in a transaction; can be repeated at any time."""
    async with deps.database.read() as connection:
        rows = [row for row in await providers.all_rows(connection) if row.api_key is not None]
    unreadable = 0
    for number, row in enumerate(rows, 1):
        done = await _rotate_one(deps, row.id)
        unreadable += not done
        note = "" if done else ": its key was encrypted with a secret key that is not here; enter the provider key anew"
        print(f"[{number}/{len(rows)}] {row.name}{note}", file=sys.stdout if done else sys.stderr, flush=True)
    print(f"{len(rows) - unreadable} of {len(rows)} keys are encrypted with the current secret key")
    return 1 if unreadable else 0


async def _rotate_one(deps: Deps, provider_id: int) -> bool:
    """Whether the key could be read; a provider that is gone or has no key any more needs nothing."""
    async with deps.database.write() as connection:
        row = await providers.lock(connection, provider_id)
        if row is None or row.api_key is None:
            return True
        try:
            encrypted = deps.cipher.rotate(row.api_key)
        except ValueError:
            return False
        now = deps.clock.now()
        await providers.change(connection, provider_id, {"api_key": encrypted}, now)
        await changes.note(connection, "provider", provider_id, now)
    return True
