"""One request of a caller's wire put for a provider that speaks another, and what it answers put back.

    caller's bytes ─► Chat ─► provider's bytes            provider's bytes ─► Answer, Event… ─► caller's bytes

The wires' own words are in their packages; what is here is the same for all pairs: what the caller
allows to be left out, ids that a provider does not give, and the accounts of a stream.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

import msgspec

from core.dialects.answer_events import events_of
from core.dialects.canonical import (
    Answer,
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Failed,
    Fault,
    Finished,
    Reasoning,
    Refusal,
    RefusalDelta,
    Said,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    Used,
)
from core.dialects.counting import count_text
from core.dialects.effort import budget_of
from core.dialects.losses import Losses
from core.dialects.reported_error import status_of
from core.dialects.request import Request
from core.dialects.results_order import in_order
from core.dialects.sides import CallerSide, ErrorAnswer, Manner, ProviderSide, Unreadable
from core.dialects.tokens import COUNTED, Tokens

_UNCOUNTED = 64 * 1024  # characters of a stream that are kept until they are counted
_MOST_UNREADABLE = 100  # payloads in a row; a stream of such is none
# Why an answer is empty, on any wire: a reason that is no null, or Ollama's word that it is done.
_REASON = re.compile(
    rb'"(?:finish_reason|finishReason|stop_reason|stopReason|done_reason|blockReason|status)"\s*:\s*"[^"]|"done"\s*:\s*true'
)


class Translation:
    """One request on its way to one provider, and back."""

    def __init__(
        self,
        request: Request,
        caller: CallerSide,
        provider: ProviderSide,
        manner: Manner,
        *,
        provider_name: str,
        model: str,
        request_id: str,
        created: int,
        drop: bool,
        ask_usage: bool,
        count_prompt: Callable[[], int],
        output_limit: int = 0,
        refused_above: int | None = None,
        most_reasoning: int = 0,
        secret: str = "",
    ) -> None:
        """model: as the provider calls it. created: seconds since 1970. drop: leave out what can't be done.

        ask_usage: have a stream report what it used; count_prompt: tokens of the prompt, where the provider does
        not tell; output_limit: tokens where the request does not say, 0 for none; refused_above: tokens of output
        that the model makes at most, where its provider refuses a request that names more; most_reasoning: tokens
        of thinking that the caller's key allows, 0 for no such cap; secret: our key at the provider, which no
        error may repeat, "" for none.
        Raises InvalidArgument where the request can't be said on the provider's wire.
        """
        self._caller = caller
        self._provider = provider
        self._request_id = request_id
        self._created = created
        self.count_prompt = count_prompt
        self._secret = secret
        self.chat = caller.read_chat(request)
        names = {**caller.names, **self.chat.named} if self.chat.named else caller.names
        losses = Losses(names, provider_name, drop=drop, hints=self.chat.hints, leave_out=caller.leave_out)
        for name in self.chat.others:
            losses.lose_own(name)
        named = self.chat.max_output
        limit = (named if named is not None and named > 0 else output_limit) or None
        if limit is not None and refused_above is not None:
            limit = min(limit, refused_above)
        asked = msgspec.structs.replace(
            self.chat,
            model=model,
            messages=in_order(self.chat.messages),
            include_usage=ask_usage,
            max_output=limit,
        )
        if most_reasoning:
            asked.reasoning = _within(asked.reasoning, most_reasoning, limit or manner.most_output)
        losses.number(asked.messages)
        self.body = provider.write_chat(asked, losses, manner)
        self.dropped: Sequence[str] = losses.dropped

    def answer(self, body: bytes) -> tuple[bytes, Tokens]:
        """A whole answer on the caller's wire, and what it used: as reported, else counted. Raises Unreadable."""
        found, tokens = self._read(body)
        return self._caller.write_answer(found, self.chat), tokens

    def streamed(self, body: bytes) -> tuple[bytes, "TranslatedMeter"]:
        """The same as a stream of the caller's, and its meter, which has seen all of it. Raises Unreadable."""
        found, _ = self._read(body)
        meter = self.meter()
        return meter.told(events_of(found)), meter

    def reported(self, body: bytes) -> ErrorAnswer | None:
        """The error that came under a status of 200, as an answer on the caller's wire; None where it is none."""
        status = status_of(body, self._provider.read_fault)
        return None if status is None else self._error(self._provider.read_fault(status, body))

    def fault(self, status: int, body: bytes, retry_after: float | None) -> ErrorAnswer:
        """An error answer on the caller's wire. body: b"" for what is no JSON, such as a page of a proxy's.

        retry_after: seconds, where the provider's headers say it.
        """
        found = self._provider.read_fault(status, body)
        if not body:
            found = msgspec.structs.replace(found, message=f"the provider answered {status}")
        if retry_after is not None:
            found = msgspec.structs.replace(found, retry_after=retry_after)
        return self._error(found)

    def failure(self, meter: "TranslatedMeter") -> ErrorAnswer | None:
        """The error that a stream began with, as an answer on the caller's wire; None where it did not."""
        if meter.fault is None or meter.said:
            return None
        return self._error(meter.fault)

    def shown(self, fault: Fault) -> Fault:
        """A fault without our key, which some providers repeat."""
        secret = self._secret
        if not secret:
            return fault
        words = {name: getattr(fault, name).replace(secret, "***") for name in ("message", "kind", "code", "param")}
        return msgspec.structs.replace(fault, **words)

    def _error(self, fault: Fault) -> ErrorAnswer:
        fault = self.shown(fault)
        return ErrorAnswer(fault.status, self._caller.write_fault(fault), fault.retry_after)

    def meter(self) -> "TranslatedMeter":
        """Translates a stream."""
        return TranslatedMeter(self)

    def call_id(self, choice: int, index: int) -> str:
        """An id for a tool call to which the provider gave none, which no other call of the conversation has."""
        short = hashlib.sha256(f"{self._request_id}/{choice}/{index}".encode()).hexdigest()[:24]
        return f"call_{short}"

    def begun(self, event: Began) -> None:
        """Fills in what a provider left out."""
        event.id = event.id or self._request_id
        event.model = event.model or self.chat.model
        event.created = event.created or self._created

    def _read(self, body: bytes) -> tuple[Answer, Tokens]:
        found = self._provider.read_answer(body)
        if not any(choice.parts for choice in found.choices) and _REASON.search(body) is None:
            raise Unreadable("an answer that says nothing, and not why")
        return found, self._complete(found)

    def _complete(self, answer: Answer) -> Tokens:
        answer.id = answer.id or self._request_id
        answer.model = answer.model or self.chat.model
        answer.created = answer.created or self._created
        for number, choice in enumerate(answer.choices):
            calls = [part for part in choice.parts if isinstance(part, ToolCall)]
            for index, call in enumerate(calls):
                call.id = call.id or self.call_id(number, index)
        if answer.tokens is None:
            said = sum(count_text(_said(part)) for choice in answer.choices for part in choice.parts)
            answer.tokens = Tokens(input=self.count_prompt(), output=said, source=COUNTED)
        return answer.tokens

    @property
    def sides(self) -> tuple[CallerSide, ProviderSide]:
        return self._caller, self._provider


class TranslatedMeter:
    """Follows one stream, as core/dialects/dialect.py says, and gives it to the caller on the caller's wire."""

    def __init__(self, translation: Translation) -> None:
        caller, provider = translation.sides
        self._translation = translation
        self._frames = provider.frames()
        self._reader = provider.stream_reader()
        self._writer = caller.stream_writer(translation.chat)
        self._begun = False
        self._unreadable = 0
        self._deltas = 0
        self._counted = 0
        self._texts: list[str] = []
        self._texts_size = 0
        self._prompt: Tokens | None = None
        self._over: set[int] = set()  # choices that have finished
        self.finished = False
        self.usage: Tokens | None = None
        self._more_said = False  # since the usage was reported
        self.done = False
        self.reported_error = False
        self.fault: Fault | None = None

    def feed(self, data: bytes) -> bytes:
        """Takes what one read brought; returns what the caller shall have of it, perhaps nothing yet."""
        return self._put(self._frames.feed(data))

    def end(self) -> bytes:
        """Takes note of the stream's end; returns what remains to be said."""
        last = self._put(self._frames.end())
        if self.done:
            return last
        rest = self._reader.end()
        if self.finished and not any(isinstance(event, Ended | Failed) for event in rest):
            rest = [*rest, Ended()]
        return last + self._written(rest)

    def told(self, events: Sequence[Event]) -> bytes:
        """Takes a whole answer in place of what a network brings; returns all that the caller shall have."""
        return self._written(events)

    @property
    def said(self) -> bool:
        """Whether the model has said anything."""
        return self._deltas > 0

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end."""
        return self.done or self.finished

    def output_tokens(self) -> int:
        """Output tokens so far: as reported, else counted."""
        if self.usage is None or self._more_said:
            return max(self._count(), self.usage.output if self.usage is not None else 0)
        return self.usage.output

    def rough_output_tokens(self) -> int:
        """About how many output tokens so far: most events carry one or more."""
        return self._deltas

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used. Of one that broke off the prompt may be known from its beginning."""
        if self.usage is not None:
            made = self.output_tokens()  # more, where the report came before the end
            if made == self.usage.output:
                return self.usage
            return msgspec.structs.replace(self.usage, output=made, source=COUNTED)
        if self._prompt is not None:
            return msgspec.structs.replace(self._prompt, output=max(self._prompt.output, self._count()), source=COUNTED)
        return Tokens(input=prompt_tokens, output=self._count(), source=COUNTED)

    def _put(self, payloads: Sequence[bytes]) -> bytes:
        written: list[bytes] = []
        for payload in payloads:
            if self.done:  # nothing that comes behind the end is the answer's
                break
            try:
                events = self._reader.read(payload)
            except Unreadable:
                self._unreadable += 1
                if self._unreadable > _MOST_UNREADABLE:
                    raise
                continue
            self._unreadable = 0
            if events:
                written.append(self._written(events))
        return b"".join(written)

    def _written(self, events: Sequence[Event]) -> bytes:
        if events and not self._begun:
            self._begun = True
            if not isinstance(events[0], Began | Failed):
                events = [Began(), *events]
        kept: list[Event] = []
        for event in events:
            if self._over and getattr(event, "choice", None) in self._over:
                continue  # nothing that comes behind its end is an answer's
            if isinstance(event, Ended) and (self.usage is None or self._more_said):
                # The caller shall have what the record has.
                kept.append(used := Used(self.tokens(self._translation.count_prompt())))
                self._note(used)
            self._note(event)
            kept.append(event)
        return self._writer.write(kept) if kept else b""

    def _note(self, event: Event) -> None:
        if isinstance(event, TextDelta | ThinkingDelta | RefusalDelta):
            self._said(event.text)
        elif isinstance(event, CallDelta):
            self._said(event.arguments)
        elif isinstance(event, CallBegan):
            event.id = event.id or self._translation.call_id(event.choice, event.index)
        elif isinstance(event, Used):
            self.usage, self._more_said = event.tokens, False
        elif isinstance(event, Began):
            self._translation.begun(event)
            if event.tokens.input:
                self._prompt = event.tokens
        elif isinstance(event, Finished):
            self.finished = True
            self._over.add(event.choice)
        elif isinstance(event, Ended):
            self.done = True
        elif isinstance(event, Failed):
            self.done = self.reported_error = True
            self.fault = event.fault = self._translation.shown(event.fault)

    def _said(self, text: str) -> None:
        self._deltas += 1
        self._more_said = self.usage is not None
        self._texts.append(text)
        self._texts_size += len(text)
        if self._texts_size > _UNCOUNTED:
            self._count()

    def _count(self) -> int:
        text, self._texts, self._texts_size = "".join(self._texts), [], 0
        self._counted += count_text(text) if text else 0
        return self._counted


def _within(asked: Reasoning | None, most: int, output: int) -> Reasoning | None:
    """A wish for thinking under a key's cap: a degree becomes a number, for that can be held to.

    A number above the cap was refused before. output: tokens that thoughts and answer share.
    """
    if asked is None or asked.effort is None or asked.effort == "none":
        return asked
    return Reasoning(budget=min(most, budget_of(asked.effort, output)), shown=asked.shown)


def _said(part: Said) -> str:
    match part:
        case Text() | Thinking() | Refusal():
            return part.text
        case ToolCall():
            return part.arguments
