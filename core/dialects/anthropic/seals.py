"""Thoughts of other makers on Anthropic's wire: a caller must keep them, and Anthropic must never see them.

The wire has one place for the proof of a thought, and knows one maker. What another maker signed, or nobody,
stands there under a seal, so that it finds its maker again when the caller sends the conversation back:

    llmrouter:gemini:thought_7:CpQB…      maker, id, signature
    llmrouter:data:openai:rs_1:gAAA…      the same of a thought that is redacted, for all that is told of it
    llmrouter:call::CpQB…                 the signature of the tool call that follows, in a redacted thought

Anthropic's own signatures are base64, which has no colon.
"""

from typing import Final

from core.dialects.canonical import Thinking

ANTHROPIC: Final = "anthropic"
SEAL: Final = "llmrouter:"
_CALL: Final = f"{SEAL}call::"
_DATA: Final = f"{SEAL}data:"


def sealed(maker: str, thought_id: str, proof: str) -> str:
    """A proof as it stands on the wire; Anthropic's own as it is."""
    if maker == ANTHROPIC:
        return proof
    return f"{SEAL}{maker}:{thought_id.replace(':', '')}:{proof}"


def opened(proof: str) -> tuple[str, str, str]:
    """Maker, id and the proof itself, of what stands on the wire. Nothing at all has no maker."""
    if not proof.startswith(SEAL):
        return (ANTHROPIC, "", proof) if proof else ("", "", "")
    maker, _, rest = proof.removeprefix(SEAL).partition(":")
    thought_id, _, signature = rest.partition(":")
    return maker, thought_id, signature


def sealed_data(maker: str, thought_id: str, data: str) -> str:
    """A redacted thought as the signature of what is told of it."""
    return _DATA + sealed(maker or "?", thought_id, data).removeprefix(SEAL)


def sealed_call(signature: str) -> str:
    """The signature of a tool call, as a redacted thought before it."""
    return _CALL + signature


def opened_call(data: str) -> str:
    """The signature of the tool call that follows such a redacted thought; "" where it is another."""
    return data.removeprefix(_CALL) if data.startswith(_CALL) else ""


def thought(text: str, signature: str) -> Thinking:
    """A thought from the wire."""
    if signature.startswith(_DATA):
        maker, thought_id, data = opened(SEAL + signature.removeprefix(_DATA))
        return Thinking(text=text, redacted=data, id=thought_id, maker=maker)
    maker, thought_id, proof = opened(signature)
    return Thinking(text=text, signature=proof, id=thought_id, maker=maker)


def redacted(data: str) -> Thinking:
    """A redacted thought from the wire."""
    maker, thought_id, proof = opened(data)
    return Thinking(redacted=proof, id=thought_id, maker=maker)
