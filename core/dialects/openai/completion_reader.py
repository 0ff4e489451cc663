"""A caller's text completion, put into the form between all wires: its prompt is what a user says.

Models of other wires only chat, so they answer the prompt instead of going on with it; that is what callers of
this endpoint have from every vendor today. Several prompts at once, and tokens, can't be put so.

Wire: https://platform.openai.com/docs/api-reference/completions/create
"""

from typing import Final

import msgspec

from core.dialects.canonical import Chat, Message, Text
from core.dialects.openai.body import Number, Settings, decoded, whole
from core.dialects.openai.chat_reader import take_settings, unknown
from core.dialects.request import Request
from core.errors import InvalidArgument

NAMES: Final = {"max_output": "max_tokens", "include_usage": "stream_options", "messages": "prompt"}
"""Field of Chat → its name here, where that is another."""


class _Body(Settings):
    prompt: msgspec.Raw = msgspec.Raw(b"null")
    echo: bool | None = None
    suffix: str | None = None
    best_of: Number = None
    logprobs: Number = None


_KNOWN: Final = {*_Body.__struct_fields__, "model", "stream"}
_decoder = msgspec.json.Decoder(_Body)
_decode_prompt = msgspec.json.Decoder(str | list[str] | None).decode


def read_chat(request: Request) -> Chat:
    """What a request asks for. Raises InvalidArgument, with the field, for what the wire does not allow."""
    found = decoded(_decoder, request.body)
    others = unknown(request, _KNOWN)
    count = whole(found.n, "n") or 1
    best_of = whole(found.best_of, "best_of")
    for name, is_set in (
        ("echo", bool(found.echo)),
        ("suffix", bool(found.suffix)),
        ("best_of", best_of is not None and best_of > count),
        ("logprobs", found.logprobs is not None),  # their form is another than that of a chat
    ):
        if is_set:
            others[name] = request.fields[name]
    prompt = _prompt(found.prompt)
    chat = Chat(
        model=request.model, messages=[Message(role="user", parts=[Text(prompt)] if prompt else [])], others=others
    )
    chat.stream = request.streamed
    take_settings(chat, found, request)
    return chat


def _prompt(raw: msgspec.Raw) -> str:
    """The one text of a prompt. Raises InvalidArgument."""
    try:
        prompt = _decode_prompt(raw)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidArgument("prompt: the model's provider takes one text, and no tokens", field="prompt") from None
    if prompt is None or prompt == []:
        raise InvalidArgument("prompt is missing", field="prompt")
    if isinstance(prompt, str):
        return prompt
    if len(prompt) > 1:
        raise InvalidArgument("prompt: the model's provider takes one prompt at a time", field="prompt")
    return prompt[0]
