"""What stands in the query of a call: typed values, or a Problem that names the bad one."""

from collections.abc import Mapping, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from facade.payload import invalid
from facade.wire import timestamp

MAX_ID = 2**63 - 1


class Query:
    """The parameters of a query. An empty one counts as absent; those that nobody asks for are ignored."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, *, most: int) -> str:
        """A text, "" where there is none. Raises Problem."""
        value = self._values.get(name, "")
        if len(value) > most or "\0" in value:
            raise invalid(f"must have at most {most} characters, and none of them NUL", name)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid("must be valid Unicode", name) from None
        return value

    def number(self, name: str, *, least: int = 1, most: int = MAX_ID) -> int:
        """A whole number within bounds, 0 where there is none. Raises Problem."""
        value = self._values.get(name, "")
        if not value:
            return 0
        if not (value.isascii() and value.isdigit() and len(value) <= 19 and least <= int(value) <= most):
            raise invalid(f"must be a whole number from {least} to {most}", name)
        return int(value)

    def choice(self, name: str, of: Sequence[str]) -> str:
        """One of some words, "" where there is none. Raises Problem."""
        value = self._values.get(name, "")
        if value and value not in of:
            raise invalid(f"must be one of {', '.join(of)}", name)
        return value

    def moment(self, name: str) -> Timestamp | None:
        """A time, None where there is none. Raises Problem."""
        value = self._values.get(name, "")
        # In a query a plus sign stands for a space.
        return timestamp(value.replace(" ", "+"), name) if value else None
