"""A ChatRequest's extra_json, read as OpenAI's wire has it and put over the typed fields."""

from typing import Any, Final

import msgspec

from core.dialects.canonical import Chat
from core.dialects.openai import chat_reader
from core.dialects.openai.chat import CHAT, read_request
from core.errors import InvalidArgument
from core.rpc.request_body import read_object

_PATH: Final = "chat.extra_json"
_NOT_ITS_BUSINESS: Final = ("stream", "stream_options")
_NOBODY: Final[dict[str, Any]] = {"model": "-", "messages": [{"role": "user", "content": "-"}]}
_FIELDS: Final = {
    **{wire: field for field, wire in chat_reader.NAMES.items()},
    "max_tokens": "max_output",
    "reasoning": "reasoning",
    "functions": "tools",
    "function_call": "tool_choice",
    "safety_identifier": "user",
}
"""OpenAI's field → of Chat, where that has another name."""
_PLAIN: Final = Chat(model="", messages=[])

_encode = msgspec.json.Encoder().encode


def put_over(chat: Chat, extra_json: str) -> frozenset[str]:
    """Puts the fields over those of the chat; the names of the fields of Chat that it did. Raises InvalidArgument."""
    fields = {name: raw for name, raw in read_object(extra_json, _PATH).items() if name not in _NOT_ITS_BUSINESS}
    try:
        found = chat_reader.read_chat(read_request(CHAT, _encode({**_NOBODY, **fields}), never_stream=True))
    except InvalidArgument as error:
        raise InvalidArgument(f"{_PATH}: {error.message}", field=_PATH) from None
    named = {_FIELDS.get(name, name) for name in fields}
    said = {
        name
        for name in Chat.__struct_fields__
        if name not in ("model", "messages", "others", "hints") and getattr(found, name) != getattr(_PLAIN, name)
    }
    taken = said | named.intersection(Chat.__struct_fields__) - {"others"}
    for name in taken:
        setattr(chat, name, getattr(found, name))
    chat.others = {**chat.others, **found.others}
    return frozenset(taken)
