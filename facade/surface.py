"""A surface: one documented API, with its own way of saying what went wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facade.problem import Problem

Schema = Mapping[str, Any]
"""A JSON Schema."""


@dataclass(frozen=True, slots=True)
class Surface:
    """One documented API.

    name: as in usage records and metrics; prefix: of the paths that are its own, the longest wins;
    render: a problem as the surface's JSON; error_schema: what render makes.
    """

    name: str
    prefix: str
    render: Callable[[Problem], Any]
    error_schema: Schema
    title: str


class Surfaces:
    """All surfaces of a facade; a surface's place in `all` is its number in the metrics."""

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        self.all = tuple(surfaces)
        self._numbers = {surface.name: number for number, surface in enumerate(self.all)}
        self._by_prefix = sorted(self.all, key=lambda surface: len(surface.prefix), reverse=True)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(surface.name for surface in self.all)

    def number(self, surface: Surface) -> int:
        """The surface's place. Raises KeyError for one that is not of this facade."""
        return self._numbers[surface.name]

    def of_path(self, path: str) -> Surface:
        """Whose a path is that no route has, so that even a 404 has the right shape."""
        for surface in self._by_prefix:
            if path.startswith(surface.prefix) or path == surface.prefix.rstrip("/"):
                return surface
        return self._by_prefix[-1]
