"""The section `limits` of a configuration file.

- scope: user                  deployment, user, credential, project or model
  id: ann@example.com          a user's e-mail address, name or number, a credential's number, the name of a
                               project or model; "*": everyone of that kind who has none of their own
  requests_per_minute: 60
  tokens_per_minute: 100000
  requests_per_day: 10000
  tokens_per_day: 5000000
  concurrent_requests: 10
"""

from dataclasses import dataclass

from core.config.document import Node
from core.config.reader import Reader
from core.inputs import line
from core.ledger.limits import ANY, KINDS
from core.ledger.scope import DEPLOYMENT
from core.store.limits import COUNTS

KEYS = ("scope", "id", *COUNTS)

_MAX_ID = 300
_MOST = 10**12


@dataclass(frozen=True, slots=True)
class DeclaredLimit:
    """A limit, as the file has it."""

    kind: str
    id: str
    counts: tuple[tuple[str, int], ...]  # column and number, of all columns


def read_limits(reader: Reader, node: Node | None) -> tuple[DeclaredLimit, ...]:
    """The limits in the order of the file; what can't be read is left out, and noted."""
    found: list[DeclaredLimit] = []
    told: dict[tuple[str, str], int] = {}  # where each is
    for item, path in reader.sequence(node, "limits"):
        section = reader.section(item, path, KEYS)
        kind = section.value("scope", _kind, required=True)
        if kind == DEPLOYMENT and section.has("id"):
            section.wrong("id", "the deployment has no id")
        given = section.value("id", _id, required=kind is not None and kind != DEPLOYMENT)
        counts = {name: section.value(name, _number) for name in COUNTS}
        if not any(section.has(name) for name in COUNTS):
            section.wrong("requests_per_minute", "is missing, or another number that limits something")
        if kind is None or (given is None and kind != DEPLOYMENT):
            continue
        scope = (kind, "" if kind == DEPLOYMENT else given or ANY)
        if scope in told:
            section.wrong("scope", f"line {told[scope]} has limits for the same already")
        told.setdefault(scope, section.place.line)
        found.append(DeclaredLimit(*scope, tuple((name, number or 0) for name, number in counts.items())))
    return tuple(found)


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"must be one of {', '.join(KINDS)}")
    return text


def _id(text: str) -> str:
    return line(text, "id", least=1, most=_MAX_ID)


def _number(text: str) -> int:
    digits = text.strip().replace("_", "")
    if not (digits.isascii() and digits.isdigit() and 0 < len(digits) <= 13 and 1 <= int(digits) <= _MOST):
        raise ValueError(f"must be a whole number of 1 to {_MOST}")
    return int(digits)
