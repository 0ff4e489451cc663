"""What alembic runs to reach the database.

core/store/migrate.py hands over an open connection, in a transaction of its own, and a function to
report progress to. The `alembic` command hands over nothing: it uses the database of the settings
(`alembic revision --autogenerate -m "…"`, run from the repository's root).
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context

from core.settings import load
from core.store import migrate
from core.store.tables import metadata


def _run(connection: sa.Connection) -> None:
    report: migrate.Progress | None = context.config.attributes.get("progress")

    # The names of the arguments are alembic's.
    def applied(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
        if report is not None:
            direction = "up to" if step.is_upgrade else "down from"
            report(f"{direction} {step.up_revision.revision}: {step.up_revision.doc}")

    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",  # it can change a table only by making it anew
        compare_type=True,
        on_version_apply=applied,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run_on_the_settings_database() -> None:
    url = load(os.environ, Path(".env")).resolved_database_url
    async with migrate.connected(url) as connection:
        await connection.run_sync(_run)


if context.is_offline_mode():
    raise SystemExit("migrations need a database: they run in one transaction and look at what they find")
given: sa.Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    asyncio.run(_run_on_the_settings_database())
