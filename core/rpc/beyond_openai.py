"""Whether a chat says what OpenAI's own wire has no word for: vendors that speak it may refuse such fields.

So these chats go to them by the form between all wires, which knows what each vendor takes
(core/dialects/openai/manners.py); all others go as they are.
"""

from collections.abc import Iterable

from llmrouter.v1 import router_pb2 as pb


def goes_beyond(request: pb.ChatRequest) -> bool:
    """request: a valid one."""
    return (
        request.HasField("reasoning")
        or request.HasField("top_k")
        or any(tool.HasField("cache") for tool in request.tools)
        or any(_message(message) for message in request.messages)
    )


def _message(message: pb.ChatMessage) -> bool:
    return (
        message.HasField("cache")
        or message.HasField("in_order")
        or bool(message.thinking)
        or message.is_error
        or any(call.signature or call.HasField("cache") for call in message.tool_calls)
        or (message.HasField("parts") and _parts(message.parts.parts, of_a_tool=message.role == pb.ROLE_TOOL))
    )


def _parts(parts: Iterable[pb.ContentPart], *, of_a_tool: bool) -> bool:
    for part in parts:
        kind = part.WhichOneof("part")
        if part.HasField("cache") or kind == "tool_result" or (of_a_tool and kind != "text"):
            return True
        if kind == "image" and part.image.file_id:
            return True
        if kind == "file" and (part.file.url or part.file.text or part.file.context):
            return True
    return False
