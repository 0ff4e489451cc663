"""The messages of a chat, from protobuf to the OpenAI wire. Raises InvalidArgument with a field's path."""

import base64
from collections.abc import Iterable
from typing import Any

from core.rpc.request_body import wrong
from llmrouter.v1 import router_pb2 as pb

ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "developer",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}
"""Every valid role by its name on the wire."""


def wire_messages(messages: Iterable[pb.ChatMessage], path: str) -> list[dict[str, Any]]:
    """The messages as JSON's objects. path: of the list in the request."""
    return [_message(message, f"{path}[{index}]") for index, message in enumerate(messages)]


def _message(message: pb.ChatMessage, path: str) -> dict[str, Any]:
    role = ROLES.get(message.role)
    if role is None:
        raise wrong(f"{path}.role", "must be one of the known roles")
    wire: dict[str, Any] = {"role": role}
    if message.HasField("text"):
        wire["content"] = message.text
    elif message.HasField("parts"):
        wire["content"] = _parts(message.parts, f"{path}.parts")
    elif message.role != pb.ROLE_ASSISTANT:
        raise wrong(f"{path}.text", "or parts must be set")
    if message.tool_calls:
        calls = enumerate(message.tool_calls)
        wire["tool_calls"] = [_tool_call(call, f"{path}.tool_calls[{index}]") for index, call in calls]
    texts = {
        "name": message.name,
        "tool_call_id": message.tool_call_id,
        "refusal": message.refusal,
        "reasoning_content": message.reasoning,
    }
    return wire | {name: text for name, text in texts.items() if text}


def _tool_call(call: pb.ToolCall, path: str) -> dict[str, Any]:
    if not call.name:
        raise wrong(f"{path}.name", "must be set")
    function = {"name": call.name, "arguments": call.arguments_json}
    return {**_set(id=call.id), "type": "function", "function": function}


def _parts(content: pb.ContentParts, path: str) -> list[dict[str, Any]]:
    if not content.parts:
        raise wrong(f"{path}.parts", "must hold at least one part")
    return [_part(part, f"{path}.parts[{index}]") for index, part in enumerate(content.parts)]


def _part(part: pb.ContentPart, path: str) -> dict[str, Any]:
    kind = part.WhichOneof("part")
    if kind == "text":
        return {"type": "text", "text": part.text}
    if kind == "image":
        if not part.image.url:
            raise wrong(f"{path}.image.url", "must be set")
        return {"type": "image_url", "image_url": _set(url=part.image.url, detail=part.image.detail)}
    if kind == "audio":
        return {"type": "input_audio", "input_audio": _audio(part.audio, f"{path}.audio")}
    if kind == "file":
        return {"type": "file", "file": _file(part.file, f"{path}.file")}
    raise wrong(path, "must be text, image, audio or file")


def _audio(audio: pb.AudioPart, path: str) -> dict[str, str]:
    if not audio.data:
        raise wrong(f"{path}.data", "must be set")
    if not audio.format:
        raise wrong(f"{path}.format", "must be set")
    return {"data": base64.b64encode(audio.data).decode(), "format": audio.format}


def _file(file: pb.FilePart, path: str) -> dict[str, str]:
    if not file.file_id and not file.file_data:
        raise wrong(f"{path}.file_id", "or file_data must be set")
    return _set(file_id=file.file_id, file_data=file.file_data, filename=file.filename)


def _set(**texts: str) -> dict[str, str]:
    """Those that are not empty."""
    return {name: text for name, text in texts.items() if text}
