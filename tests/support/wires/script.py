"""What the model behind every fake says, decided by the last thing that the user said.

    HELLO ─► TEXT                       LONG ─► TEXT, cut off          THINK ─► THOUGHT and TEXT, with a proof of it
    TOOL ─► two calls of WEATHER        their results ─► what each call brought
    SEE ─► a digest of each image       FORM ─► the schema that came, filled in
    GO_ON ─► REMEMBERED or FORGOTTEN    whether the proof of the thought came back
    fail_with(429) ─► that error        BREAK ─► an error after the first piece of text

So an answer proves that what it is made of has arrived.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

HELLO: Final = "Say hello."
LONG: Final = "Talk for long."
TOOL: Final = "Use the tool."
SEE: Final = "Look at this."
FORM: Final = "Fill in the form."
THINK: Final = "Think first."
GO_ON: Final = "Go on."
BREAK: Final = "Break off."

PIECES: Final = ("Hel", 'lo "there"\n', "— grüß dich 👋.")
TEXT: Final = "".join(PIECES)
THOUGHTS: Final = ("Let me", " think: ", "2 < 3.")
THOUGHT: Final = "".join(THOUGHTS)
REMEMBERED, FORGOTTEN = "I remember.", "I forgot."
WEATHER: Final = "weather"
CITIES: Final = ("Graz", "Wien")
SAMPLES: Final[Mapping[str, Any]] = {"string": "Graz", "integer": 21, "number": 0.5, "boolean": True}
MESSAGE: Final = "the provider's own words"
RETRY_AFTER: Final = "7"

Stop = Literal["stop", "length", "tool"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What every request uses; the first two include the others."""

    input: int = 100
    output: int = 30
    cached: int = 40
    reasoning: int = 10


TOKENS: Final = Tokens()


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    id: str
    name: str
    pieces: tuple[str, ...]  # of its arguments

    @property
    def arguments(self) -> Any:
        return json.loads("".join(self.pieces))


@dataclass(slots=True, kw_only=True)
class Asked:
    """What a fake understood of a request."""

    text: str  # the last thing that the user said
    streamed: bool = False
    tools: tuple[str, ...] = ()  # names of those that may be called
    results: Mapping[str, str] = field(default_factory=dict[str, str])  # city → what the tool said of it, of now
    images: tuple[bytes, ...] = ()  # in the last message
    schema: Any = None  # of the answer
    thinks: bool = False
    proven: bool = False  # the proof of an earlier thought came back


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model says."""

    pieces: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    stop: Stop = "stop"
    breaks: bool = False  # after the first piece, with an error

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def thought(self) -> str:
        return "".join(self.thoughts)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in place of an answer, by OpenAI's number for it."""

    status: int


def fail_with(status: int) -> str:
    """What to say to have an error."""
    return f"Fail with {status}."


CALLS: Final = tuple(
    Call(f"call_{number}", WEATHER, (f'{{"city": "{city[:2]}', f'{city[2:]}", ', '"days": 2}'))
    for number, city in enumerate(CITIES, 1)
)


def reply(asked: Asked) -> Reply | Failure:
    """What is said. Raises ValueError for what is not in the script."""
    if asked.results:
        return Reply(pieces=tuple(f"{city}: {said}. " for city, said in asked.results.items()))
    if found := re.fullmatch(r"Fail with (\d+)\.", asked.text):
        return Failure(int(found[1]))
    match asked.text:
        case text if text == HELLO:
            return Reply(pieces=PIECES)
        case text if text == LONG:
            return Reply(pieces=PIECES, stop="length")
        case text if text == BREAK:
            return Reply(pieces=PIECES, breaks=True)
        case text if text == TOOL:
            _need(WEATHER in asked.tools, "there is no tool of that name")
            return Reply(calls=CALLS, stop="tool")
        case text if text == SEE:
            _need(bool(asked.images), "there is no image")
            return Reply(pieces=("I see ", seen(*asked.images)))
        case text if text == FORM:
            _need(isinstance(asked.schema, dict), "there is no schema")
            whole = json.dumps(filled_in(asked.schema))
            return Reply(pieces=(whole[:9], whole[9:]))
        case text if text == THINK:
            _need(asked.thinks, "nobody asked for thoughts")
            return Reply(thoughts=THOUGHTS, pieces=PIECES)
        case text if text == GO_ON:
            return Reply(pieces=(REMEMBERED if asked.proven else FORGOTTEN,))
        case text:
            raise ValueError(f"the script does not know what to say to {text!r}")


def seen(*images: bytes) -> str:
    """What is said of images."""
    return ", ".join(hashlib.sha256(image).hexdigest()[:12] for image in images)


def filled_in(schema: Any) -> Any:
    """A value that a schema allows."""
    kind = schema["type"].lower()  # which Google's own schemas have in capitals
    if kind == "object":
        return {name: filled_in(inner) for name, inner in schema["properties"].items()}
    return SAMPLES[kind]


def brought(results: Mapping[str, str]) -> str:
    """What is said when tools have answered; city → what its tool said."""
    return "".join(f"{city}: {said}. " for city, said in results.items())


def _need(true: bool, why: str) -> None:
    if not true:
        raise ValueError(why)
