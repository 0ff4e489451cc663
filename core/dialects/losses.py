"""What gets lost when a request goes from one wire to another: refused, or left out where the caller allows it."""

import re
from collections.abc import Collection, Mapping, Sequence

from core.dialects.canonical import Message
from core.errors import InvalidArgument

_IN_MESSAGE = re.compile(r"messages\[(\d+)\](?:\.content\[(\d+)\])?(?:\.(.*))?")


class Losses:
    """What a provider can't do of one request. Nothing is left out without the caller's leave and knowledge."""

    def __init__(
        self,
        names: Mapping[str, str],
        provider: str,
        *,
        drop: bool,
        hints: Collection[str] = (),
        leave_out: str = "send x-llmrouter-drop-unsupported: true",
    ) -> None:
        """names: field of Chat → its name on the caller's wire, where that is another; provider: its name;

        drop: the caller allows that what can't be done is left out; hints: fields of Chat, or names of the caller's
        own wire with their path ("tools[3]"), for which every caller of that wire does; leave_out: how a caller
        says so.
        """
        self._leave_out = leave_out
        self._names = names
        self._provider = provider
        self._drop = drop
        self._hints = hints
        self.dropped: list[str] = []  # names on the caller's wire
        self._messages: Sequence[Message] = ()

    def lose(self, field: str, why: str = "") -> None:
        """Notes that the provider can't do this; returns where it is to be left out.

        field: of Chat, perhaps with a path behind it ("tools[0].strict"), or a name of the caller's own wire.
        why: what the provider does instead, a half sentence. Raises InvalidArgument.
        """
        self._lose(field, self._placed(field) or named(field, self._names), why)

    def number(self, messages: Sequence[Message]) -> None:
        """Takes the messages as they are written, by whose numbers writers name what is in them."""
        self._messages = messages

    def lose_own(self, name: str) -> None:
        """The same of a field of the caller's own wire, by its name and path there."""
        self._lose(name, name)

    def _placed(self, field: str) -> str:
        """What is lost inside a message, by its place in the caller's body; "" where that is not known.

        Turns may be several messages there, and parts may have other numbers: then it is the whole that is named.
        """
        found = _IN_MESSAGE.fullmatch(field)
        if found is None or int(found[1]) >= len(self._messages):
            return ""
        message = self._messages[int(found[1])]
        inner = f".{self._names.get(found[3], found[3])}" if found[3] else ""
        if message.role in ("user", "system", "developer") and found[2] and message.parts_place:
            return f"{message.parts_place}[{found[2]}]{inner}"
        return message.place + inner if message.place else ""

    def _lose(self, field: str, name: str, why: str = "") -> None:
        head = field.partition("[")[0] if "[" in field else field.partition(".")[0]
        if self._drop or head in self._hints or field in self._hints:
            if name not in self.dropped:
                self.dropped.append(name)
            return
        because = f": {why}" if why else ""
        raise InvalidArgument(
            f"{name} is not supported by the model's provider ({self._provider[:100]}){because}; "
            f"leave it out, or {self._leave_out}",
            field=name,
        )


def named(field: str, names: Mapping[str, str]) -> str:
    """A field, perhaps with a path behind it, by its name among these."""
    head, mark, rest = field.partition("[") if "[" in field else field.partition(".")
    return names.get(field) or names.get(head, head) + mark + rest
