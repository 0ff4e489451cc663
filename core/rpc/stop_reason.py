"""Why an answer ended, in the same words for all providers."""

from typing import Final

from core.dialects.canonical import Finish
from core.dialects.openai.finish import broke_off, read_finish
from llmrouter.v1 import router_pb2 as pb

REASONS: Final[dict[Finish, pb.StopReason]] = {
    "stop": pb.STOP_REASON_STOP,
    "length": pb.STOP_REASON_LENGTH,
    "tool_calls": pb.STOP_REASON_TOOL_CALLS,
    "content_filter": pb.STOP_REASON_CONTENT_FILTER,
    "refusal": pb.STOP_REASON_REFUSAL,
    "pause": pb.STOP_REASON_PAUSE,
}


def stop_reason(word: str, *, calls: bool, refused: bool) -> pb.StopReason:
    """By the word of a provider of OpenAI's wire, "" for none; and whether the answer calls tools, or is a refusal."""
    if not word or broke_off(word):
        return pb.STOP_REASON_UNSPECIFIED
    return REASONS[read_finish(word, calls=calls, refused=refused)]
