"""What holds for a message as a whole: its role, and the fields that only some roles have."""

from typing import Any, Final

from core.rpc.request_body import wrong
from llmrouter.v1 import router_pb2 as pb

ROLES: Final = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "developer",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}
"""Every valid role by its name on the wire."""

_TTLS: Final = ("", "5m", "1h")


def check(message: pb.ChatMessage, path: str) -> None:
    """Raises InvalidArgument for what a message of that role can't have."""
    if message.role not in ROLES:
        raise wrong(f"{path}.role", "must be one of the known roles")
    if message.role != pb.ROLE_ASSISTANT:
        for name in ("thinking", "in_order"):
            if message.HasField(name) if name == "in_order" else message.thinking:
                raise wrong(f"{path}.{name}", "is what an assistant says")
    elif message.HasField("in_order") and not message.in_order.parts:
        raise wrong(f"{path}.in_order.parts", "must hold at least one part")
    if message.role != pb.ROLE_TOOL and message.is_error:
        raise wrong(f"{path}.is_error", "is for tools")
    if message.HasField("cache"):
        marked(message, path)
        several = message.HasField("parts") or message.HasField("in_order")
        if several and (message.role != pb.ROLE_TOOL or has_results(message)):
            raise wrong(f"{path}.cache", "stands at one of the parts, where there are parts")


def has_results(message: pb.ChatMessage) -> bool:
    """Whether a message has several results of tools in its parts, in place of being one."""
    parts = message.parts.parts
    return message.role == pb.ROLE_TOOL and len(parts) > 0 and parts[0].HasField("tool_result")


def marked(marks: pb.ContentPart | pb.ChatMessage | pb.ToolCall | pb.ToolResult | pb.Tool, path: str) -> dict[str, Any]:
    """The mark of the cache as a field of JSON, where there is one. Raises InvalidArgument."""
    if not marks.HasField("cache"):
        return {}
    ttl = marks.cache.ttl
    if ttl not in _TTLS:
        raise wrong(f"{path}.cache.ttl", 'must be "5m", "1h" or empty')
    return {"cache_control": {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}}
