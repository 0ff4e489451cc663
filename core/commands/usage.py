"""Shows, exports and sums up usage, and makes its sums anew. No server needs to run.

What a running core has not written to the database yet is not in it; that is less than a second's.
"""

import asyncio
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from core.settings import Settings

if TYPE_CHECKING:
    from core.auth import Principal
    from core.deps import Deps
    from core.store.usage import Selection

EXAMPLES = """\
examples:
  llmrouter usage list --user ann@example.com --limit 20
  llmrouter usage export --since 2026-01-01 --until 2026-02-01 > january.csv
  llmrouter usage export --format ndjson --model gpt-4o | jq .cost
  llmrouter usage summary --by project --since 2026-01-01
  llmrouter usage rebuild --check

DATE is a day in UTC; `--until` is not in the span. `rebuild` makes the sums over usage from the records again and
says how many were wrong, which should be none, for its exit code is 1 then; with `--check` it changes nothing."""

_BY = ("user", "credential", "project", "provider", "model", "status", "day", "month")
_MOST = 1_000_000


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a day such as 2026-01-31") from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise ArgumentTypeError(f"'{text}' is not a number from 1 to {_MOST}")
    return int(text)


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show requests, the newest first")
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="at most so many (50)")
    listing.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    export = actions.add_parser("export", help="write requests to stdout, the newest first")
    export.add_argument("--format", choices=("csv", "ndjson"), default="csv", help="csv, or a JSON object a line")
    summary = actions.add_parser("summary", help="sum requests up, the dearest first")
    summary.add_argument("--by", choices=_BY, default="model", help="what to sum up by (model)")
    summary.add_argument("--limit", type=_count, default=50, metavar="N", help="at most so many lines (50)")
    summary.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    for each in (listing, export, summary):
        each.add_argument("--since", type=_day, metavar="DATE", help="from this day on")
        each.add_argument("--until", type=_day, metavar="DATE", help="up to, not including, this day")
    for each in (listing, export):
        each.add_argument("--user", metavar="USER", help="only this user's: an e-mail address, a user name or a number")
        each.add_argument("--credential", type=int, metavar="NUMBER", help="only those with this key")
        each.add_argument("--model", help="only those of this model")
        each.add_argument("--provider", help="only those of this provider")
        each.add_argument("--project", help="only those of this project")
        each.add_argument("--status", type=int, metavar="CODE", help="only those with this HTTP status")
    rebuild = actions.add_parser("rebuild", help="make the sums over usage anew, and compare")
    rebuild.add_argument("--check", action="store_true", help="compare only")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    return asyncio.run(_run(arguments, load()))


async def _run(arguments: Namespace, settings: Settings) -> int:
    from core.commands.offline import opened

    actions = {"list": _list, "export": _export, "summary": _summary, "rebuild": _rebuild}
    async with opened(settings) as deps:
        return await actions[arguments.action](deps, arguments)


async def _selection(deps: "Deps", arguments: Namespace) -> "Selection":
    from core.commands.person import find
    from core.store.usage import Selection

    return Selection(
        user_id=(await find(deps, arguments.user)).id if arguments.user else None,
        credential_id=arguments.credential,
        start=arguments.since,
        end=arguments.until,
        model=arguments.model,
        provider=arguments.provider,
        project=arguments.project,
        status_code=arguments.status,
    )


def _operator() -> "Principal":
    """Who has the database sees everything in it."""
    from dataclasses import replace

    from core.auth import NOBODY

    return replace(NOBODY, role="admin")


async def _list(deps: "Deps", arguments: Namespace) -> int:
    from core.commands.output import show
    from core.ledger import reports
    from core.money import dollars_from_nanos

    selection = await _selection(deps, arguments)
    found = await reports.records(deps.database, _operator(), selection, before_id=None, limit=arguments.limit)
    rows = [
        {
            "id": row.id,
            "time": row.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "user": row.user_email or row.user_id or None,
            "model": row.model or row.requested_model,
            "provider": row.provider or None,
            "status": row.status_code,
            "tokens in": row.input_tokens,
            "tokens out": row.output_tokens,
            "cost usd": None if row.cost_nanousd is None else f"{dollars_from_nanos(row.cost_nanousd):f}",
            "ms": round(row.latency_us / 1000),
        }
        for row in found
    ]
    show(rows, as_json=arguments.json, nothing="no usage")
    return 0


async def _export(deps: "Deps", arguments: Namespace) -> int:
    from core.ledger.usage_file import export

    selection = await _selection(deps, arguments)
    async for piece in export(deps.database, _operator(), selection, arguments.format):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return 0


async def _summary(deps: "Deps", arguments: Namespace) -> int:
    from core.clock import from_micros, micros
    from core.commands.output import show
    from core.money import dollars_from_nanos
    from core.store import users
    from core.store.usage_breakdown import breakdown

    first = 0 if arguments.since is None else micros(arguments.since)
    last = micros(deps.clock.now() + timedelta(days=2) if arguments.until is None else arguments.until)
    async with deps.database.snapshot() as connection:
        parts = await breakdown(connection, deps.database, arguments.by, first=first, last=last, limit=arguments.limit)
        names: dict[int | str, str] = {}
        if arguments.by == "user":
            found = [await users.get(connection, int(part.name)) for part in parts]
            names = {user.id: user.email for user in found if user is not None}
    spelt: dict[str, Callable[[int | str], str]] = {
        "day": lambda name: from_micros(int(name)).strftime("%Y-%m-%d"),
        "month": lambda name: from_micros(int(name)).strftime("%Y-%m"),
        "status": lambda name: f"{name}xx",
    }
    spell = spelt.get(arguments.by, str)
    rows = [
        {
            arguments.by: names.get(part.name) or spell(part.name),
            "requests": part.requests,
            "failures": part.failures,
            "tokens in": part.input_tokens,
            "tokens out": part.output_tokens,
            "cost usd": f"{dollars_from_nanos(part.cost_nanousd):f}",
        }
        for part in parts
    ]
    show(rows, as_json=arguments.json, nothing="no usage")
    return 0


async def _rebuild(deps: "Deps", arguments: Namespace) -> int:
    from core.ledger.rebuild import rebuild
    from core.money import dollars_from_nanos
    from core.store.migrate import connected

    async with connected(deps.settings.resolved_database_url) as connection:
        changes = await connection.begin_nested()
        found = await rebuild(connection, deps.database)
        if arguments.check:
            await changes.rollback()
    for table, wrong in found.wrong.items():
        print(f"{table}: {wrong or 'no'} rows {'are' if arguments.check else 'were'} wrong")
    total = f"{found.records} records, {dollars_from_nanos(found.cost_nanousd):f} US dollars"
    if any(found.left.values()):
        print(f"the sums over {total} are still not what they should be: {dict(found.left)}")
    else:
        print(f"{total}; the sums {'would be' if arguments.check else 'are'} the same")
    return 1 if any(found.wrong.values()) or any(found.left.values()) else 0
