"""Results of tools right behind their calls.

Some wires let something stand between them: an input of Responses may say `function_call`, a message of the user's,
`function_call_output`. Others refuse that, so it is put in order once, for all of them.
"""

from collections.abc import Sequence

from core.dialects.canonical import Message, ToolCall, ToolResult


def in_order(messages: list[Message]) -> list[Message]:
    """The same messages where they are in order; else new ones, with what stood between behind the results.

    Results whose call is not there, or that name none, stay where they are.
    """
    before: Message | None = None
    for message in messages:
        if message.role == "tool" and before is not None and before.role != "tool" and not _calls(before):
            return _moved(messages)
        before = message
    return messages


def _calls(message: Message) -> bool:
    return message.role == "assistant" and any(isinstance(part, ToolCall) for part in message.parts)


def _moved(messages: Sequence[Message]) -> list[Message]:
    moved: list[Message] = []
    homes: dict[str, Message] = {}  # the message of the results, by the id of the call
    for message in messages:
        if message.role != "tool":
            moved.append(message)
            if _calls(message):
                home = Message("tool", [])
                moved.append(home)
                homes.update({part.id: home for part in message.parts if isinstance(part, ToolCall) and part.id})
            continue
        stays = Message("tool", [], message.name, message.place)
        for part in message.parts:
            home = homes.get(part.call_id, stays) if isinstance(part, ToolResult) else stays
            home.parts.append(part)
            home.place = home.place or message.place
        moved.append(stays)
    return [message for message in moved if message.role != "tool" or message.parts]
