"""From typed requests to bodies of the OpenAI wire: what all kinds of requests have in common.

    numbers, switches, texts ─► fields, checked ─┐
    extra_json, as it stands ────────────────────┴─► the body's JSON

A field that is not set is not sent, so that the provider's own default holds. Violations name the
field by its path in the request ("chat.messages[0].role").
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from google.protobuf.message import Message

from core.errors import InvalidArgument, ModelRequired

MAX_MODEL = 300
MAX_TOKENS = 2**31 - 1
TEMPERATURE = (0.0, 100.0)
"""Each vendor has a range of its own; what is outside of this one is a mistake everywhere."""

Ranges = Mapping[str, tuple[float, float]]
"""By a field's name, the least and the most that it may be."""

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class Body:
    """The fields of a request body, as they are gathered from a message."""

    def __init__(self, message: Message, path: str, extra_json: str) -> None:
        """path: of the message in the request, "" where it is the request itself.

        Raises InvalidArgument where `extra_json` is no JSON object.
        """
        self._message = message
        self._prefix = f"{path}." if path else ""
        self._extra = read_object(extra_json, f"{self._prefix}extra_json") if extra_json else {}
        self.fields: dict[str, Any] = {}

    def has_extra(self, name: str) -> bool:
        """Whether the caller gives a field of the body as raw JSON, so that the typed one may be missing."""
        return name in self._extra

    def model(self) -> None:
        """Takes the model. Raises ModelRequired, InvalidArgument."""
        model: str = getattr(self._message, "model", "")
        if len(model) > MAX_MODEL:
            raise self.wrong("model", f"must have at most {MAX_MODEL} characters")
        if model:
            self.fields["model"] = model
        elif not self.has_extra("model"):
            raise ModelRequired(field=f"{self._prefix}model")

    def numbers(self, ranges: Ranges) -> None:
        """Takes the optional numbers that are set. Raises InvalidArgument."""
        for name, (least, most) in ranges.items():
            if self._message.HasField(name):
                value: float = getattr(self._message, name)
                if not least <= value <= most:  # which a NaN is not either
                    raise self.wrong(name, f"must be from {least} to {most}")
                self.fields[name] = value

    def switches(self, names: Collection[str]) -> None:
        """Takes the optional booleans that are set."""
        for name in names:
            if self._message.HasField(name):
                self.fields[name] = getattr(self._message, name)

    def texts(self, names: Collection[str]) -> None:
        """Takes the texts and lists of texts that are not empty."""
        for name in names:
            value: Any = getattr(self._message, name)
            if value:
                self.fields[name] = value if isinstance(value, str) else list(value)

    def wrong(self, field: str, problem: str) -> InvalidArgument:
        """The error for a field of this message."""
        return wrong(f"{self._prefix}{field}", problem)

    def encode(self, *, stream: bool) -> bytes:
        """The body. stream: whether the answer shall be streamed, whatever the caller's raw JSON says."""
        merged = self.fields | self._extra
        merged.pop("stream", None)
        if stream:
            merged["stream"] = True
        else:
            merged.pop("stream_options", None)
        return _encode(merged)


def read_object(text: str, path: str) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, each as it stands. Raises InvalidArgument."""
    try:
        return _decode_object(text.encode())
    except (ValueError, RecursionError):
        raise wrong(path, "must be a JSON object") from None


def wrong(path: str, problem: str) -> InvalidArgument:
    """The error for a field by its path in the request."""
    return InvalidArgument(f"{path} {problem}", field=path)
