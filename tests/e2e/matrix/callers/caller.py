"""What a caller asks for and hears, whatever its dialect.

Wish ─body─► JSON ─► the service ─► bytes ─hear, hear_stream─► Heard
Heard.turn and results ─► Wish.before of the next wish, in the dialect's own JSON
"""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Stop = Literal["stop", "length", "tool"]
LIMIT: Final = 4000  # output tokens that every caller asks for at most
SYSTEM: Final = "Be short."
PARAMETERS: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}, "rain": {"type": "boolean"}},
    "required": ["city", "degrees", "rain"],
    "additionalProperties": False,
}
DESCRIPTION: Final = "Tells the weather."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for."""

    model: str
    say: str = ""  # the user's turn; none for ""
    before: Sequence[Any] = ()  # turns that were, in the caller's own JSON
    stream: bool = False
    tool: str = ""  # the name of the tool that may be called
    forced: bool = False  # it must be
    image: bytes = b""  # a PNG
    schema: Any = None
    thinks: bool = False
    shown: bool = False  # thoughts come with the answer, where the dialect has to say so in fields of others

    @property
    def picture(self) -> str:
        """The image in base64."""
        return base64.b64encode(self.image).decode()


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call as the caller got it."""

    id: str
    name: str
    arguments: Any


Usage = tuple[int, int, int, int | None]
"""Input, output, and of these: cached and reasoning; None for what the dialect can't say."""


@dataclass(slots=True, kw_only=True)
class Heard:
    """An answer."""

    text: str
    stop: Stop
    usage: Usage
    thought: str = ""
    calls: Sequence[Called] = ()
    turn: Sequence[Any] = field(default_factory=list[Any])  # as it goes into the next request


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as the caller got it."""

    message: str
    kind: str  # the dialect's own word that SDKs and people look at


class Caller(ABC):
    """One dialect."""

    path: str  # where it asks
    features: frozenset[str] | None = None  # what it can ask for; None for all
    kinds: Mapping[int, frozenset[str]]  # status → what Trouble.kind may be

    @abstractmethod
    def body(self, wish: Wish) -> dict[str, Any]:
        """The request."""

    def address(self, wish: Wish) -> str:
        """Path and query of a request."""
        del wish
        return self.path

    @abstractmethod
    def user(self, wish: Wish) -> list[Any]:
        """The user's turn."""

    @abstractmethod
    def results(self, said: Mapping[str, str], heard: Heard) -> list[Any]:
        """The turn that says what tools brought. said: id of a call → that."""

    @abstractmethod
    def hear(self, body: bytes) -> Heard:
        """A whole answer."""

    @abstractmethod
    def hear_stream(self, body: bytes) -> Heard:
        """A stream from its beginning to its end, which must be a good one."""

    @abstractmethod
    def trouble(self, body: bytes) -> Trouble:
        """An error answer."""

    @abstractmethod
    def broken(self, body: bytes) -> tuple[str, Trouble]:
        """A stream that an error ended: the text before it, and the error. It must not look complete."""


def events(body: bytes) -> list[tuple[str, str]]:
    """Names and data of server-sent events; comments are none."""
    found: list[tuple[str, str]] = []
    for block in body.replace(b"\r\n", b"\n").decode().split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        named = {name: value for name, _, value in (line.partition(": ") for line in lines)}
        assert named.keys() <= {"event", "data"}, block
        found.append((named.get("event", ""), named["data"]))
    return found


def payloads(body: bytes) -> list[Any]:
    """The data of server-sent events that have no names, as JSON."""
    found = events(body)
    assert not any(name for name, _ in found)
    return [json.loads(data) for _, data in found]
