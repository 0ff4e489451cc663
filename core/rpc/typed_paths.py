"""Where the fields of a chat stand in a ChatRequest: for the words about what a provider can't do."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from core.dialects.canonical import Chat
from llmrouter.v1 import router_pb2 as pb

NAMES: Final[Mapping[str, str]] = {
    "max_output": "max_completion_tokens",
    "format": "response_format",
    "cache_key": "prompt_cache_key",
}
"""Field of Chat → of ChatRequest, where that has another name."""

_PLACE: Final = re.compile(r"messages\[(\d+)\](?:\.content\[(\d+)\])?(.*)")
_INNER: Final = {".detail": ".image.detail"}


class Paths(Mapping[str, str]):
    """Any field of Chat, perhaps with a path behind it, as a path in the request."""

    def __init__(self, request: pb.ChatRequest, places: Sequence[str], extra: Collection[str]) -> None:
        """places: of the messages; extra: fields of Chat that the request has from its extra_json."""
        self._reasoning = "reasoning_effort" if request.reasoning_effort else "reasoning"
        older = request.HasField("max_tokens") and not request.HasField("max_completion_tokens")
        self._output = "max_tokens" if older else "max_completion_tokens"
        self._places = places
        self._extra = extra

    def __getitem__(self, field: str) -> str:
        head = re.split(r"[.\[]", field, maxsplit=1)[0]
        if head in self._extra or (head not in Chat.__struct_fields__ and head != "response_format"):
            return f"chat.extra_json.{field}"
        if head == "messages" and (place := _PLACE.fullmatch(field)) is not None:
            return self._message(int(place[1]), place[2], place[3])
        name = {"reasoning": self._reasoning, "max_output": self._output}.get(head) or NAMES.get(head, head)
        return f"chat.{name}{field[len(head) :]}"

    def __iter__(self) -> Iterator[str]:
        return iter(Chat.__struct_fields__)

    def __len__(self) -> int:
        return len(Chat.__struct_fields__)

    def _message(self, number: int, part: str | None, rest: str) -> str:
        place = self._places[number] if number < len(self._places) else "chat.messages"
        message = place.removesuffix(".in_order.parts").removesuffix(".parts.parts")
        if part is None or place == message:
            return f"{message}{rest}"
        return f"{place}[{part}]{_INNER.get(rest, rest)}"


def path_of(field: str) -> str:
    """A field of the body that a chat is judged by, as a path in the request; other paths as they are."""
    if not field or field.startswith("chat."):
        return field
    if field == "reasoning.max_tokens":
        return "chat.reasoning.budget_tokens"
    head = re.split(r"[.\[]", field, maxsplit=1)[0]
    return f"chat.{field}" if head in pb.ChatRequest.DESCRIPTOR.fields_by_name else f"chat.extra_json.{field}"
