"""Streams in the form between all wires as the events of StreamChat.

    events ─► started, (delta | thought_end | tool_call_delta)…, usage, finished

A provider of the OpenAI wire whose stream passes as it is has its events read in stream_events.py.
"""

from core.dialects import canonical
from core.dialects.canonical import (
    Began,
    CallBegan,
    CallDelta,
    Failed,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
)
from core.dialects.openai.finish import write_finish
from core.routing.reply import Answer, Place
from core.routing.typed import TypedChat
from core.rpc import upstream_error
from core.rpc.stop_reason import REASONS
from core.rpc.stream_events import StreamEvents
from core.rpc.typed_answer import typed_response
from llmrouter.v1 import router_pb2 as pb


class ChatEvents(StreamEvents[pb.StreamChatResponse]):
    """Translates one stream of a chat."""

    def __init__(self, request_id: str, place: Place, typed: TypedChat) -> None:
        super().__init__(pb.StreamChatResponse, request_id, place)
        self._typed = typed

    def block(self, data: bytes) -> list[pb.StreamChatResponse]:
        """As StreamEvents.block."""
        if not self._typed.translated:
            return super().block(data)
        for event in self._typed.taken():
            self._event(event)
        return self._taken()

    def whole(self, answer: Answer) -> list[pb.StreamChatResponse]:
        """As StreamEvents.whole."""
        if self._typed.answer is None:
            return super().whole(answer)
        found = typed_response(self._typed.answer, hidden=self._typed.hidden)
        self._begin(pb.StreamStarted(id=found.id, model=found.model, created=found.created))
        for choice in found.choices:
            self._whole_choice(choice)
        return self.end(answer.tokens, answer.cost_nanousd)

    def _event(self, event: canonical.Event) -> None:
        match event:
            case TextDelta():
                logprobs = bytes(event.logprobs).decode(errors="replace")
                self._text(pb.TextDelta(index=event.choice, text=event.text, logprobs_json=logprobs))
            case CallDelta():
                delta = pb.ToolCallDelta(index=event.choice, call_index=event.index, arguments_json=event.arguments)
                self._tool_call(delta)
            case ThinkingDelta():
                self._thoughts.setdefault(event.choice, []).append(event.text)
                if not self._typed.hidden:
                    self._text(pb.TextDelta(index=event.choice, reasoning=event.text))
            case ThinkingSigned():
                text, redacted = "", event.redacted
                self._proof(event.choice, canonical.Thinking(text, event.signature, redacted, event.id, event.maker))
            case CallBegan():
                self._tool_call(
                    pb.ToolCallDelta(
                        index=event.choice,
                        call_index=event.index,
                        id=event.id,
                        name=event.name,
                        signature=event.signature,
                    )
                )
            case RefusalDelta():
                self._refused.add(event.choice)
                self._text(pb.TextDelta(index=event.choice, refusal=event.text))
            case Finished():
                self._ends[event.choice] = pb.ChoiceEnd(
                    index=event.choice,
                    finish_reason=write_finish(event.finish, refused=event.choice in self._refused, functions=False),
                    stop_reason=REASONS[event.finish],
                    stop_sequence=event.stop_sequence,
                )
            case Began():
                self._begin(pb.StreamStarted(id=event.id, model=event.model, created=event.created))
            case Failed():
                raise upstream_error.failed(event.fault)
            case _:  # what was used is told at the end, as it was accounted for
                pass

    def _whole_choice(self, choice: pb.ChatChoice) -> None:
        message, index = choice.message, choice.index
        for part in message.in_order.parts or _in_usual_order(message):
            match part.WhichOneof("part"):
                case "thinking":
                    if not self._typed.hidden:
                        self._text(pb.TextDelta(index=index, reasoning=part.thinking.text))
                    if part.thinking.maker:
                        self._events.append(self._kind(thought_end=pb.ThoughtEnd(index=index, thought=part.thinking)))
                case "text":
                    self._text(pb.TextDelta(index=index, text=part.text, logprobs_json=choice.logprobs_json))
                case "refusal":
                    self._text(pb.TextDelta(index=index, refusal=part.refusal))
                case _:
                    call, number = part.tool_call, self._calls.get(index, 0)
                    self._calls[index] = number + 1
                    self._tool_call(
                        pb.ToolCallDelta(
                            index=index,
                            call_index=number,
                            id=call.id,
                            name=call.name,
                            arguments_json=call.arguments_json,
                            signature=call.signature,
                        )
                    )
        self._ends[index] = pb.ChoiceEnd(
            index=index,
            finish_reason=choice.finish_reason,
            stop_reason=choice.stop_reason,
            stop_sequence=choice.stop_sequence,
        )

    def _begin(self, started: pb.StreamStarted) -> None:
        started.dropped_fields.extend(self._typed.dropped)
        super()._begin(started)


def _in_usual_order(message: pb.ChatMessage) -> list[pb.ContentPart]:
    parts = [pb.ContentPart(thinking=thought) for thought in message.thinking]
    if not parts and message.reasoning:
        parts.append(pb.ContentPart(thinking=pb.Thought(text=message.reasoning)))
    if message.text:
        parts.append(pb.ContentPart(text=message.text))
    if message.refusal:
        parts.append(pb.ContentPart(refusal=message.refusal))
    return parts + [pb.ContentPart(tool_call=call) for call in message.tool_calls]
