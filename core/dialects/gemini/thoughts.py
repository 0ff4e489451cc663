"""Thoughts of other makers on the Gemini wire, so that a caller can give them back to their maker.

The wire has one opaque field for a thought, its signature, which is base64. A thought that Gemini itself
signed has its signature there as it is; any other has there, behind a mark, all that its maker wants back.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from core.dialects.canonical import Thinking

MAKER: Final = "gemini"

_MARK: Final = b"llmrouter/1:"  # a multiple of three bytes, so that its base64 can be told
_MARKED: Final = urlsafe_b64encode(_MARK).decode()


class _Foreign(msgspec.Struct, array_like=True):
    maker: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Foreign).decode


def signature_of(signature: str, redacted: str, id_: str, maker: str) -> str:
    """What stands in the wire's field for a thought; "" where there is nothing to prove."""
    if maker == MAKER and not redacted and not id_:
        return signature
    if not (signature or redacted or id_):
        return ""
    return urlsafe_b64encode(_MARK + _encode(_Foreign(maker, signature, redacted, id_))).decode()


def thought(text: str, signature: str) -> Thinking:
    """The thought with that in its field."""
    if not signature:
        return Thinking(text)
    if signature.startswith(_MARKED):
        try:
            found = _decode(urlsafe_b64decode(signature.replace("+", "-").replace("/", "_"))[len(_MARK) :])
        except ValueError:  # msgspec's and binascii's errors are such
            return Thinking(text)
        return Thinking(text, found.signature, found.redacted, found.id, found.maker)
    return Thinking(text, signature, maker=MAKER)
