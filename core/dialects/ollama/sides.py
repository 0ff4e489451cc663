"""Ollama's own wire, as its provider has it."""

from core.dialects.ollama.answer_reader import read_answer
from core.dialects.ollama.chat_writer import write_chat
from core.dialects.ollama.faults import read_fault
from core.dialects.ollama.frames import MEDIA_TYPE, LineFrames
from core.dialects.ollama.stream_reader import ChatStreamReader
from core.dialects.sides import ProviderSide

PROVIDER = ProviderSide(
    write_chat=write_chat,
    read_answer=read_answer,
    stream_reader=ChatStreamReader,
    read_fault=read_fault,
    frames=LineFrames,
    stream_type=MEDIA_TYPE,
)
