"""Limits: how much a scope may ask for in a minute, in a day, and at once.

    table `limits` ─load─► Limits ─applying─► those of a request: of its key, its user, its project,
                                             its models and the whole deployment

A limit for the id `*` holds for everyone of its kind that has none of its own, each counted alone.
What applies to a caller and a model is found once and then remembered until limits change: a request
pays one look into a dictionary. Counting is limit_counters.py's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from core.auth import Principal
from core.ledger import limit_window as windows
from core.ledger.limit_window import Window
from core.ledger.scope import CREDENTIAL, DEPLOYMENT, PROJECT, USER, scopes_of
from core.store import limits as table
from core.store.database import Database
from core.store.limits import LimitRow

MODEL: Final = "model"
KINDS: Final = (CREDENTIAL, USER, PROJECT, MODEL, DEPLOYMENT)
ANY: Final = "*"

_REMEMBERED = 20_000
_HOUR = 3600


class Scope(NamedTuple):
    """Whose limit: a kind and an id in it; the deployment's is ""."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind


class Cap(NamedTuple):
    """So much in a window."""

    name: str  # a column of the table
    window: Window
    most: int
    of_tokens: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """What a scope may have."""

    scope: Scope
    caps: tuple[Cap, ...]
    concurrent: int  # 0: any number
    key: str  # of its counts
    has_tokens: bool  # whether some cap is of tokens
    seconds: int  # for so long what is counted for it is needed


class Limits:
    """The limits in force."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[Scope, LimitRow] = {}
        self._applying: dict[tuple[int, int, str, str, str], tuple[Limit, ...]] = {}

    async def load(self) -> None:
        """Reads the limits anew. Raises DatabaseError; the old ones stay in force then."""
        async with self._database.read() as connection:
            rows = await table.all_rows(connection)
        self.set_rows(rows)

    def set_rows(self, rows: Iterable[LimitRow]) -> None:
        """Puts these in force, and no other."""
        self._rows = {Scope(row.scope_kind, row.scope_id): row for row in rows}
        self._applying.clear()

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self._rows)

    def applying(self, principal: Principal, named: str, model: str) -> Sequence[Limit]:
        """The limits of a request. named: the model as the request names it; model: as its provider does."""
        key = (principal.credential_id, principal.user_id, principal.project, named, model)
        found = self._applying.get(key)
        if found is None:
            found = tuple(filter(None, map(self._of, _scopes(principal, named, model))))
            if len(self._applying) >= _REMEMBERED:
                self._applying.clear()
            self._applying[key] = found
        return found

    def _of(self, scope: Scope) -> Limit | None:
        row = self._rows.get(scope) or self._rows.get(Scope(scope.kind, ANY))
        return None if row is None else limit_of(scope, row)


def limit_of(scope: Scope, row: LimitRow) -> Limit:
    """The limit that a row of the table means for a scope."""
    caps = (
        Cap("requests_per_minute", windows.REQUESTS_PER_MINUTE, row.requests_per_minute, False),
        Cap("tokens_per_minute", windows.TOKENS_PER_MINUTE, row.tokens_per_minute, True),
        Cap("requests_per_day", windows.REQUESTS_PER_DAY, row.requests_per_day, False),
        Cap("tokens_per_day", windows.TOKENS_PER_DAY, row.tokens_per_day, True),
    )
    caps = tuple(cap for cap in caps if cap.most)
    return Limit(
        scope=scope,
        caps=caps,
        concurrent=row.concurrent_requests,
        key=str(scope),
        has_tokens=any(cap.of_tokens for cap in caps),
        seconds=max((cap.window.seconds for cap in caps), default=_HOUR),
    )


def _scopes(principal: Principal, named: str, model: str) -> Iterator[Scope]:
    for kind, scope_id in scopes_of(principal):
        yield Scope(kind, scope_id)
    yield Scope(MODEL, model)
    if named != model:
        yield Scope(MODEL, named)
