"""What gets lost when a request goes from one wire to another: refused, or left out where the caller allows it."""

from collections.abc import Collection, Mapping

from core.errors import InvalidArgument


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

        drop: the caller allows that what can't be done is left out; hints: fields of Chat for which every caller
        of that wire does; leave_out: how a caller says so.
        """
        self._leave_out = leave_out
        self._names = names
        self._provider = provider
        self._drop = drop
        self._hints = hints
        self.dropped: list[str] = []  # names on the caller's wire

    def lose(self, field: str, why: str = "") -> None:
        """Notes that the provider can't do this; returns where it is to be left out.

        field: of Chat, perhaps with a path behind it ("tools[0].strict"), or a name of the caller's own wire.
        why: what the provider does instead, a half sentence. Raises InvalidArgument.
        """
        head, mark, rest = field.partition("[") if "[" in field else field.partition(".")
        name = self._names.get(field) or self._names.get(head, head) + mark + rest
        if self._drop or head in self._hints:
            if name not in self.dropped:
                self.dropped.append(name)
            return
        because = f": {why}" if why else ""
        raise InvalidArgument(
            f"{name} is not supported by the model's provider ({self._provider[:100]}){because}; "
            f"leave it out, or {self._leave_out}",
            field=name,
        )
