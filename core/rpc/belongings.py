"""What belongs to the caller (core/store/belongings.py): how it is listed, made, changed and removed."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import micros
from core.deps import Deps
from core.errors import NoChanges, NotFound, Unauthenticated
from core.rpc import caller, paging
from core.store.belongings import Belonging, Belongings
from core.store.database import Database

_MAX_ID = 40
_PAGE = 100
_MAX_PAGE = 1000

_Row = TypeVar("_Row", bound=Belonging)


class _Paged(Protocol):
    """A request for a page; it is a protobuf message too."""

    @property
    def page_size(self) -> int: ...
    @property
    def page_token(self) -> str: ...


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


async def page(deps: Deps, kind: Belongings[_Row], request: _Paged) -> tuple[Sequence[_Row], str]:
    """A page of the caller's, the newest first, and the token of the next one."""
    size = paging.page_size(request.page_size, default=_PAGE, most=_MAX_PAGE)
    before = paging.decode_named(request.page_token)
    async with deps.database.read() as connection:
        rows, more = await kind.page(connection, caller.current().principal.user_id, before=before, limit=size)
    return rows, paging.encode_named(micros(rows[-1].created_at), rows[-1].id) if more else ""


async def add(deps: Deps, kind: Belongings[_Row], row: _Row) -> _Row:
    """Adds what the caller made. Raises Unauthenticated."""
    async with writing(deps.database) as connection:
        await kind.add(connection, row)
    return row


async def change(deps: Deps, kind: Belongings[_Row], row_id: str, values: Mapping[str, Any]) -> _Row:
    """Changes what is the caller's; values: by column. Raises NotFound, NoChanges."""
    if not values:
        raise NoChanges
    async with writing(deps.database) as connection:
        user_id = caller.current().principal.user_id
        row = await kind.change(connection, row_id, user_id, values, deps.clock.now())
    if row is None:
        raise NotFound
    return row


async def remove(deps: Deps, kind: Belongings[_Row], row_id: str) -> None:
    """Removes what is the caller's. Raises NotFound."""
    row_id = checked_id(row_id)
    async with writing(deps.database) as connection:
        removed = await kind.remove(connection, row_id, caller.current().principal.user_id)
    if not removed:
        raise NotFound
