"""A provider's streamed chat completion, put into the events between all wires.

Vendors differ: calls come without index or id, or whole; the usage comes with the last choice, behind it or with
every chunk; thoughts come under two names, or twice; the reason of the end is repeated or missing.

Wire: https://platform.openai.com/docs/api-reference/chat-streaming
"""

import msgspec

from core.dialects.canonical import (
    NO_JSON,
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Failed,
    Fault,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.openai import answer as wire
from core.dialects.openai.answer_reader import completion, details_of
from core.dialects.openai.body import given
from core.dialects.openai.call_reader import NO_FUNCTION, signature_of
from core.dialects.openai.faults import read_fault
from core.dialects.openai.finish import broke_off, read_finish
from core.dialects.openai.reasoning_details import Detail, call_signatures
from core.dialects.openai.usage import read_usage

_DONE = b"[DONE]"
_BAD_GATEWAY = 502
_encode = msgspec.json.Encoder().encode


class _Call(msgspec.Struct):
    """A tool call that has begun, or whose name is not known yet."""

    number: int
    id: str = ""
    name: str = ""
    held: str = ""  # arguments that came before the name


class _Choice(msgspec.Struct):
    """How far one of the answers is."""

    calls: list[_Call] = msgspec.field(default_factory=list[_Call])
    by_index: dict[int, _Call] = msgspec.field(default_factory=dict[int, _Call])
    thoughts: list[str] = msgspec.field(default_factory=list[str])  # since the last proof, as they came without one
    said: bool = False
    refused: bool = False
    finished: bool = False


class ChunkReader:
    """Reads one stream, a payload at a time."""

    def __init__(self) -> None:
        self._begun = False
        self._choices: dict[int, _Choice] = {}

    def read(self, payload: bytes) -> list[Event]:
        """The events of one payload, perhaps none. Raises Unreadable."""
        if payload.startswith(_DONE):
            return [Ended()]
        if not payload or payload.isspace():
            return []  # a sign of life
        found = completion(payload)
        if wire.is_error(found):
            return [Failed(read_fault(_BAD_GATEWAY, payload))]
        events: list[Event] = []
        if not self._begun and (found.id or found.choices):
            self._begun = True
            events.append(Began(str(found.id or ""), found.model or "", int(found.created or 0)))
        for place, choice in enumerate(found.choices or ()):
            self._read_choice(choice, place if choice.index is None else choice.index, events)
        if bytes(found.usage) and (tokens := read_usage(found.usage)) is not None:
            events.append(Used(tokens))
        return events

    def end(self) -> list[Event]:
        """Nothing: what an answer says it says before its end."""
        return []

    def _read_choice(self, choice: wire.Choice, number: int, events: list[Event]) -> None:
        state = self._choices.get(number)
        if state is None:
            state = self._choices[number] = _Choice()
        said = choice.delta or choice.message
        if said is not None:
            behind = self._think(said, state, number, events)
            if text := said.text():
                state.said = True
                logprobs = given(choice.logprobs) if bytes(choice.logprobs) else NO_JSON
                events.append(TextDelta(text, number, logprobs))
            if said.refusal:
                state.refused = True
                events.append(RefusalDelta(said.refusal, number))
            for call in said.tool_calls or ():
                _call(state, call, number, behind, events)
            if said.function_call is not None:
                _call(state, wire.ToolCall(index=0, function=said.function_call), number, {}, events)
        if (reason := choice.finish_reason) and not state.finished:
            state.finished = True
            if broke_off(reason):
                events.append(_broken(choice))
            else:
                refused = state.refused and not state.said
                events.append(Finished(read_finish(reason, calls=bool(state.calls), refused=refused), choice=number))

    def _think(self, said: wire.Said, state: _Choice, number: int, events: list[Event]) -> dict[str, str]:
        """The thoughts of a delta; what it says of the thoughts behind tool calls is returned, by the call."""
        if plain := said.thoughts():
            state.thoughts.append(plain)
            events.append(ThinkingDelta(plain, number))
        if len(bytes(said.reasoning_details)) < len(b'[{"type":"_"}]'):
            return {}
        details = details_of(said)
        ids = [call.id for call in said.tool_calls or () if call.id]
        behind = call_signatures(details, [*ids, *(call.id for call in state.calls)])
        for detail in details:
            if not (detail.id and detail.id in behind):
                _detail(detail, state, number, bool(plain), events)
        return behind


def _detail(detail: Detail, state: _Choice, number: int, is_said: bool, events: list[Event]) -> None:
    """One detail; is_said: its text is in the same delta once more, as it may have been in those before."""
    text = detail.said
    if text and not is_said and not (detail.is_proof and "".join(state.thoughts) == text):
        events.append(ThinkingDelta(text, number))
    if detail.is_proof:
        state.thoughts.clear()
        events.append(
            ThinkingSigned(detail.signature or "", detail.data or "", detail.id or "", detail.maker, choice=number)
        )


def _call(state: _Choice, piece: wire.ToolCall, number: int, behind: dict[str, str], events: list[Event]) -> None:
    """A piece of a tool call: it belongs to the one of its index, unless it has an id of its own and a name."""
    function = piece.function or NO_FUNCTION
    call = _called(state, piece, function.name or "")
    call.id = call.id or piece.id or ""
    arguments = function.arguments_json() if bytes(function.arguments) else ""
    if not call.name:
        if not function.name:
            call.held += arguments
            return
        call.name = function.name
        signature = signature_of(piece) or behind.get(call.id, "")
        events.append(CallBegan(call.number, call.id, call.name, signature, number))
        arguments, call.held = call.held + arguments, ""
    if arguments:
        events.append(CallDelta(call.number, arguments, number))


def _called(state: _Choice, piece: wire.ToolCall, name: str) -> _Call:
    index = piece.index
    if index is None:
        known = state.calls[-1] if state.calls else None
        is_new = known is None or (bool(name) and bool(known.name) and (not piece.id or piece.id != known.id))
    else:
        known = state.by_index.get(index)
        is_new = known is None or bool(name and known.name and piece.id and known.id and piece.id != known.id)
    if known is None or is_new:
        known = _Call(number=len(state.calls))
        state.calls.append(known)
    if index is not None:
        state.by_index[index] = known
    return known


def _broken(choice: wire.Choice) -> Failed:
    """A choice that ends with an error, which OpenRouter puts beside the reason."""
    if bytes(choice.error) not in (b"", b"null"):
        return Failed(read_fault(_BAD_GATEWAY, _encode({"error": choice.error})))
    return Failed(Fault(_BAD_GATEWAY, "the provider's answer broke off", kind="server_error"))
