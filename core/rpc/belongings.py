"""What belongs to the caller: the transactions in which it is made and changed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import NotFound, Unauthenticated
from core.store.database import Database

_MAX_ID = 40


@asynccontextmanager
async def writing(database: Database) -> AsyncGenerator[AsyncConnection]:
    """A transaction on what belongs to the caller. Raises Unauthenticated where the caller was removed just now."""
    try:
        async with database.write() as connection:
            yield connection
    except IntegrityError as error:  # the user is all that these rows refer to
        raise Unauthenticated from error


def checked_id(text: str) -> str:
    """An id such as `goal_…`; raises NotFound for what no id can be, and the database can't be asked about."""
    if not (0 < len(text) <= _MAX_ID and text.isascii() and text.isprintable()):
        raise NotFound
    return text
