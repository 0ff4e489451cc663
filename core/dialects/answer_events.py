"""A whole answer as the events of a stream, for a caller who asked for one where the provider gave none."""

from collections.abc import Iterator

from core.dialects.canonical import (
    NO_JSON,
    Answer,
    Began,
    CallBegan,
    CallDelta,
    Choice,
    Ended,
    Event,
    Finished,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    Used,
)


def events_of(answer: Answer) -> list[Event]:
    """All that a stream would have brought, from Began to Ended."""
    events: list[Event] = [Began(answer.id, answer.model, answer.created)]
    for number, choice in enumerate(answer.choices):
        events += _said(choice, number)
        events.append(Finished(choice.finish, choice.stop_sequence, number))
    if answer.tokens is not None:
        events.append(Used(answer.tokens))
    events.append(Ended())
    return events


def _said(choice: Choice, number: int) -> Iterator[Event]:
    logprobs, calls = choice.logprobs, 0
    for part in choice.parts:
        match part:
            case Text():
                yield TextDelta(part.text, number, logprobs)
                logprobs = NO_JSON
            case Thinking():
                if part.text:
                    yield ThinkingDelta(part.text, number)
                if part.signature or part.redacted or part.id:
                    yield ThinkingSigned(part.signature, part.redacted, part.id, part.maker, number)
            case Refusal():
                yield RefusalDelta(part.text, number)
            case ToolCall():
                yield CallBegan(calls, part.id, part.name, part.signature, number)
                if part.arguments:
                    yield CallDelta(calls, part.arguments, number)
                calls += 1
