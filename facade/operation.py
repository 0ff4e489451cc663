"""CRUD operations as rows of a table.

A row names a method, a path, an RPC and two pure functions: decode makes the RPC's request of what
came, encode makes the answer of the RPC's reply. Adding an operation is adding a row;
operation_handler.py carries it out, and openapi.py describes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from facade.payload import Incoming
from facade.route import JSON, Access, Doc
from facade.surface import Schema


@dataclass(frozen=True, slots=True)
class SetSession:
    """Sets the session cookie. expires_at: seconds since 1970."""

    token: str = field(repr=False)
    expires_at: float


class ClearSession:
    """Takes the session cookie away."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an encoder makes of the RPC's reply."""

    body: Any = None
    session: SetSession | ClearSession | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A row.

    path: as in Route; rpc: "Service.Method"; decode: raises Problem; encode: may raise Problem too,
    where the RPC's reply does not have what was asked for; status: of success, 204 has no body;
    first: an RPC that must succeed before, with its decoder; failures: reason → status and message
    where this operation's documentation differs from its surface's; forms: the body may be a form too.
    request, response: schemas of the bodies; errors: the statuses that the documentation names.
    """

    method: str
    path: str
    rpc: str
    decode: Callable[[Incoming], Message]
    encode: Callable[[Any, Incoming], Reply]
    summary: str
    access: Access = Access.USER
    status: int = 200
    request: Schema | None = None
    response: Schema | None = None
    errors: tuple[int, ...] = ()
    parameters: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    description: str = ""
    first: tuple[str, Callable[[Incoming], Message]] | None = None
    failures: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    same_site: bool = False
    forms: bool = False

    def doc(self) -> Doc:
        """The row as documentation."""
        success: dict[str, Schema] = {} if self.response is None else {JSON: self.response}
        return Doc(
            summary=self.summary,
            access=self.access,
            success={self.status: success},
            request=self.request,
            forms=self.forms,
            errors=self.errors,
            parameters=self.parameters,
            description=self.description,
        )
