"""The Gemini wire's sides of a translation."""

from collections.abc import Mapping
from typing import Final

from core.dialects.gemini.answer_reader import read_answer
from core.dialects.gemini.answer_writer import write_answer
from core.dialects.gemini.chat_reader import read_chat
from core.dialects.gemini.chat_writer import write_chat
from core.dialects.gemini.faults import read_fault, write_fault
from core.dialects.gemini.generate import GENERATE
from core.dialects.gemini.stream_reader import GenerateReader
from core.dialects.gemini.stream_writer import GenerateWriter
from core.dialects.sides import CallerSide, ProviderSide
from core.dialects.sse import SseFrames

NAMES: Final = {
    "messages": "contents",
    "tool_choice": "toolConfig.functionCallingConfig",
    "reasoning": "generationConfig.thinkingConfig",
    "format": "generationConfig.responseJsonSchema",
    "max_output": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "stop": "generationConfig.stopSequences",
    "seed": "generationConfig.seed",
    "n": "generationConfig.candidateCount",
    "presence_penalty": "generationConfig.presencePenalty",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "logprobs": "generationConfig.responseLogprobs",
    "top_logprobs": "generationConfig.logprobs",
    "service_tier": "serviceTier",
    "detail": "mediaResolution",
}

CALLERS: Mapping[str, CallerSide] = {
    GENERATE: CallerSide(
        names=NAMES,
        read_chat=read_chat,
        write_answer=write_answer,
        stream_writer=GenerateWriter,
        write_fault=write_fault,
    ),
}
PROVIDERS: Mapping[str, ProviderSide] = {
    GENERATE: ProviderSide(
        write_chat=write_chat,
        read_answer=read_answer,
        stream_reader=GenerateReader,
        read_fault=read_fault,
        frames=SseFrames,
    ),
}
