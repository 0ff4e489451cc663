"""Thoughts as messages, those of OpenAI's wire and those of the form between all wires."""

from core.dialects.canonical import Thinking
from core.dialects.openai.answer import Said
from core.dialects.openai.answer_reader import details_of
from core.dialects.openai.reasoning_details import call_signatures
from llmrouter.v1 import router_pb2 as pb


def thought_message(thought: Thinking) -> pb.Thought:
    return pb.Thought(
        text=thought.text,
        signature=thought.signature,
        redacted_data=thought.redacted,
        id=thought.id,
        maker=thought.maker,
    )


def thoughts_of(said: Said) -> tuple[list[Thinking], dict[str, str]]:
    """The thoughts in the `reasoning_details` of an answer, and of those behind tool calls the proof, by the call."""
    if not bytes(said.reasoning_details):
        return [], {}
    details = details_of(said)
    behind = call_signatures(details, [call.id for call in said.tool_calls or () if call.id])
    return [one.thinking() for one in details if (one.said or one.is_proof) and one.id not in behind], behind
