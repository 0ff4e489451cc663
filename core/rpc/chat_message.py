"""The messages of a chat, from protobuf to the OpenAI wire. Raises InvalidArgument with a field's path.

What that wire has no word for is said in the words of others (`cache_control`, `reasoning_details`), or just stands
there with its size: a chat that says such things is judged by this body, and goes to providers by another way
(core/rpc/typed_chat.py).
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from core.rpc.message_check import ROLES, check, has_results, marked
from core.rpc.request_body import wrong
from llmrouter.v1 import router_pb2 as pb


def wire_messages(messages: Iterable[pb.ChatMessage], path: str) -> list[dict[str, Any]]:
    """The messages as JSON's objects. path: of the list in the request."""
    written: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        where = f"{path}[{index}]"
        check(message, where)
        if has_results(message):
            results = enumerate(message.parts.parts)
            written += [_result(part, f"{where}.parts.parts[{number}]") for number, part in results]
        else:
            written.append(_message(message, where))
    return written


def _message(message: pb.ChatMessage, path: str) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": ROLES[message.role]}
    if message.HasField("in_order"):
        wire |= _in_order(message.in_order, f"{path}.in_order")
    else:
        wire |= _said(message, path)
    texts = {"name": message.name, "tool_call_id": message.tool_call_id}
    return wire | {name: text for name, text in texts.items() if text}


def _said(message: pb.ChatMessage, path: str) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    if message.HasField("text"):
        wire["content"] = message.text
        if message.HasField("cache"):
            wire["content"] = [{"type": "text", "text": message.text, **marked(message, path)}]
    elif message.HasField("parts"):
        wire["content"] = _parts(message.parts, f"{path}.parts", message.role)
    elif message.role != pb.ROLE_ASSISTANT:
        raise wrong(f"{path}.text", "or parts must be set")
    if message.tool_calls:
        calls = enumerate(message.tool_calls)
        wire["tool_calls"] = [_tool_call(call, f"{path}.tool_calls[{index}]") for index, call in calls]
    if message.refusal:
        wire["refusal"] = message.refusal
    if message.thinking:
        thoughts = enumerate(message.thinking)
        wire["reasoning_details"] = [_thought(each, f"{path}.thinking[{index}]") for index, each in thoughts]
    elif message.reasoning:
        wire["reasoning_content"] = message.reasoning
    return wire


def _in_order(content: pb.ContentParts, path: str) -> dict[str, Any]:
    """The same by kinds, which is all that this wire can say: it is what the request is judged by."""
    wire: dict[str, list[Any]] = {}
    for index, part in enumerate(content.parts):
        where = f"{path}.parts[{index}]"
        kind = part.WhichOneof("part")
        if kind == "thinking":
            wire.setdefault("reasoning_details", []).append(_thought(part.thinking, f"{where}.thinking"))
        elif kind == "tool_call":
            wire.setdefault("tool_calls", []).append(_tool_call(part.tool_call, f"{where}.tool_call"))
        else:
            wire.setdefault("content", []).append(_part(part, where, pb.ROLE_ASSISTANT))
    return dict(wire)


def _result(part: pb.ContentPart, path: str) -> dict[str, Any]:
    if not part.HasField("tool_result"):
        raise wrong(path, "must be a tool_result, as the first part is")
    result, where = part.tool_result, f"{path}.tool_result"
    if not result.call_id:
        raise wrong(f"{where}.call_id", "must be set")
    parts = enumerate(result.parts)
    content = [_part(each, f"{where}.parts[{index}]", pb.ROLE_TOOL) for index, each in parts]
    return {"role": "tool", "tool_call_id": result.call_id, "content": content, **marked(result, where)}


def _thought(thought: pb.Thought, path: str) -> dict[str, Any]:
    is_proof = bool(thought.signature or thought.redacted_data)
    if not is_proof and not thought.text:
        raise wrong(f"{path}.text", "signature or redacted_data must be set")
    if is_proof and not thought.maker:
        raise wrong(f"{path}.maker", "must be set where there is a proof")
    kind = "reasoning.encrypted" if thought.redacted_data else "reasoning.text"
    return {"type": kind, **_set(text=thought.text, signature=thought.signature, data=thought.redacted_data)}


def _tool_call(call: pb.ToolCall, path: str) -> dict[str, Any]:
    if not call.name:
        raise wrong(f"{path}.name", "must be set")
    function = {"name": call.name, "arguments": call.arguments_json}
    return {**_set(id=call.id), "type": "function", "function": function, **marked(call, path)}


def _parts(content: pb.ContentParts, path: str, role: pb.Role) -> list[dict[str, Any]]:
    if not content.parts:
        raise wrong(f"{path}.parts", "must hold at least one part")
    return [_part(part, f"{path}.parts[{index}]", role) for index, part in enumerate(content.parts)]


def _part(part: pb.ContentPart, path: str, role: pb.Role) -> dict[str, Any]:
    kind = part.WhichOneof("part")
    mark = marked(part, path)
    if kind == "text":
        return {"type": "text", "text": part.text, **mark}
    if kind == "image":
        return {"type": "image_url", "image_url": _image(part.image, f"{path}.image"), **mark}
    if kind == "file":
        return {"type": "file", "file": _file(part.file, f"{path}.file"), **mark}
    if mark:
        raise wrong(f"{path}.cache", "is for text, image and file")
    if kind == "audio":
        return {"type": "input_audio", "input_audio": _audio(part.audio, f"{path}.audio")}
    if kind == "refusal" and role == pb.ROLE_ASSISTANT:
        return {"type": "refusal", "refusal": part.refusal}
    if kind in ("thinking", "tool_call") and role == pb.ROLE_ASSISTANT:
        raise wrong(path, "must stand in the message's own field of thoughts and calls, or in its in_order")
    raise wrong(path, "must be text, image, audio or file")


def _image(image: pb.ImagePart, path: str) -> dict[str, str]:
    _one(image, ("url", "data", "file_id"), path)
    if image.data and not image.media_type:
        raise wrong(f"{path}.media_type", "must be set")
    url = f"data:{image.media_type};base64,{_base64(image.data)}" if image.data else image.url or image.file_id
    return _set(url=url, detail=image.detail)


def _audio(audio: pb.AudioPart, path: str) -> dict[str, str]:
    if not audio.data:
        raise wrong(f"{path}.data", "must be set")
    if not audio.format:
        raise wrong(f"{path}.format", "must be set")
    return {"data": _base64(audio.data), "format": audio.format}


def _file(file: pb.FilePart, path: str) -> dict[str, str]:
    if file.file_id and file.file_data and not (file.url or file.data or file.text):
        return _set(file_id=file.file_id, file_data=file.file_data, filename=file.filename)  # the provider may choose
    _one(file, ("file_id", "file_data", "url", "data", "text"), path)
    if file.data and not file.media_type:
        raise wrong(f"{path}.media_type", "must be set")
    data = f"data:{file.media_type};base64,{_base64(file.data)}" if file.data else file.file_data or file.url
    return _set(file_id=file.file_id, file_data=data, filename=file.filename, text=file.text, context=file.context)


def _one(part: pb.ImagePart | pb.FilePart, names: Sequence[str], path: str) -> None:
    """Raises InvalidArgument unless exactly one of the fields is set."""
    given = [name for name in names if getattr(part, name)]
    if not given:
        raise wrong(f"{path}.{names[0]}", f"or {' or '.join(names[1:])} must be set")
    if len(given) > 1:
        raise wrong(f"{path}.{given[1]}", f"must not be set beside {given[0]}")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _set(**texts: str) -> dict[str, str]:
    """Those that are not empty."""
    return {name: text for name, text in texts.items() if text}
