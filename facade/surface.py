"""A surface: one documented API, with its own way of saying what went wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from facade.problem import Problem

Schema = Mapping[str, Any]
"""A JSON Schema."""


@dataclass(frozen=True, slots=True)
class Surface:
    """One documented API.

    name: as in usage records and metrics; prefix: of the paths that are its own, the longest wins; also:
    other prefixes;
    render: a problem as the surface's JSON; error_schema: what render makes; error_event: the name of the
    event that ends a failed stream, "" for none; render_event: what is in it, where that is not what render makes;
    request_id: another header that bears the request's id, "" for
    none; query_key: the parameter of a query that may bear an API key, "" for none; statuses: reason → HTTP
    status where the surface has its own.
    """

    name: str
    prefix: str
    render: Callable[[Problem], Any]
    error_schema: Schema
    title: str
    also: tuple[str, ...] = ()
    error_event: str = ""
    render_event: Callable[[Problem], Any] | None = None
    request_id: str = ""
    query_key: str = ""
    statuses: Mapping[str, int] = field(default_factory=dict[str, int])

    def status(self, problem: Problem) -> int:
        """The HTTP status of a problem."""
        return self.statuses.get(problem.reason, problem.http_status)


class Surfaces:
    """All surfaces of a facade; a surface's place in `all` is its number in the metrics."""

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        self.all = tuple(surfaces)
        self._numbers = {surface.name: number for number, surface in enumerate(self.all)}
        by_prefix = [(prefix, surface) for surface in self.all for prefix in (surface.prefix, *surface.also)]
        self._by_prefix = sorted(by_prefix, key=lambda pair: len(pair[0]), reverse=True)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(surface.name for surface in self.all)

    def number(self, surface: Surface) -> int:
        """The surface's place. Raises KeyError for one that is not of this facade."""
        return self._numbers[surface.name]

    def of_path(self, path: str) -> Surface:
        """Whose a path is that no route has, so that even a 404 has the right shape."""
        for prefix, surface in self._by_prefix:
            if path.startswith(prefix) or path == prefix.rstrip("/"):
                return surface
        return self._by_prefix[-1][1]
