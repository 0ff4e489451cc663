"""What belongs to one user each: goals, personas.

Every function asks whose it is: to others it is not there. A kind of belonging is a table, a row and
the name of its long text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.weight import weighed


class Belonging(Protocol):
    """A row: a dataclass whose fields are the columns of its table."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


_Row = TypeVar("_Row", bound=Belonging)


class Belongings(Generic[_Row]):
    """All belongings of one kind."""

    def __init__(self, table: sa.Table, row: type[_Row], *, text: str) -> None:
        """text: the column that may be long."""
        self._table = table
        self._row = row
        self._columns = [table.c[each.name] for each in fields(row)]
        self._text = table.c[text]

    async def page(
        self, connection: AsyncConnection, user_id: int, *, before: tuple[int, str] | None, limit: int
    ) -> tuple[Sequence[_Row], bool]:
        """A user's belongings, the newest first, and whether there are more.

        before: when the last one of the page before was made, in microseconds since 1970, and its id. There are at
        most `limit`, and no more than one answer can hold (core/store/weight.py).
        """
        columns = self._table.c
        query = sa.select(*self._columns).where(columns.user_id == user_id)
        if before is not None:
            query = query.where(sa.tuple_(columns.created_at, columns.id) < before)
        query = query.order_by(columns.created_at.desc(), columns.id.desc())
        rows, more = await weighed(connection, query, key=columns.id, text=self._text, limit=limit)
        return [self._row(*row) for row in rows], more

    async def add(self, connection: AsyncConnection, row: _Row) -> None:
        await connection.execute(sa.insert(self._table).values(asdict(row)))

    async def change(
        self, connection: AsyncConnection, row_id: str, user_id: int, values: Mapping[str, Any], now: datetime
    ) -> _Row | None:
        """The row after the change; None where the user has none of that id."""
        statement = sa.update(self._table).where(self._of(row_id, user_id)).values(**values, updated_at=now)
        row = (await connection.execute(statement.returning(*self._columns))).first()
        return None if row is None else self._row(*row)

    async def remove(self, connection: AsyncConnection, row_id: str, user_id: int) -> bool:
        """Removes a row; false where the user has none of that id."""
        return (await connection.execute(sa.delete(self._table).where(self._of(row_id, user_id)))).rowcount > 0

    def _of(self, row_id: str, user_id: int) -> sa.ColumnElement[bool]:
        return sa.and_(self._table.c.id == row_id, self._table.c.user_id == user_id)
