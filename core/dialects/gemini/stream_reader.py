"""A stream of a Gemini provider: chunks in the form of whole answers, each with what came since the last.

Calls of functions come whole. There is no mark of the end: the connection ends. Each chunk reports what was
used so far, which counts from the chunk on that says why the answer ended.

Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from core.dialects.canonical import (
    NO_JSON,
    Began,
    CallBegan,
    CallDelta,
    Event,
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.gemini.answer_reader import arguments, blocked, picture, read_response
from core.dialects.gemini.faults import fault_of
from core.dialects.gemini.finish import finish_of
from core.dialects.gemini.logprobs import read_logprobs
from core.dialects.gemini.thoughts import thought
from core.dialects.gemini.usage import Usage
from core.dialects.gemini.wire import Candidate, Part, Response, given
from core.dialects.tokens import NO_TOKENS

_BAD_GATEWAY = 502


class GenerateReader:
    """Reads one stream."""

    __slots__ = ("_begun", "_calls", "_finished", "_usage")

    _usage: Usage | None  # the last that was not passed on

    def __init__(self) -> None:
        self._begun = False
        self._finished = False
        self._calls: dict[int, int] = {}  # how many, by candidate
        self._usage = None

    def read(self, payload: bytes) -> list[Event]:
        """The events of one chunk. Raises Unreadable."""
        found = read_response(payload)
        if given(found.error):
            return [Failed(fault_of(_BAD_GATEWAY, payload))]
        events: list[Event] = []
        if not self._begun:
            self._begun = True
            events.append(_began(found))
        for candidate in found.candidates or ():
            self._take(events, candidate)
        if blocked(found):
            self._finished = True
            events.append(Finished("content_filter"))
        if found.usage_metadata is not None and found.usage_metadata.is_known:
            self._usage = found.usage_metadata
        if self._finished:
            events += self.end()
        return events

    def end(self) -> list[Event]:
        """What remains to be said when the connection has ended."""
        usage, self._usage = self._usage, None
        return [] if usage is None else [Used(usage.tokens())]

    def _take(self, events: list[Event], candidate: Candidate) -> None:
        number = candidate.index or 0
        logprobs = NO_JSON if candidate.logprobs_result is None else read_logprobs(candidate.logprobs_result)
        if candidate.content is not None:
            for part in candidate.content.parts or ():
                self._say(events, part, number)
        if logprobs is not NO_JSON:
            said = next((event for event in reversed(events) if isinstance(event, TextDelta)), None)
            if said is not None and said.choice == number:
                said.logprobs = logprobs
            else:
                events.append(TextDelta("", number, logprobs))
        if candidate.finish_reason:
            self._finished = True
            events.append(Finished(finish_of(candidate.finish_reason, called=number in self._calls), choice=number))

    def _say(self, events: list[Event], part: Part, number: int) -> None:
        signature = part.thought_signature
        if part.function_call is not None:
            call, index = part.function_call, self._calls.get(number, 0)
            self._calls[number] = index + 1
            events.append(CallBegan(index, call.id or "", call.name or "", signature or "", number))
            events.append(CallDelta(index, arguments(call), number))
            return
        text = part.text or picture(part)
        if text:
            events.append(ThinkingDelta(text, number) if part.thought else TextDelta(text, number))
        if signature:
            proof = thought("", signature)
            if proof.maker:
                events.append(ThinkingSigned(proof.signature, proof.redacted, proof.id, proof.maker, number))


def _began(found: Response) -> Began:
    usage = found.usage_metadata
    return Began(
        id=found.response_id or "",
        model=found.model_version or "",
        tokens=usage.tokens() if usage is not None and usage.is_known else NO_TOKENS,
    )
