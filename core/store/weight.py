"""Pages by weight: of rows that hold long texts, as many as fit in one answer.

A page of a thousand rows could weigh hundreds of megabytes, and a gRPC client takes 4 MiB by default.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

# In characters, of which each takes four bytes at most.
MOST = 1_000_000


async def weighed(
    connection: AsyncConnection,
    query: sa.Select[*tuple[Any, ...]],
    *,
    key: sa.ColumnElement[Any],
    text: sa.ColumnElement[str],
    limit: int,
) -> tuple[Sequence[sa.Row[*tuple[Any, ...]]], bool]:
    """The first rows of a query, and whether there are more.

    There are at most `limit`, and at most `MOST` characters of `text` in all of them, but one row
    comes however long it is. key: what tells the rows apart.
    """
    lengths = query.with_only_columns(key, sa.func.length(text)).limit(limit + 1)
    keys: list[Any] = []
    weight, more = 0, False
    for row_key, length in await connection.execute(lengths):
        weight += length
        more = len(keys) == limit or (weight > MOST and bool(keys))
        if more:
            break
        keys.append(row_key)
    # By their keys, for what was added in the meantime must not push out what was counted.
    return (await connection.execute(query.where(key.in_(keys)))).all(), more
