"""Streams of the OpenAI wire as the events of StreamChat and StreamText.

    blocks of whole events ─► started, (delta | tool_call_delta)…, usage, finished

A gRPC message costs the same however much it carries, so what one read of the network brought of one
text becomes one delta. A provider that answers a streaming request with a whole answer is heard too.
"""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from core.dialects.openai.answer import (
    Choice,
    Completion,
    Said,
    ToolCall,
    is_error,
    payloads,
    raw_json,
    read_completion,
)
from core.dialects.tokens import Tokens
from core.routing.reply import Answer, Place
from core.rpc import upstream_error
from core.rpc.completion_response import NO_FUNCTION, NOTHING_SAID, id_of, read_answer
from core.rpc.routing_message import routing_message, usage_message
from llmrouter.v1 import router_pb2 as pb

Event = TypeVar("Event", pb.StreamChatResponse, pb.StreamTextResponse)


class StreamEvents(Generic[Event]):
    """Translates one stream."""

    def __init__(self, kind: type[Event], request_id: str, place: Place) -> None:
        """kind: of the events."""
        self._kind: Any = kind  # the two are alike, but for tool calls
        self._has_tool_calls = kind is pb.StreamChatResponse
        self._request_id = request_id
        self._place = place
        self._started = False
        self._reasons: dict[int, str] = {}  # by the index of the answer
        self._calls: dict[int, int] = {}  # by the same, how many tool calls have begun
        self._events: list[Event] = []

    def block(self, data: bytes) -> list[Event]:
        """The events of a block. Raises ProviderError for what is no event, UpstreamStatus for an error event."""
        for payload in payloads(data):
            chunk = read_completion(payload)
            if is_error(chunk):
                raise upstream_error.inside(payload)
            self._start(chunk)
            for choice in chunk.choices or ():
                self._choice(choice, choice.index or 0, choice.delta or NOTHING_SAID)
        return self._taken()

    def whole(self, answer: Answer) -> list[Event]:
        """All events of an answer that came in one piece. Raises ProviderError, UpstreamStatus."""
        found = read_answer(answer.body)
        self._start(found)
        for position, choice in enumerate(found.choices or ()):
            said = choice.message or NOTHING_SAID
            self._choice(choice, position if choice.index is None else choice.index, said)
        return self.end(answer.tokens, answer.cost_nanousd)

    def end(self, tokens: Tokens, cost_nanousd: int | None) -> list[Event]:
        """The last events of a stream that is complete."""
        self._start(None)
        self._events.append(self._kind(usage=usage_message(tokens)))
        finished = pb.StreamFinished(
            finish_reasons=[reason for _, reason in sorted(self._reasons.items())],
            routing=routing_message(self._request_id, self._place, cost_nanousd),
        )
        self._events.append(self._kind(finished=finished))
        return self._taken()

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _start(self, chunk: Completion | None) -> None:
        """Begins with the first chunk that says who answers; Azure's first one does not."""
        if self._started or (chunk is not None and not chunk.id and not chunk.choices):
            return
        self._started = True
        started = pb.StreamStarted(
            id=id_of(chunk) if chunk else "",
            model=(chunk.model if chunk else None) or "",
            routing=routing_message(self._request_id, self._place),
        )
        self._events.append(self._kind(started=started))

    def _choice(self, choice: Choice, index: int, said: Said) -> None:
        self._reasons.setdefault(index, "")
        self._text(
            pb.TextDelta(
                index=index,
                text=choice.text or said.text() or "",
                refusal=said.refusal or "",
                reasoning=said.thoughts(),
                logprobs_json=raw_json(choice.logprobs),
            )
        )
        self._tool_calls(index, said.tool_calls or ())
        if choice.finish_reason:
            self._reasons[index] = choice.finish_reason

    def _text(self, delta: pb.TextDelta) -> None:
        if not (delta.text or delta.refusal or delta.reasoning or delta.logprobs_json):
            return
        last = self._events[-1].delta if self._events and self._events[-1].HasField("delta") else None
        if last is not None and _joins(last, delta):
            last.text += delta.text
            last.refusal += delta.refusal
            last.reasoning += delta.reasoning
        else:
            self._events.append(self._kind(delta=delta))

    def _tool_calls(self, index: int, calls: Iterable[ToolCall]) -> None:
        for call in calls:
            function = call.function or NO_FUNCTION
            delta = pb.ToolCallDelta(
                index=index,
                call_index=self._call_index(index, call),
                id=call.id or "",
                name=function.name or "",
                arguments_json=function.arguments_json(),
            )
            self._tool_call(delta)

    def _tool_call(self, delta: pb.ToolCallDelta) -> None:
        last = self._events[-1] if self._events else None
        if isinstance(last, pb.StreamChatResponse) and last.HasField("tool_call_delta"):
            piece = last.tool_call_delta
            same = (piece.index, piece.call_index) == (delta.index, delta.call_index)
            if same and not delta.id and not delta.name:
                piece.arguments_json += delta.arguments_json
                return
        if self._has_tool_calls:
            self._events.append(self._kind(tool_call_delta=delta))

    def _call_index(self, index: int, call: ToolCall) -> int:
        """Which call a piece belongs to; where the provider does not number them, each id begins a new one."""
        begun = self._calls.get(index, 0)
        number = call.index
        if number is None:
            number = begun if call.id or begun == 0 else begun - 1
        self._calls[index] = max(begun, number + 1)
        return number


def _joins(last: pb.TextDelta, delta: pb.TextDelta) -> bool:
    """Whether two deltas may become one: of the same answer and the same kind, without log probabilities."""
    return (
        last.index == delta.index
        and not last.logprobs_json
        and not delta.logprobs_json
        and (bool(last.text), bool(last.refusal), bool(last.reasoning))
        == (bool(delta.text), bool(delta.refusal), bool(delta.reasoning))
    )
