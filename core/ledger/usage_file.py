"""Usage records as files: CSV for spreadsheets, and a JSON object a line for programs.

Both have the same columns. Amounts are exact dollars, times are ISO 8601 in UTC.
"""

import csv
import io
from collections.abc import AsyncGenerator, Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from core.auth import Principal
from core.clock import iso
from core.ledger import reports
from core.money import dollars_from_nanos
from core.store.database import Database
from core.store.usage import Selection, UsageRow

CSV: Final = "csv"
NDJSON: Final = "ndjson"

_PAGE = 1000  # records that are in memory at a time

COLUMNS: Final[dict[str, Callable[[UsageRow], Any]]] = {
    "id": lambda row: row.id,
    "created_at": lambda row: iso(row.created_at),
    "request_id": lambda row: row.request_id,
    "virtual_key_id": lambda row: row.virtual_key_id or None,
    "user_email": lambda row: row.user_email or None,
    "surface": lambda row: row.surface,
    "provider": lambda row: row.provider,
    "model": lambda row: row.model,
    "status_code": lambda row: row.status_code,
    "latency_ms": lambda row: row.latency_us / 1000,
    "ttft_ms": lambda row: None if row.ttft_us is None else row.ttft_us / 1000,
    "prompt_tokens": lambda row: row.input_tokens,
    "completion_tokens": lambda row: row.output_tokens,
    "total_tokens": lambda row: row.input_tokens + row.output_tokens,
    "cached_tokens": lambda row: row.cached_input_tokens,
    "reasoning_tokens": lambda row: row.reasoning_tokens,
    "cost": lambda row: None if row.cost_nanousd is None else dollars_from_nanos(row.cost_nanousd),
    "prompt_hash": lambda row: row.prompt_hash,
    "project": lambda row: row.project,
    "outcome": lambda row: row.outcome,
    "requested_model": lambda row: row.requested_model,
    "user_id": lambda row: row.user_id,
    "credential_id": lambda row: row.credential_id,
}
"""The columns in their order, and what of a record is in them."""

# A spreadsheet takes text that begins so for a formula, and a formula can send away what is in other cells.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines


async def export(
    database: Database, principal: Principal, selection: Selection, form: str, *, limit: int = 0
) -> AsyncGenerator[bytes]:
    """A file of the selected records, the newest first, in pieces of whole lines; however large, memory stays flat.

    form: CSV or NDJSON; limit: 0 for all. Records that come meanwhile are not in it. No connection to the
    database is kept while the reader is slow. Raises NotFound where they are not the principal's to see.
    """
    reports.seen_by(principal, selection)
    if form == CSV:
        yield _csv([list(COLUMNS)])
    left, before = limit or -1, None
    while left:
        size = _PAGE if left < 0 else min(left, _PAGE)
        rows = await reports.records(database, principal, selection, before_id=before, limit=size)
        if rows:
            yield lines(rows, form)
        if len(rows) < size:
            return
        before = rows[-1].id
        left -= size if left > 0 else 0


def lines(rows: Sequence[UsageRow], form: str) -> bytes:
    """Records as lines of a file."""
    if form == CSV:
        return _csv([[_cell(read(row)) for read in COLUMNS.values()] for row in rows])
    return _encode_lines([{name: read(row) for name, read in COLUMNS.items()} for row in rows])


def _csv(table: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"  # never 1E-7
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
