"""A request for a Gemini provider: the body of generateContent and of streamGenerateContent, which is the same.

The model and whether to stream stand in the address. Marks of the prompt cache and the cache's key are hints,
and Gemini caches by itself, so they are left out. Every stream reports what it used, unasked.

Source: https://ai.google.dev/api/generate-content
"""

from typing import Any, Final

import msgspec

from core.dialects.canonical import Chat, Document, Image
from core.dialects.gemini.config import GenerationConfig, write_config
from core.dialects.gemini.contents_writer import ContentsWriter
from core.dialects.gemini.tools import write_tools
from core.dialects.losses import Losses
from core.dialects.sides import Manner

_RESOLUTIONS: Final = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
_TIERS: Final = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority"}

_encode = msgspec.json.Encoder().encode


def write_chat(chat: Chat, losses: Losses, manner: Manner) -> bytes:
    """The body. Raises InvalidArgument."""
    writer = ContentsWriter(chat.model, losses)
    writer.write(chat.messages)
    body: dict[str, Any] = {"contents": writer.contents}
    if writer.system:
        body["systemInstruction"] = {"parts": writer.system}
    write_tools(chat, body, losses)
    config = write_config(chat, losses, manner)
    config.media_resolution = _resolution(chat, losses)
    if config != GenerationConfig():
        body["generationConfig"] = config
    if chat.service_tier in _TIERS:
        body["serviceTier"] = _TIERS[chat.service_tier]
    elif chat.service_tier not in ("", "auto"):
        losses.lose("service_tier", "it has no such tier")
    _lose(chat, losses)
    return _encode(body)


def _lose(chat: Chat, losses: Losses) -> None:
    """What Gemini has no words for."""
    if bytes(chat.logit_bias) not in (b"", b"null", b"{}"):
        losses.lose("logit_bias")
    if chat.verbosity not in ("", "medium"):
        losses.lose("verbosity")
    if chat.user:
        losses.lose("user")
    if chat.metadata:
        losses.lose("metadata")


def _resolution(chat: Chat, losses: Losses) -> str | None:
    """How finely pictures are looked at: one word for the whole request, None where it leaves that to the model."""
    places = [
        (f"messages[{number}].content[{place}]", part)
        for number, message in enumerate(chat.messages)
        for place, part in enumerate(message.parts)
        if isinstance(part, Image | Document)
    ]
    if not places:
        return None
    details = {part.detail if isinstance(part, Image) else "" for _, part in places}
    if len(details) == 1 and (only := details.pop()) in _RESOLUTIONS:
        return _RESOLUTIONS[only]
    for path, part in places:
        if isinstance(part, Image) and part.detail not in ("", "auto"):
            losses.lose(f"{path}.detail", "pictures and documents of a request are all looked at alike")
    return None
