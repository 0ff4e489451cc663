"""A chat whose caller takes the form between all wires itself: a typed gRPC call.

    read ─► Chat ─► the provider's request         the provider's answer ─► Answer ─► .answer
                                                   the provider's stream ─► Event… ─► .taken()

The pipeline carries bytes. Beside the bytes of the answer the objects lie here, made for the attempt that runs
now; one that begins anew forgets those of the attempt before it. Whoever speaks OpenAI's wire gets a chat that
says nothing beyond it as bytes and answers in bytes: then nothing of this is used.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from core.dialects.canonical import Answer, Chat, Event
from core.dialects.losses import named
from core.dialects.openai.faults import write_fault
from core.dialects.request import Request
from core.dialects.sides import CallerSide, StreamWriter

_BROUGHT: Final = b"data:\n\n"  # in place of the events' bytes, so that the pipeline knows that there are some


class TypedChat:
    """One request."""

    def __init__(
        self, read: Callable[[], tuple[Chat, Mapping[str, str]]], *, beyond: bool, drop: bool, hidden: bool
    ) -> None:
        """read: the chat, and by a field of Chat its path in the request. Raises InvalidArgument.

        beyond: it says what OpenAI's own wire has no word for; drop: what a provider can't do may be left out;
        hidden: the caller does not want to see what the model thought.
        """
        self._read = read
        self._events: list[Event] = []
        self.beyond = beyond
        self.drop = drop
        self.hidden = hidden
        self.translated = False  # whether the answer is in objects
        self.answer: Answer | None = None
        self.dropped: Sequence[str] = ()  # paths of fields

    def begin(self) -> None:
        """An attempt begins."""
        self._events = []
        self.translated, self.answer, self.dropped = False, None, ()

    def read(self) -> tuple[Chat, Mapping[str, str]]:
        """What is asked for, for one attempt, which may change it; and the fields' paths. Raises InvalidArgument."""
        return self._read()

    def side(self, chat: Chat, names: Mapping[str, str]) -> CallerSide:
        """The caller's side of an attempt that is translated."""
        self.translated = True
        chat.others = {named(name, names): raw for name, raw in chat.others.items()}

        def read_chat(_: Request) -> Chat:
            return chat

        def stream_writer(_: Chat) -> StreamWriter:
            return _EventKeeper(self._events)

        return CallerSide(
            names=names,
            read_chat=read_chat,
            write_answer=self._keep,
            stream_writer=stream_writer,
            write_fault=write_fault,
            leave_out="set chat.drop_unsupported",
        )

    def taken(self) -> list[Event]:
        """The events that have come since the last time."""
        events = self._events.copy()
        self._events.clear()
        return events

    def _keep(self, answer: Answer, _: Chat) -> bytes:
        self.answer = answer
        return b""


class _EventKeeper:
    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def write(self, events: Sequence[Event]) -> bytes:
        self._events += events
        return _BROUGHT if events else b""
