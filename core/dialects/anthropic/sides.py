"""Both sides of Anthropic's wire, for those who speak another."""

from collections.abc import Mapping
from typing import Final

from core.dialects.anthropic.answer_reader import read_answer
from core.dialects.anthropic.answer_writer import write_answer
from core.dialects.anthropic.chat_reader import read_chat
from core.dialects.anthropic.chat_writer import write_chat
from core.dialects.anthropic.faults import read_fault, write_fault
from core.dialects.anthropic.messages import MESSAGES
from core.dialects.anthropic.stream_reader import MessageReader
from core.dialects.anthropic.stream_writer import MessageWriter
from core.dialects.sides import CallerSide, ProviderSide
from core.dialects.sse import SseFrames

NAMES: Final[Mapping[str, str]] = {
    "max_output": "max_tokens",
    "stop": "stop_sequences",
    "reasoning": "thinking",
    "reasoning.effort": "output_config.effort",
    "reasoning.budget": "thinking.budget_tokens",
    "reasoning.shown": "thinking.display",
    "format": "output_config.format",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "user": "metadata.user_id",
}
"""Field of Chat → its name on this wire, where that is another."""

CALLERS: Final[Mapping[str, CallerSide]] = {
    MESSAGES: CallerSide(
        names=NAMES,
        read_chat=read_chat,
        write_answer=write_answer,
        stream_writer=MessageWriter,
        write_fault=write_fault,
    )
}
PROVIDERS: Final[Mapping[str, ProviderSide]] = {
    MESSAGES: ProviderSide(
        write_chat=write_chat,
        read_answer=read_answer,
        stream_reader=MessageReader,
        read_fault=read_fault,
        frames=SseFrames,
    )
}
