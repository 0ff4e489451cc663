"""Counts the tokens of a prompt where its provider has no endpoint for it: `/v1/messages/count_tokens` answered here.

Texts, tools and calls are counted by core/dialects/counting.py. An image has as many tokens as Anthropic's largest;
of a document that is no text the size is all that is known. Clients ask in order to know when a conversation gets
too long, so that too much is the better mistake.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from core.dialects.anthropic.chat_reader import read_chat
from core.dialects.canonical import Audio, Chat, Document, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from core.dialects.counting import count_text
from core.dialects.request import Request

_A_MESSAGE: Final = 4  # tokens around each
_AN_IMAGE: Final = 1600
_UNKNOWN: Final = 3000  # of a file whose size is not known either
_BASE64_A_TOKEN: Final = 32  # characters of base64 of a PDF for one token: about 60 kB for a page

_encode = msgspec.json.Encoder().encode


def write_count(request: Request) -> bytes:
    """The answer to a request for a count. Raises InvalidArgument where it can't be read."""
    return _encode({"input_tokens": count_chat(read_chat(request))})


def count_chat(chat: Chat) -> int:
    """The tokens of a chat's prompt, its tools and the form of its answer included, approximately."""
    texts = [text for message in chat.messages for part in message.parts for text in _texts(part)]
    for tool in chat.tools:
        texts += [tool.name, tool.description, bytes(tool.parameters).decode(errors="replace")]
    if chat.format is not None:
        texts.append(bytes(chat.format.schema).decode(errors="replace"))
    files = sum(_file(part) for message in chat.messages for part in message.parts)
    return max(1, sum(map(count_text, texts)) + files + _A_MESSAGE * (len(chat.messages) + len(chat.tools)))


def _texts(part: Part) -> Iterator[str]:
    match part:
        case Text() | Refusal() | Thinking():
            yield part.text
        case ToolCall():
            yield part.name
            yield part.arguments
        case ToolResult():
            for inner in part.parts:
                yield from _texts(inner)
        case Document():
            yield from (part.name, part.context, part.text)
        case Image() | Audio():
            pass


def _file(part: Part) -> int:
    match part:
        case Image():
            return _AN_IMAGE
        case Document(text=""):
            return len(part.data) // _BASE64_A_TOKEN or _UNKNOWN
        case Audio():
            return len(part.data) // _BASE64_A_TOKEN
        case ToolResult():
            return sum(map(_file, part.parts))
        case _:
            return 0
