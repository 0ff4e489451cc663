"""Reads a node of a configuration file as what it must be, and goes on after whatever is wrong.

    section = reader.section(node, "providers[0]", ("name", "type"))     unknown keys are problems
    section.value("type", fields.checked_type, required=True)            None, and a problem, where it can't be

Texts may name environment variables, `${OPENAI_API_KEY}`, which are put in after the YAML was read, so
that no value of a variable is taken for YAML. `$${` stands for the characters `${` themselves.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

from core.config import document
from core.config.document import Entry, Node, Scalar, joined
from core.config.problems import Place, Problems
from core.errors import InvalidArgument

_T = TypeVar("_T")

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Reader:
    """Reads nodes; `problems` has what was wrong so far."""

    def __init__(self, environ: Mapping[str, str], problems: Problems) -> None:
        """environ: where `${…}` is looked up."""
        self.environ = environ
        self.problems = problems

    def section(self, node: Node | None, path: str, known: Sequence[str]) -> "Section":
        """A mapping with these keys and no other."""
        return Section(self, node, path, known)

    def sequence(self, node: Node | None, path: str) -> Iterator[tuple[Node, str]]:
        """The items of a sequence, each with its path; none where nothing was written."""
        if node is None or (isinstance(node, Scalar) and node.is_null):
            return
        if not isinstance(node, document.Sequence):
            self.problems.add(node.place, path, "must be a list: each item on a line of its own that begins with '- '")
            return
        for number, item in enumerate(node.items):
            yield item, f"{path}[{number}]"

    def value(self, node: Node, path: str, parse: Callable[[str], _T]) -> _T | None:
        """A single value; parse raises ValueError or InvalidArgument for one that won't do."""
        if not isinstance(node, Scalar) or node.is_null:
            self.problems.add(node.place, path, "must be a single value")
            return None
        try:
            return parse(self.expanded(node.text))
        except (ValueError, InvalidArgument) as error:
            self.problems.add(node.place, path, str(error))
            return None

    def expanded(self, text: str) -> str:
        """The text with the variables' values in it. Raises ValueError for one that is not set."""

        def put_in(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            if match[1] is None:
                raise ValueError("after ${ the name of an environment variable and } must follow; write $${ for ${")
            return self.variable(match[1])

        return _VARIABLE.sub(put_in, text)

    def variable(self, name: str) -> str:
        """The value of an environment variable. Raises ValueError where it is not set."""
        value = self.environ.get(name, "")
        if not value:
            raise ValueError(f"the environment variable {name} is not set")
        return value


class Section:
    """A mapping of the file."""

    def __init__(self, reader: Reader, node: Node | None, path: str, known: Sequence[str]) -> None:
        self._reader = reader
        self._known = known
        self.path = path
        self.place = Place() if node is None else node.place
        self._entries: dict[str, Entry] = {}
        if isinstance(node, document.Mapping):
            for entry in node.entries:
                self._take(entry)
        elif node is not None and not (isinstance(node, Scalar) and node.is_null):
            reader.problems.add(node.place, path, f"must be a mapping with the keys {', '.join(known)}")

    def _take(self, entry: Entry) -> None:
        if entry.key in self._known:
            self._entries[entry.key] = entry
            return
        close = get_close_matches(entry.key, self._known, 1)
        meant = f'; did you mean "{close[0]}"?' if close else f"; there are {', '.join(self._known)}"
        self._reader.problems.add(entry.place, joined(self.path, entry.key), f"unknown key{meant}")

    def has(self, key: str) -> bool:
        """Whether something is written for a key, be it right or wrong."""
        return self.node(key) is not None

    def node(self, key: str) -> Node | None:
        """What is written for a key; None for nothing."""
        entry = self._entries.get(key)
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null):
            return None
        return entry.value

    def below(self, key: str) -> str:
        """The path of a key."""
        return joined(self.path, key)

    def value(self, key: str, parse: Callable[[str], _T], *, required: bool = False) -> _T | None:
        """A key's value; None where there is none, or where it won't do."""
        node = self.node(key)
        if node is None:
            if required:
                self.wrong(key, "is missing")
            return None
        return self._reader.value(node, self.below(key), parse)

    def flag(self, key: str, default: bool) -> bool:
        """A key's value, true or false."""
        found = self.value(key, _flag)
        return default if found is None else found

    def sequence(self, key: str) -> Iterator[tuple[Node, str]]:
        """The items of a key's list, each with its path."""
        return self._reader.sequence(self.node(key), self.below(key))

    def section(self, key: str, known: Sequence[str]) -> "Section":
        """A key's mapping; an empty one where there is none."""
        return Section(self._reader, self.node(key), self.below(key), known)

    def wrong(self, key: str, message: str) -> None:
        """Notes what is wrong with a key's value, or with its absence."""
        entry = self._entries.get(key)
        place = self.place if entry is None else entry.value.place
        self._reader.problems.add(place, self.below(key), message)


def _flag(text: str) -> bool:
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None
