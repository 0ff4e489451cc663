"""The table of routes, as it is looked up: first the whole path, then the patterns in their order.

Those that end in a rest of any kind (`{name...}`) are the last, for they match what others mean.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from facade.call import Call
from facade.route import Route
from facade.surface import Surface, Surfaces

_PLACE = re.compile(r"\{(\w+)(\.\.\.)?\}")


@dataclass(frozen=True, slots=True)
class Path:
    """A path of the table and its methods."""

    template: str
    surface: Surface
    number: int  # of the surface, in the metrics
    quiet: bool  # not worth a line in the log
    routes: dict[str, Route] = field(default_factory=dict[str, Route])

    def route(self, method: str) -> Route | None:
        """The route of a method; HEAD is answered like GET."""
        return self.routes.get(method) or (self.routes.get("GET") if method == "HEAD" else None)

    @property
    def allow(self) -> str:
        """The methods, as the header `Allow` has them."""
        return ", ".join(sorted({*self.routes, "OPTIONS", *(("HEAD",) if "GET" in self.routes else ())}))


class RouteTable:
    """Finds the path of a call."""

    def __init__(self, routes: Iterable[Route], surfaces: Surfaces) -> None:
        """Raises ValueError where two routes are one."""
        self._fixed: dict[str, Path] = {}
        self._patterns: list[tuple[re.Pattern[str], Path]] = []
        known: dict[str, Path] = {}
        for route in routes:
            path = known.get(route.path)
            if path is None:
                path = Path(route.path, route.surface, surfaces.number(route.surface), route.quiet)
                known[route.path] = path
                self._add(path)
            if route.method in path.routes:
                raise ValueError(f"{route.method} {route.path} is there twice")
            path.routes[route.method] = route
        self._patterns.sort(key=lambda pair: pair[1].template.endswith("...}"))

    def _add(self, path: Path) -> None:
        if _PLACE.search(path.template):
            self._patterns.append((_pattern(path.template), path))
        else:
            self._fixed[path.template] = path

    def find(self, call: Call) -> Path | None:
        """The path that a call names; what stands in its places is in `call.params` afterwards."""
        return self._fixed.get(call.raw_path) or self._find_unescaped(call)

    def _find_unescaped(self, call: Call) -> Path | None:
        text = call.path  # without the query
        fixed = self._fixed.get(text)
        if fixed is not None:
            return fixed
        for pattern, path in self._patterns:
            match = pattern.fullmatch(text)
            if match is not None:
                call.params = match.groupdict()
                return path
        return None


def _pattern(template: str) -> re.Pattern[str]:
    """The regular expression of a path with places."""
    parts: list[str] = []
    end = 0
    for place in _PLACE.finditer(template):
        parts += [re.escape(template[end : place.start()]), f"(?P<{place[1]}>{'.+' if place[2] else '[^/]+'})"]
        end = place.end()
    return re.compile("".join(parts) + re.escape(template[end:]), re.DOTALL)
