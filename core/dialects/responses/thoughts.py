"""Thoughts of other makers inside `encrypted_content`, so that a caller of this wire brings them back as they were.

    Thinking(maker="openai")   ─► as OpenAI wrote it
    Thinking(maker="anthropic"), the signature of a call (Gemini)
                               ─► "llmrouter." and base64 of [maker, signature, redacted, kind]

Callers keep what stands there without reading it, and send it back with the conversation. What has our mark
and can't be read was changed on the way, and is left out.
"""

import base64
import binascii
from typing import Final

import msgspec

MAKER: Final = "openai"
_MARK: Final = "llmrouter."

OF_THOUGHT: Final = "thought"
OF_CALL: Final = "call"


class Proof(msgspec.Struct, array_like=True, frozen=True):
    """What proves a thought."""

    maker: str = ""
    signature: str = ""
    redacted: str = ""
    kind: str = OF_THOUGHT  # OF_CALL: it belongs to the next call, and there is no thought


_decode = msgspec.json.Decoder(Proof).decode
_encode = msgspec.json.Encoder().encode


def sealed(proof: Proof) -> str:
    """The proof as `encrypted_content`, "" for none."""
    if proof.maker == MAKER and not proof.signature and proof.kind == OF_THOUGHT:
        return proof.redacted
    if not (proof.signature or proof.redacted):
        return ""
    return _MARK + base64.urlsafe_b64encode(_encode(proof)).decode()


def is_sealed(content: str) -> bool:
    """Whether `encrypted_content` is one of ours."""
    return content.startswith(_MARK)


def opened(content: str) -> Proof:
    """What `encrypted_content` proves; nothing where it is broken."""
    if not content.startswith(_MARK):
        return Proof(MAKER if content else "", "", content)
    try:
        return _decode(base64.urlsafe_b64decode(content[len(_MARK) :].encode()))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return Proof()
