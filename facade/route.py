"""Routes: what the facade answers, in a form that it serves and describes itself from.

rows of the surfaces' tables ─► Route ─┬─► dispatch.py serves it
                                       └─► openapi.py describes it
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from facade.call import Call
from facade.surface import Schema, Surface

Handler = Callable[[Call], Awaitable[web.StreamResponse]]
"""Answers a call, or raises a Problem that the dispatcher renders in the surface's shape."""

JSON = "application/json"
MULTIPART = "multipart/form-data"
FORMS = (MULTIPART, "application/x-www-form-urlencoded")
EVENT_STREAM = "text/event-stream"


class Access(Enum):
    """Who may call; the core decides, this is what the documentation says."""

    ANYONE = "anyone"
    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doc:
    """What the description of the API says of a route.

    success: HTTP status → media type → schema, where a status without media types has no body;
    request: the schema of the JSON body; forms: the body may be a form with these fields too; multipart: that of
    the body where it is a form with files; errors:
    statuses beside those that every route of its kind can answer; parameters: the schema of each
    parameter in the path, a positive number where none is given; query: of each that may stand in the query.
    """

    summary: str
    access: Access = Access.USER
    success: Mapping[int, Mapping[str, Schema]]
    request: Schema | None = None
    forms: bool = False
    multipart: Schema | None = None
    errors: tuple[int, ...] = ()
    parameters: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    query: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    path: `{name}` stands for one segment, `{name...}` for the whole rest, up to what is written behind it; a path
    without either wins, and one with something behind the rest wins over one without.
    same_site: refused from foreign pages even where no cookie came with it, because the answer sets one.
    quiet: not worth a line in the log at every call; so is the rest of its path.
    shared_with: the surface in whose shape some callers have their failures, None for nobody.
    """

    method: str
    path: str
    surface: Surface
    handler: Handler
    doc: Doc
    same_site: bool = False
    quiet: bool = False
    shared_with: Surface | None = None
