"""Fields inside a caller's chat completion that nobody here knows: in messages, parts, tools and options.

What they ask for would get lost in silence, so they go to Chat.others by their path, "messages[2].prefix". Null,
false and what is empty ask for nothing. Clients send back what they were answered, and what their libraries made of
it; that is left out without a word, for it tells another model nothing that the message does not say anyway:

    annotations, citations    where a model found what it said
    logprobs, parsed          the same answer once more, as numbers or as an object
    index, id, status, finish_reason, created, timestamp     how it came
    thinking_blocks, reasoning_text, reasoning_opaque, reasoning_signature, thought_signature
                              thoughts under names of other routers; the ones we know are in body.py
    provider_specific_fields, metadata, response_metadata    what a library or a vendor put beside it
    cache_control             a hint
"""

from collections.abc import Set
from typing import Final

import msgspec

from core.dialects.openai import body
from core.dialects.request import Request

_NOTHING: Final = (b"null", b"[]", b"{}", b'""', b"false")
_ANSWERED: Final = frozenset({
    *("annotations", "citations", "logprobs", "parsed", "index", "id", "status", "finish_reason", "created"),
    *("timestamp", "thinking_blocks", "reasoning_text", "reasoning_opaque", "reasoning_signature"),
    *("thought_signature", "provider_specific_fields", "metadata", "response_metadata", "cache_control"),
})  # fmt: skip
_MESSAGE: Final = frozenset(body.Message.__struct_fields__) | {"cache_control", "id"}
_MODELS_MESSAGE: Final = _MESSAGE | _ANSWERED
_PART: Final = frozenset(body.Part.__struct_fields__) | _ANSWERED
_CALL: Final = frozenset(body.ToolCall.__struct_fields__) | _ANSWERED | {"custom"}
_CALLED: Final = frozenset(body.Call.__struct_fields__) | {"parsed_arguments", "thought_signature"}
_TOOL: Final = frozenset(body.Tool.__struct_fields__)
_FUNCTION: Final = frozenset(body.Function.__struct_fields__)
_OPTIONS: Final = {
    "stream_options": frozenset(body.StreamOptions.__struct_fields__),
    "reasoning": frozenset(body.Reasoning.__struct_fields__),
    "thinking": frozenset(body.Thinking.__struct_fields__),
}

_Object = dict[str, msgspec.Raw]
_decode_object = msgspec.json.Decoder(_Object).decode
_decode_objects = msgspec.json.Decoder(list[_Object]).decode


def note_unknown(request: Request, others: dict[str, msgspec.Raw]) -> None:
    """Adds them to the others. The body was decoded as its wire has it before, so all has its form."""
    fields = request.fields
    for name, known in _OPTIONS.items():
        raw = fields.get(name)
        if raw is not None and bytes(raw).startswith(b"{"):
            _note(_decode_object(raw), known, name, others)
    for number, message in enumerate(_listed(fields.get("messages"))):
        _in_message(message, f"messages[{number}]", others)
    for number, tool in enumerate(_listed(fields.get("tools"))):
        _in_tool(tool, f"tools[{number}]", others)
    for number, function in enumerate(_listed(fields.get("functions"))):
        _note(function, _FUNCTION, f"functions[{number}]", others)


def _in_message(message: _Object, place: str, others: dict[str, msgspec.Raw]) -> None:
    known = _MODELS_MESSAGE if bytes(message.get("role", b"")) == b'"assistant"' else _MESSAGE
    _note(message, known, place, others)
    for number, part in enumerate(_listed(message.get("content"))):
        if not _is_other(part):
            _note(part, _PART, f"{place}.content[{number}]", others)
    for number, call in enumerate(_listed(message.get("tool_calls"))):
        where = f"{place}.tool_calls[{number}]"
        _note(call, _CALL, where, others)
        if (function := call.get("function")) is not None and bytes(function).startswith(b"{"):
            _note(_decode_object(function), _CALLED, f"{where}.function", others)


def _in_tool(tool: _Object, place: str, others: dict[str, msgspec.Raw]) -> None:
    function = tool.get("function")
    if function is None or not bytes(function).startswith(b"{"):
        return  # a tool of another kind, which is named as a whole
    _note(tool, _TOOL, place, others)
    _note(_decode_object(function), _FUNCTION, f"{place}.function", others)


def _is_other(part: _Object) -> bool:
    """Whether it is of a kind that is named as a whole: its content stands in a field of the kind's name."""
    kind = bytes(part.get("type", b"")).strip(b'"').decode(errors="replace")
    return kind in part and kind not in _PART


def _note(found: _Object, known: Set[str], place: str, others: dict[str, msgspec.Raw]) -> None:
    if found.keys() <= known:
        return
    for name, raw in found.items():
        if name not in known and bytes(raw) not in _NOTHING:
            others[f"{place}.{name}"] = raw


def _listed(raw: msgspec.Raw | None) -> list[_Object]:
    return _decode_objects(raw) if raw is not None and bytes(raw).startswith(b"[") else []
