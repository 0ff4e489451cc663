"""How a request of Anthropic's wire asks for thoughts, tools and a form of the answer."""

from typing import Final, Literal

import msgspec

from core.dialects.anthropic.blocks import Unsaid
from core.dialects.canonical import NO_JSON, Chat, Format, Reasoning, ToolChoice
from core.dialects.request import hashed
from core.errors import InvalidArgument

_MOST_USER: Final = 64  # characters of a user's id, with OpenAI


class AskedChoice(msgspec.Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class AskedThinking(msgspec.Struct):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | float | None = None
    display: str | None = None


class AskedFormat(msgspec.Struct):
    type: str = ""
    schema: msgspec.Raw = NO_JSON


class OutputConfig(msgspec.Struct):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: AskedFormat | None = None
    task_budget: msgspec.Raw = NO_JSON


class Metadata(msgspec.Struct):
    user_id: str | None = None


def choose(chat: Chat, choice: AskedChoice | None) -> None:
    """Puts in which tools may be called, and whether several at once. Raises InvalidArgument."""
    if choice is None:
        return
    match choice.type:
        case "auto" | "none":
            chat.tool_choice = ToolChoice(choice.type)
        case "any":
            chat.tool_choice = ToolChoice("required")
        case "tool" if choice.name:
            chat.tool_choice = ToolChoice("tool", choice.name)
        case _:
            raise InvalidArgument("tool_choice must be auto, any, none, or tool with a name", field="tool_choice")
    if choice.disable_parallel_tool_use is not None:
        chat.parallel_tool_calls = not choice.disable_parallel_tool_use


def reasoning_of(thinking: AskedThinking | None, config: OutputConfig | None) -> Reasoning | None:
    """How much a model shall think. Raises InvalidArgument."""
    effort = config.effort if config else None
    if thinking is None:
        return None if effort is None else Reasoning(effort=effort)
    if thinking.type in ("disabled", "between_tools"):
        return Reasoning(effort="none")
    shown = None if thinking.display is None else thinking.display != "omitted"
    if effort is not None:
        return Reasoning(effort=effort, shown=shown)
    if thinking.type == "adaptive":
        return Reasoning(budget=-1, shown=shown)
    budget = whole(thinking.budget_tokens, "thinking.budget_tokens")
    if budget is None:
        field = "thinking.budget_tokens"
        raise InvalidArgument(f"{field} is missing", field=field)
    return Reasoning(budget=budget, shown=shown)


def format_of(config: OutputConfig | None, older: AskedFormat | None, unsaid: Unsaid) -> Format | None:
    """The form of the answer, which stands in one of two places."""
    asked = (config.format if config else None) or older
    if asked is None:
        return None
    if asked.type != "json_schema" or not asked.schema:
        unsaid.note("output_config.format")
        return None
    return Format("schema", schema=asked.schema, strict=True)


def user_of(metadata: Metadata | None) -> str:
    """The user's id, of a length that every provider takes."""
    user_id = metadata.user_id or "" if metadata else ""
    return user_id if len(user_id) <= _MOST_USER else hashed(user_id.encode())


def whole(number: float | None, field: str) -> int | None:
    """A number of tokens; clients of languages with one kind of number write it with a point."""
    if number is None:
        return None
    if number < 0 or number != int(number):
        raise InvalidArgument(f"{field} must be a whole number, not negative", field=field)
    return int(number)


def tier_of(tier: str | None) -> str:
    """The service tier in our words, "" for the default. Raises InvalidArgument."""
    if tier not in (None, "auto", "standard_only"):
        raise InvalidArgument("service_tier must be auto or standard_only", field="service_tier")
    return "default" if tier == "standard_only" else ""
