"""Users as operators name them: by e-mail address, user name or number."""

from core.commands.failure import Failure
from core.deps import Deps
from core.store import users
from core.store.users import User


async def find(deps: Deps, who: str) -> User:
    """The user. Raises Failure where there is none."""
    async with deps.database.read() as connection:
        found = await users.by_login(connection, who.strip().lower())
        user = found[0] if found is not None else None
        if user is None and who.isascii() and who.isdigit() and len(who) < 19:
            user = await users.get(connection, int(who))
    if user is None:
        raise Failure(f"there is no user '{who}'; `llmrouter users list` shows them all")
    return user
