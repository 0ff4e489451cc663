"""Streams of the OpenAI wire as the events of StreamChat and StreamText.

    blocks of whole events ─► started, (delta | tool_call_delta)…, usage, finished

A gRPC message costs the same however much it carries, so what one read of the network brought of one
text becomes one delta. A provider that answers a streaming request with a whole answer is heard too.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from core.dialects.canonical import Thinking
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
from core.dialects.openai.call_reader import signature_of
from core.dialects.tokens import Tokens
from core.routing.reply import Answer, Place
from core.rpc import upstream_error
from core.rpc.completion_response import NO_FUNCTION, NOTHING_SAID, created_of, id_of, read_answer
from core.rpc.routing_message import routing_message, usage_message
from core.rpc.stop_reason import stop_reason
from core.rpc.thought_message import thought_message, thoughts_of
from llmrouter.v1 import router_pb2 as pb

Event = TypeVar("Event", pb.StreamChatResponse, pb.StreamTextResponse)


class StreamEvents(Generic[Event]):
    """Translates one stream."""

    def __init__(self, kind: type[Event], request_id: str, place: Place) -> None:
        """kind: of the events."""
        self._kind: Any = kind  # the two are alike, but for tool calls
        self._is_chat = kind is pb.StreamChatResponse
        self._request_id = request_id
        self._place = place
        self._started = False
        self._ends: dict[int, pb.ChoiceEnd] = {}  # by the index of the answer
        self._thoughts: dict[int, list[str]] = {}  # by the same, what is thought and not proven yet
        self._said: set[int] = set()  # answers that say something
        self._refused: set[int] = set()  # answers with a refusal
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
            finish_reasons=[end.finish_reason for _, end in sorted(self._ends.items())],
            routing=routing_message(self._request_id, self._place, cost_nanousd),
        )
        if self._is_chat:
            finished.choices.extend(end for _, end in sorted(self._ends.items()))
        self._events.append(self._kind(finished=finished))
        return self._taken()

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _start(self, chunk: Completion | None) -> None:
        """Begins with the first chunk that says who answers; Azure's first one does not."""
        if self._started or (chunk is not None and not chunk.id and not chunk.choices):
            return
        self._begin(
            pb.StreamStarted(
                id=id_of(chunk) if chunk else "",
                model=(chunk.model if chunk else None) or "",
                created=created_of(chunk) if chunk else 0,
            )
        )

    def _begin(self, started: pb.StreamStarted) -> None:
        self._started = True
        started.routing.CopyFrom(routing_message(self._request_id, self._place))
        self._events.append(self._kind(started=started))

    def _choice(self, choice: Choice, index: int, said: Said) -> None:
        end = self._ends.setdefault(index, pb.ChoiceEnd(index=index))
        thoughts, signatures = thoughts_of(said)
        delta = pb.TextDelta(
            index=index,
            text=choice.text or said.text() or "",
            refusal=said.refusal or "",
            reasoning=said.thoughts()
            or "".join(thought.text for thought in thoughts if not self._is_known(index, thought)),
            logprobs_json=raw_json(choice.logprobs),
        )
        if delta.text:
            self._said.add(index)
        if delta.refusal:
            self._refused.add(index)
        if delta.reasoning:
            self._thoughts.setdefault(index, []).append(delta.reasoning)
        self._text(delta)
        for thought in thoughts:
            if thought.maker:
                self._proof(index, thought)
        self._tool_calls(index, said.tool_calls or (), signatures)
        if choice.finish_reason:
            refused = index in self._refused and index not in self._said
            end.finish_reason = choice.finish_reason
            end.stop_reason = stop_reason(choice.finish_reason, calls=index in self._calls, refused=refused)

    def _is_known(self, index: int, thought: Thinking) -> bool:
        """Whether the text of a thought that is proven now has come before."""
        return bool(thought.maker) and "".join(self._thoughts.get(index, ())) == thought.text

    def _proof(self, index: int, thought: Thinking) -> None:
        said = "".join(self._thoughts.pop(index, ()))
        message = thought_message(thought)
        message.text = thought.text or ("" if thought.redacted else said)
        self._events.append(self._kind(thought_end=pb.ThoughtEnd(index=index, thought=message)))

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

    def _tool_calls(self, index: int, calls: Iterable[ToolCall], signatures: Mapping[str, str]) -> None:
        for call in calls:
            function = call.function or NO_FUNCTION
            delta = pb.ToolCallDelta(
                index=index,
                call_index=self._call_index(index, call),
                id=call.id or "",
                name=function.name or "",
                arguments_json=function.arguments_json(),
                signature=signature_of(call) or signatures.get(call.id or "", ""),
            )
            self._tool_call(delta)

    def _tool_call(self, delta: pb.ToolCallDelta) -> None:
        last = self._events[-1] if self._events else None
        if isinstance(last, pb.StreamChatResponse) and last.HasField("tool_call_delta"):
            piece = last.tool_call_delta
            same = (piece.index, piece.call_index) == (delta.index, delta.call_index)
            if same and not (delta.id or delta.name or delta.signature):
                piece.arguments_json += delta.arguments_json
                return
        if self._is_chat:
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
