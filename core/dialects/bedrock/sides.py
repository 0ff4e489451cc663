"""Bedrock's Converse wire, as its provider has it."""

from core.dialects.bedrock.answer_reader import read_answer
from core.dialects.bedrock.chat_writer import write_chat
from core.dialects.bedrock.faults import read_fault
from core.dialects.bedrock.frames import MEDIA_TYPE, EventStreamFrames
from core.dialects.bedrock.stream_reader import ConverseStreamReader
from core.dialects.sides import ProviderSide

PROVIDER = ProviderSide(
    write_chat=write_chat,
    read_answer=read_answer,
    stream_reader=ConverseStreamReader,
    read_fault=read_fault,
    frames=EventStreamFrames,
    stream_type=MEDIA_TYPE,
)
