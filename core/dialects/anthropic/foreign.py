"""Takes the thoughts of other makers out of a request that passes to Anthropic as it is.

A conversation that a router's route, or its user, moved from another model to Claude has them in it, under a seal
(seals.py). Anthropic refuses a thought that it did not sign.
"""

from typing import Final

import msgspec

from core.dialects.anthropic.seals import SEAL
from core.dialects.request import Request, encode

SEAL_BYTES: Final = SEAL.encode()


class _Thought(msgspec.Struct):
    type: str = ""
    signature: str | None = None
    data: str | None = None


_decode_messages = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_decode_blocks = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_thought = msgspec.json.Decoder(_Thought).decode
_encode = msgspec.json.Encoder().encode


def without_foreign(request: Request) -> Request:
    """The request without them; the same one where there are none, or where it can't be read."""
    try:
        messages = _decode_messages(request.fields.get("messages", b""))
        kept = [
            (_cleaned(message) if SEAL_BYTES in bytes(message.get("content", b"")) else message) for message in messages
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return request
    if all(one is other for one, other in zip(kept, messages, strict=True)):
        return request
    raw = msgspec.Raw(_encode([message for message in kept if message is not None]))
    fields = {**request.fields, "messages": raw}
    return msgspec.structs.replace(request, body=encode(fields), fields=fields)


def _cleaned(message: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw] | None:
    """A message without such thoughts; None where it was nothing else."""
    if not bytes(message["content"]).startswith(b"["):
        return message
    blocks = _decode_blocks(message["content"])
    own = [block for block in blocks if not (SEAL_BYTES in bytes(block) and _is_foreign(block))]
    if len(own) == len(blocks):
        return message
    return {**message, "content": msgspec.Raw(_encode(own))} if own else None


def _is_foreign(block: msgspec.Raw) -> bool:
    thought = _decode_thought(block)
    proof = {"thinking": thought.signature, "redacted_thinking": thought.data}.get(thought.type)
    return proof is not None and proof.startswith(SEAL)
