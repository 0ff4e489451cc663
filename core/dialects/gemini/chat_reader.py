"""A request of a Gemini caller, who has put the model and whether to stream into the address.

Source: https://ai.google.dev/api/generate-content
"""

from typing import Final

import msgspec

from core.dialects.canonical import Chat, Document, Image, Message, Text
from core.dialects.gemini.config import read_config
from core.dialects.gemini.contents_reader import ContentsReader
from core.dialects.gemini.tools import read_tools
from core.dialects.gemini.wire import Content, given
from core.dialects.request import Request
from core.errors import InvalidArgument

_READ: Final = frozenset(
    {"model", "stream", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier"}
)
_NOTHING: Final = (b"null", b"[]", b"{}", b'""', b"false")
_TIERS: Final = {"standard": "default", "flex": "flex", "priority": "priority"}
_RESOLUTION: Final = "generationConfig.mediaResolution"
_DETAILS: Final = {b'"MEDIA_RESOLUTION_LOW"': "low", b'"MEDIA_RESOLUTION_HIGH"': "high"}


class _SafetySetting(msgspec.Struct):
    threshold: str | None = None


_decode_contents = msgspec.json.Decoder(list[Content], strict=False).decode
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_system = msgspec.json.Decoder(Content | str | None, strict=False).decode
_decode_safety = msgspec.json.Decoder(list[_SafetySetting] | None).decode
_decode_text = msgspec.json.Decoder(str | None).decode


def read_chat(request: Request) -> Chat:
    """What a request asks for. Raises InvalidArgument."""
    chat = Chat(model=request.model, messages=[], stream=request.streamed, include_usage=request.streamed)
    field = ""
    try:
        for field in request.fields:
            _read(chat, field, request.fields)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _, _, where = str(error).rpartition("`$")
        path = field + where.rstrip("`") if where else field
        raise InvalidArgument(f"{path} is not what the Gemini API describes", field=path) from None
    except RecursionError:
        raise InvalidArgument(f"{field} is nested too deeply", field=field) from None
    if "contents" not in request.fields:
        raise InvalidArgument("contents is missing", field="contents")
    _place_resolution(chat)
    return chat


def _read(chat: Chat, field: str, fields: dict[str, msgspec.Raw]) -> None:
    raw = fields[field]
    match field:
        case "contents":
            reader = ContentsReader(chat.others)
            reader.read(_decode_contents(raw), _decode_raw(raw))
            chat.messages += reader.messages
        case "systemInstruction":
            _read_system(chat, raw)
        case "tools" | "toolConfig":
            if field == "tools" or "tools" not in fields:  # they are read together
                chat.tools, chat.tool_choice = read_tools(fields, chat.others)
        case "generationConfig":
            read_config(chat, raw, chat.others)
        case "serviceTier":
            tier = (_decode_text(raw) or "").lower()
            chat.service_tier = _TIERS.get(tier, "")
            if tier not in ("", "unspecified", *_TIERS):
                chat.others[field] = raw
        case "safetySettings":
            settings = _decode_safety(raw) or ()
            # Who has every filter turned off has no wish that a provider without filters can't grant.
            if any(each.threshold not in ("OFF", "BLOCK_NONE") for each in settings):
                chat.others[field] = raw
        case _:
            if field not in _READ and bytes(raw) not in _NOTHING:
                chat.others[field] = raw


def _read_system(chat: Chat, raw: msgspec.Raw) -> None:
    """The instructions, each part of them a message: that is the form which all wires have."""
    found = _decode_system(raw)
    if found is None:
        return
    parts = [Text(found)] if isinstance(found, str) else []
    if isinstance(found, Content):
        for number, part in enumerate(found.parts or ()):
            if part.text is None:
                chat.others[f"systemInstruction.parts[{number}]"] = raw
            elif part.text:
                parts.append(Text(part.text))
    chat.messages[:0] = [Message("system", [part], place="systemInstruction") for part in parts]


def _place_resolution(chat: Chat) -> None:
    """The fineness of all pictures as each one's own, where nothing else is meant by it."""
    detail = _DETAILS.get(bytes(chat.others.get(_RESOLUTION, b"")))
    parts = [part for message in chat.messages for part in message.parts]
    if detail is None or not given(chat.others[_RESOLUTION]) or any(isinstance(part, Document) for part in parts):
        return
    del chat.others[_RESOLUTION]
    for part in parts:
        if isinstance(part, Image):
            part.detail = part.detail or detail
