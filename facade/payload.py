"""What a request brings to a decoder: typed fields, or a Problem that names the bad one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from facade.problem import Problem

_MAX_ID = 2**63 - 1
_MISSING = "is missing"


def invalid(message: str, name: str = "") -> Problem:
    """The Problem of a payload that can't be used; name: the field at fault."""
    return Problem("INVALID_ARGUMENT", message, name)


class Payload:
    """The fields of a JSON object. `null` counts as absent; fields that nobody asks for are ignored."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """A string that must be there. Raises Problem."""
        value = self.optional_text(name)
        if value is None:
            raise invalid(_MISSING, name)
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or None where there is none. Raises Problem where it is something else."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid("must be a string", name)
        if "\0" in value:
            raise invalid("must not hold a NUL character", name)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid("must be valid Unicode", name) from None
        return value

    def optional_flag(self, name: str) -> bool | None:
        """A boolean, or None where there is none. Raises Problem where it is something else."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid("must be true or false", name)
        return value

    def optional_integer(self, name: str, *, least: int, most: int) -> int | None:
        """A whole number within bounds, or None where there is none. Raises Problem where it is something else."""
        value = self._fields.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():  # 1.0 is a whole number in JSON
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise invalid(f"must be a whole number from {least} to {most}", name)
        return value

    def optional_number(self, name: str, *, least: float, most: float) -> float | None:
        """A number within bounds, or None where there is none. Raises Problem where it is something else."""
        value = self._fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise invalid(f"must be a number from {least:g} to {most:g}", name)
        return value

    def names(self, name: str) -> bool:
        """Whether there is such a field, be it `null`: for changes, where that takes something away."""
        return name in self._fields


def parse(data: bytes) -> Payload:
    """The payload in a body. Raises Problem where it is not a JSON object."""
    try:
        value: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise invalid("the body must be a JSON object")
    return Payload(value)  # pyright: ignore[reportUnknownArgumentType] - JSON's names are strings


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a decoder makes its request of. params: what stood in the path's places."""

    payload: Payload = field(default_factory=lambda: Payload({}))
    params: Mapping[str, str] = field(default_factory=dict[str, str])

    def number(self, name: str) -> int:
        """An id in the path. Raises Problem NOT_FOUND for what no id looks like."""
        text = self.params[name]
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= _MAX_ID):
            raise Problem("NOT_FOUND", "not found")
        return int(text)
