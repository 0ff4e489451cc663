"""The Responses wire on both sides of a translation."""

from collections.abc import Mapping

from core.dialects.responses.answer_reader import read_answer
from core.dialects.responses.answer_writer import write_answer
from core.dialects.responses.chat_reader import read_chat
from core.dialects.responses.chat_writer import write_chat
from core.dialects.responses.faults import read_fault, write_fault
from core.dialects.responses.request import RESPONSES
from core.dialects.responses.stream_reader import ResponseReader
from core.dialects.responses.stream_writer import ResponseWriter
from core.dialects.sides import CallerSide, ProviderSide
from core.dialects.sse import SseFrames

CALLER = CallerSide(
    names={
        "messages": "input",
        "max_output": "max_output_tokens",
        "format": "text.format",
        "verbosity": "text.verbosity",
        "cache_key": "prompt_cache_key",
        "logprobs": "include",
        "user": "safety_identifier",
    },
    read_chat=read_chat,
    write_answer=write_answer,
    stream_writer=ResponseWriter,
    write_fault=write_fault,
)
PROVIDER = ProviderSide(
    write_chat=write_chat,
    read_answer=read_answer,
    stream_reader=ResponseReader,
    read_fault=read_fault,
    frames=SseFrames,
)

CALLERS: Mapping[str, CallerSide] = {RESPONSES: CALLER}
PROVIDERS: Mapping[str, ProviderSide] = {RESPONSES: PROVIDER}
