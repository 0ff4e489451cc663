"""YAML as a tree of nodes that know where they stand.

    text ─yaml.compose─► PyYAML's nodes ─read_document─► Mapping | Sequence | Scalar

Nothing is constructed: a scalar keeps the text that was written, so that a price of 0.15 never passes
through a float, a model called 4.10 keeps its zero, and a tag has nothing to make objects of.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from core.config.problems import Place, Problems

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 10  # the deepest that means something is 5
_MAX_NODES = 100_000  # with aliases written out, which could multiply without end

_PLAIN = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge")
)
_CONTAINERS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, as it was written."""

    place: Place
    text: str
    is_null: bool = False  # nothing was written, or `null`


@dataclass(frozen=True, slots=True)
class Sequence:
    place: Place
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value."""

    place: Place  # of the key
    key: str
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Entries in the order of the file, no key twice."""

    place: Place
    entries: tuple[Entry, ...]


Node = Scalar | Sequence | Mapping


def read_document(text: str, problems: Problems) -> Node | None:
    """The tree of a YAML document; None where there is nothing in it, or where it can't be read."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if root is None else _Copy(problems).node(root, "", 0)
    except yaml.MarkedYAMLError as error:
        # Not the error's own text: it quotes the line, and a key may be in it.
        said = ", ".join(part for part in (error.context, error.problem) if part)
        problems.add(_place(error.problem_mark), "", f"this is not valid YAML: {said}")
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n") if isinstance(error.position, int) else [""]
        place = Place(len(before), len(before[-1]) + 1)
        problems.add(place, "", "this is not valid YAML: a control character")
    except RecursionError:
        problems.add(Place(), "", "brackets are nested too deeply")
    except _TooMuch as much:
        problems.add(much.place, "", str(much))
    return None


class _TooMuch(Exception):
    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class _Copy:
    """Makes our nodes of PyYAML's."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._left = _MAX_NODES

    def node(self, source: yaml.Node, path: str, depth: int) -> Node:
        place = _place(source.start_mark)
        self._left -= 1
        if self._left < 0:
            raise _TooMuch(place, "the file has too many entries, its aliases written out")
        if depth > _MAX_DEPTH:
            raise _TooMuch(place, "this is nested too deeply")
        if source.tag not in _PLAIN | _CONTAINERS:
            self._problems.add(place, path, f"a tag such as {source.tag[:50]} has no meaning here")
        if isinstance(source, yaml.MappingNode):
            return Mapping(place, tuple(self._entries(source, path, depth)))
        if isinstance(source, yaml.SequenceNode):
            items = enumerate(source.value)
            return Sequence(place, tuple(self.node(item, f"{path}[{number}]", depth + 1) for number, item in items))
        return Scalar(place, source.value, source.tag == _NULL)

    def _entries(self, source: yaml.MappingNode, path: str, depth: int) -> Iterator[Entry]:
        seen: dict[str, Place] = {}
        for key, value in source.value:
            place = _place(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._problems.add(place, path, "a key must be a plain word")
                continue
            below = joined(path, key.value)
            node = self.node(value, below, depth + 1)
            if key.value in seen:
                self._problems.add(place, below, f"the key is here twice; first on line {seen[key.value].line}")
                continue
            seen[key.value] = place
            yield Entry(place, key.value, node)


def joined(path: str, key: str) -> str:
    """The path of a key below a path."""
    key = key if key.isprintable() and len(key) <= 50 else f"{key[:50]!r}"
    return f"{path}.{key}" if path else key


def _place(mark: yaml.Mark | None) -> Place:
    return Place() if mark is None else Place(mark.line + 1, mark.column + 1)
