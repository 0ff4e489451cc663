"""What is wrong with a configuration file: everything, each with its place, told at once.

    llmrouter.yaml can't be used:
      line 4, column 5: providers[0].typ: unknown key; did you mean "type"?
      line 9, column 15: routes[0].targets[1]: …

No problem repeats a value of the file, for it may be a key; names of keys and of variables are told.
"""

from dataclasses import dataclass

from core.settings import SettingsError

_SHOWN = 30


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a file, counted from 1; 0 where that is not known."""

    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    place: Place
    path: str  # such as routes[2].targets[0].model; "" for the file as a whole
    message: str

    def __str__(self) -> str:
        where = f"line {self.place.line}, column {self.place.column}" if self.place.line else ""
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ConfigurationError(SettingsError):
    """A configuration file that can't be used, with all that is wrong about it."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = sorted(problems, key=lambda problem: problem.place)
        super().__init__(file, self.problems)

    def __str__(self) -> str:
        return "\n  ".join([f"{self.file} can't be used:", *self._told()])

    def in_one_line(self) -> str:
        """The same for a log."""
        return f"{self.file} can't be used: {'; '.join(self._told())}"

    def _told(self) -> list[str]:
        more = len(self.problems) - _SHOWN
        return [*map(str, self.problems[:_SHOWN]), *([f"and {more} more"] if more > 0 else [])]


class Problems:
    """Collects what is wrong while a file is read."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, place: Place, path: str, message: str) -> None:
        self.found.append(Problem(place, path, message))
