"""What commands print: lists as tables for people, or as JSON for programs."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from core.clock import iso

Row = Mapping[str, object]


def add_json(parser: ArgumentParser) -> None:
    """The option `--json`."""
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of a table")


def show(rows: Sequence[Row], *, as_json: bool, nothing: str) -> None:
    """Prints rows, which all have the same columns; nothing: what to say to people where there are none."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not rows:
        print(nothing)
        return
    table = [[name.upper() for name in rows[0]], *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def models(count: int) -> str:
    """How many models, in words."""
    return "1 model" if count == 1 else f"{count} models"


def moment(value: Timestamp) -> str:
    """A time as ISO 8601 in UTC, to the second."""
    return iso(datetime.fromtimestamp(value.seconds, UTC))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "-" if value in (None, "") else str(value)
    return "".join(c if c.isprintable() else "?" for c in text)  # a name must not move the cursor
