"""`reasoning_details`: thoughts with the proof that a model had them, as OpenRouter documents them.

    {"type": "reasoning.text", "text": …, "signature": …}   a thought; without a signature it is a plain one
    {"type": "reasoning.summary", "summary": …}             what is told of one
    {"type": "reasoning.encrypted", "data": …}              one that only its maker can read

`format` says who made it, `id` names it, and of an encrypted one perhaps the tool call that it is behind.
Thoughts come back only with them: a client that keeps nothing but the text can't prove anything.

https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.dialects.canonical import Thinking

FORMATS: Final = {
    "anthropic": "anthropic-claude-v1",
    "gemini": "google-gemini-v1",
    "openai": "openai-responses-v1",
}
_MAKERS: Final = {name: maker for maker, name in FORMATS.items()}
_UNKNOWN: Final = "unknown"


class Detail(msgspec.Struct):
    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None

    @property
    def maker(self) -> str:
        """Whose wire it is of; the format itself where we don't know that."""
        return _MAKERS.get(self.format or "", self.format or _UNKNOWN)

    @property
    def said(self) -> str:
        return self.text or self.summary or ""

    @property
    def is_proof(self) -> bool:
        return bool(self.signature or self.data)

    def thinking(self) -> Thinking:
        """The thought; a plain one is nobody's."""
        if not self.is_proof:
            return Thinking(text=self.said)
        return Thinking(
            text=self.said, signature=self.signature or "", redacted=self.data or "", id=self.id or "", maker=self.maker
        )


_decode = msgspec.json.Decoder(list[Detail] | None).decode


def read_details(raw: msgspec.Raw) -> list[Detail]:
    """The details of a message or a delta, none where there are none. Raises msgspec.DecodeError."""
    return (_decode(raw) or []) if bytes(raw) else []


def detail(thought: Thinking, index: int) -> dict[str, Any]:
    """A thought with its proof; index: which of the message's thoughts it is."""
    fields: dict[str, Any] = {"type": "reasoning.encrypted" if thought.redacted else "reasoning.text"}
    if thought.redacted:
        fields["data"] = thought.redacted
    else:
        fields["text"] = thought.text
    if thought.signature:
        fields["signature"] = thought.signature
    if thought.id:
        fields["id"] = thought.id
    return {**fields, "format": FORMATS.get(thought.maker, thought.maker or _UNKNOWN), "index": index}


def call_signatures(details: Sequence[Detail], call_ids: Sequence[str]) -> dict[str, str]:
    """Tool call → the signature of the thought behind it, of those that say so by the call's id."""
    return {detail.id: detail.data for detail in details if detail.id and detail.data and detail.id in call_ids}
