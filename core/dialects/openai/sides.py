"""The OpenAI wire's sides of a translation: chat completions both ways, text completions for callers."""

from collections.abc import Mapping

from core.dialects.openai import answer_writer, chat_reader, completion_reader, completion_writer
from core.dialects.openai.answer_reader import read_answer
from core.dialects.openai.chat import CHAT, COMPLETION
from core.dialects.openai.chat_writer import write_chat
from core.dialects.openai.faults import read_fault, write_fault
from core.dialects.openai.stream_reader import ChunkReader
from core.dialects.openai.stream_writer import ChunkWriter
from core.dialects.sides import CallerSide, ProviderSide
from core.dialects.sse import SseFrames

CALLERS: Mapping[str, CallerSide] = {
    CHAT: CallerSide(
        names=chat_reader.NAMES,
        read_chat=chat_reader.read_chat,
        write_answer=answer_writer.write_answer,
        stream_writer=ChunkWriter,
        write_fault=write_fault,
    ),
    COMPLETION: CallerSide(
        names=completion_reader.NAMES,
        read_chat=completion_reader.read_chat,
        write_answer=completion_writer.write_answer,
        stream_writer=completion_writer.TextWriter,
        write_fault=write_fault,
    ),
}
PROVIDERS: Mapping[str, ProviderSide] = {
    CHAT: ProviderSide(
        write_chat=write_chat,
        read_answer=read_answer,
        stream_reader=ChunkReader,
        read_fault=read_fault,
        frames=SseFrames,
    ),
}
