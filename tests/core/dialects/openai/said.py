"""What chat completions can say, for the tests of their translation, and requests made of bytes."""

import json
from typing import Any

from core.dialects.canonical import Chat
from core.dialects.losses import Losses
from core.dialects.openai.chat import CHAT, read_request
from core.dialects.openai.chat_reader import read_chat
from core.dialects.sides import Manner
from tests.core.dialects.chats import Can

OPENROUTER = Manner(vendor="openrouter", output_field="max_completion_tokens")
"""The vendor whose wire says most."""

REQUESTS = Can(
    images=("url", "data"),
    documents=("url", "data", "file_id"),
    document_contexts=False,  # a text before it
    call_signatures=False,  # Google's endpoint alone takes them
    result_images=False,  # in a message of the user
    result_documents=False,
    result_errors=False,  # said in words
    formats=("json", "schema"),
)
ANSWERS = Can(finishes=("stop", "length", "content_filter"), stop_sequences=False)


def strict() -> Losses:
    """Nothing may get lost."""
    return Losses({}, "a provider", drop=False)


def read(body: dict[str, Any] | bytes, operation: str = CHAT) -> Chat:
    """A caller's request, read."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_chat(read_request(operation, data))


def user(*content: Any, **fields: Any) -> dict[str, Any]:
    """A request with one message of the user."""
    return {"model": "m", "messages": [{"role": "user", "content": list(content)}], **fields}
