"""What hypothesis makes of the form between all wires: chats, answers and streams, as far as a wire can say them.

    chats(Can(images=("url",)))      requests
    answers(Can())                   whole answers
    streams(Can())                   the events of a stream; gathered(events) is the answer that they make up

A wire's tests take a Can without what it can't say, and ask that what was written and read again is the same.
What is made is in the normal form that all readers keep: texts are not empty, thoughts come first and calls
last unless `mixed`, results of the calls of one turn stand in one message.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, cast

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from core.dialects.canonical import (
    NO_JSON,
    Answer,
    Audio,
    Began,
    CacheMark,
    CallBegan,
    CallDelta,
    Chat,
    Choice,
    Document,
    Ended,
    Event,
    Failed,
    Fault,
    Finish,
    Finished,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    RefusalDelta,
    Said,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Used,
)
from core.dialects.tokens import PROVIDER, Tokens


@dataclass(frozen=True, kw_only=True)
class Can:
    """What a wire can say. Everything by default; a test takes away what its wire has no words for."""

    fields: frozenset[str] = frozenset(Chat.__struct_fields__)  # of Chat
    developer: bool = True  # the role
    system_anywhere: bool = True  # else only before all other messages
    many_systems: bool = True  # messages of that kind; else at most one
    names: bool = True  # of those who speak
    same_role_again: bool = True  # else user and assistant take turns
    images: tuple[str, ...] = ("url", "data", "file_id")
    details: bool = True  # of images
    documents: tuple[str, ...] = ("url", "data", "text", "file_id")
    document_names: bool = True
    document_contexts: bool = True
    audio: bool = True
    cache: bool = True  # marks on texts of users and on tools
    cache_of: tuple[str, ...] = ("text", "image", "document", "tool")
    ttls: tuple[str, ...] = ("", "5m", "1h")
    thinking: tuple[str, ...] = ("anthropic", "gemini", "openai")  # makers of the thoughts in a request or an answer
    plain_thinking: bool = True  # thoughts that nobody signed
    redacted: bool = True
    thinking_ids: bool = True
    many_thoughts: bool = True
    refusals: bool = True
    mixed: bool = False  # texts and calls in any order
    many_texts: bool = True  # of one message of a model's
    call_ids: bool = True
    call_signatures: bool = True
    result_images: bool = True
    result_documents: bool = True
    result_errors: bool = True
    result_names: bool = True
    strict: bool = True
    efforts: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    budgets: bool = True
    shown: bool = True
    formats: tuple[str, ...] = ("json", "schema")
    format_names: bool = True
    choices: int = 2  # of an answer, at most
    finishes: tuple[str, ...] = ("stop", "length", "content_filter", "refusal", "pause")
    stop_sequences: bool = True
    logprobs: bool = True
    created: bool = True
    service_tiers: bool = True
    tokens: frozenset[str] = frozenset({"cached_input", "cache_write", "reasoning", "audio_input", "audio_output"})


ALL = Can()

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
"""For tests with whole chats, which take their time to make on a busy machine."""

texts = st.text(min_size=1, max_size=40)
words = st.text("abcxyzABCXYZ019_-", min_size=1, max_size=12).map(lambda word: f"w{word}")
base64s = st.binary(min_size=1, max_size=24).map(lambda data: base64.b64encode(data).decode())
urls = words.map(lambda word: f"https://files.example/{word}.bin")
schemas = st.dictionaries(words, st.sampled_from(["string", "number", "boolean"]), max_size=3).map(
    lambda properties: msgspec.Raw(
        msgspec.json.encode(
            {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()}}
        )
    )
)
arguments = st.dictionaries(words, st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans()), max_size=3).map(
    lambda values: msgspec.json.encode(values).decode()
)


def _maybe(strategy: st.SearchStrategy[Any], none: Any = None, *, when: bool = True) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(none), strategy) if when else st.just(none)


@cache
def _marks(can: Can, what: str) -> st.SearchStrategy[CacheMark | None]:
    return _maybe(st.builds(CacheMark, ttl=st.sampled_from(can.ttls)), when=can.cache and what in can.cache_of)


@cache
def _texts(can: Can) -> st.SearchStrategy[Text]:
    return st.builds(Text, text=texts, cache=_marks(can, "text"))


@cache
def _images(can: Can) -> st.SearchStrategy[Image]:
    detail = _maybe(st.sampled_from(["low", "high", "auto"]), "", when=can.details)
    mark = _marks(can, "image")
    kinds = {
        "url": st.builds(Image, url=urls, detail=detail, cache=mark),
        "data": st.builds(
            Image, data=base64s, media_type=st.sampled_from(["image/png", "image/jpeg"]), detail=detail, cache=mark
        ),
        "file_id": st.builds(Image, file_id=words, detail=detail, cache=mark),
    }
    return st.one_of([kinds[kind] for kind in can.images])


@cache
def _documents(can: Can) -> st.SearchStrategy[Document]:
    rest: dict[str, Any] = {
        "name": _maybe(words, "", when=can.document_names),
        "context": _maybe(texts, "", when=can.document_contexts),
        "cache": _marks(can, "document"),
    }
    kinds = {
        "url": st.builds(Document, url=urls, **rest),
        "data": st.builds(Document, data=base64s, media_type=st.just("application/pdf"), **rest),
        "text": st.builds(Document, text=texts, **rest),
        "file_id": st.builds(Document, file_id=words, **rest),
    }
    return st.one_of([kinds[kind] for kind in can.documents])


@cache
def _asked(can: Can) -> st.SearchStrategy[list[Part]]:
    """What a user says."""
    kinds: list[st.SearchStrategy[Any]] = [_texts(can)]
    if can.images:
        kinds.append(_images(can))
    if can.documents:
        kinds.append(_documents(can))
    if can.audio:
        kinds.append(st.builds(Audio, data=base64s, format=st.sampled_from(["wav", "mp3"])))
    return st.lists(st.one_of(kinds), min_size=1, max_size=3)


@cache
def _thoughts(can: Can) -> st.SearchStrategy[list[Thinking]]:
    ids = _maybe(words, "", when=can.thinking_ids)
    kinds: list[st.SearchStrategy[Thinking]] = []
    if can.plain_thinking:
        kinds.append(st.builds(Thinking, text=texts))
    if can.thinking:
        makers = st.sampled_from(can.thinking)
        kinds.append(st.builds(Thinking, text=texts, signature=base64s, id=ids, maker=makers))
        if can.redacted:
            kinds.append(st.builds(Thinking, redacted=base64s, id=ids, maker=makers))
    if not kinds:
        return st.just([])
    # Two plain thoughts in a row are one: nothing marks where the first ends.
    return st.lists(st.one_of(kinds), max_size=2 if can.many_thoughts else 1).filter(
        lambda found: not any(not one.maker and not two.redacted for one, two in pairwise(found))
    )


@st.composite
def _said(draw: st.DrawFn, can: Can, *, request: bool) -> list[Said]:
    """What a model says; in a request what it has said."""
    thoughts = draw(_thoughts(can))
    marked = can if request else unmarked(can)
    spoken: list[Said] = list(draw(st.lists(_texts(marked), max_size=2 if can.many_texts and request else 1)))
    if can.refusals and not spoken and draw(st.booleans()):
        spoken.append(Refusal(draw(texts)))
    count = draw(st.integers(0, 2))
    ids = draw(st.lists(words, min_size=count, max_size=count, unique=True))
    for id_ in ids:
        call = ToolCall(id=f"call_{id_}" if can.call_ids else "", name=draw(words), arguments=draw(arguments))
        if can.call_signatures:
            call.signature = draw(_maybe(base64s, ""))
        spoken.append(call)
    if can.mixed:
        spoken = draw(st.permutations(spoken))
    if not spoken:
        spoken.append(Text(draw(texts)))
    return [*thoughts, *spoken]


@cache
def unmarked(can: Can) -> Can:
    """The same without marks of the cache, which answers don't have."""
    return replace(can, cache=False)


@st.composite
def _results(draw: st.DrawFn, can: Can, calls: list[ToolCall]) -> Message:
    parts: list[st.SearchStrategy[Any]] = [st.builds(Text, text=texts)]
    plain = unmarked(can)
    if can.result_images and can.images:
        parts.append(_images(plain))
    if can.result_documents and can.documents:
        parts.append(_documents(plain))
    found: list[Part] = [
        ToolResult(
            call_id=call.id,
            parts=draw(st.lists(st.one_of(parts), max_size=2)),
            is_error=can.result_errors and draw(st.booleans()),
            name=call.name if can.result_names else "",
        )
        for call in calls
    ]
    return Message(role="tool", parts=found)


@st.composite
def messages(draw: st.DrawFn, can: Can = ALL) -> list[Message]:
    """A conversation that ends with the user's turn or with the results of tools."""
    roles = ["system", "developer"] if can.developer else ["system"]
    found: list[Message] = []
    for _ in range(draw(st.integers(0, 2 if can.many_systems else 1))):
        role = draw(st.sampled_from(roles))
        found.append(Message(role=cast("Any", role), parts=[draw(_texts(can))]))
    for _ in range(draw(st.integers(0, 2))):
        found.append(_named(draw, can, Message(role="user", parts=draw(_asked(can)))))
        if can.same_role_again and draw(st.booleans()):
            found.append(_named(draw, can, Message(role="user", parts=draw(_asked(can)))))
        said = draw(_said(can, request=True))
        found.append(Message(role="assistant", parts=list(said)))
        if calls := [part for part in said if isinstance(part, ToolCall)]:
            found.append(draw(_results(can, calls)))
        if can.system_anywhere and draw(st.booleans()):
            found.append(Message(role="system", parts=[draw(_texts(can))]))
    if not found or found[-1].role != "tool" or can.same_role_again:
        found.append(_named(draw, can, Message(role="user", parts=draw(_asked(can)))))
    return found


def _named(draw: st.DrawFn, can: Can, message: Message) -> Message:
    if can.names:
        message.name = draw(_maybe(words, ""))
    return message


@cache
def _reasonings(can: Can) -> st.SearchStrategy[Reasoning | None]:
    shown = _maybe(st.booleans(), when=can.shown)
    kinds: list[st.SearchStrategy[Any]] = [st.none()]
    if can.efforts:
        kinds.append(st.builds(Reasoning, effort=cast("Any", st.sampled_from(can.efforts)), shown=shown))
    if can.budgets:
        kinds.append(st.builds(Reasoning, budget=st.integers(1024, 64_000), shown=shown))
    return st.one_of(kinds)


@cache
def _formats(can: Can) -> st.SearchStrategy[Format | None]:
    kinds: list[st.SearchStrategy[Any]] = [st.none()]
    if "json" in can.formats:
        kinds.append(st.just(Format(kind="json")))
    if "schema" in can.formats:
        name = words if can.format_names else st.just("")
        description = _maybe(texts, "", when=can.format_names)
        strict = _maybe(st.booleans(), when=can.strict)
        kinds.append(
            st.builds(Format, kind=st.just("schema"), name=name, description=description, schema=schemas, strict=strict)
        )
    return st.one_of(kinds)


@cache
def _tools(can: Can) -> st.SearchStrategy[list[Tool]]:
    tool = st.builds(
        Tool,
        name=words,
        description=_maybe(texts, ""),
        parameters=schemas,
        strict=_maybe(st.booleans(), when=can.strict),
        cache=_marks(can, "tool"),
    )
    return st.lists(tool, max_size=2, unique_by=lambda found: found.name)


_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "max_output": st.integers(1, 100_000),
    "temperature": st.sampled_from([0.0, 0.5, 1.0]),
    "top_p": st.sampled_from([0.1, 0.5, 1.0]),
    "top_k": st.integers(1, 100),
    "seed": st.integers(0, 2**31 - 1),
    "n": st.integers(2, 3),
    "presence_penalty": st.sampled_from([-0.5, 0.5]),
    "frequency_penalty": st.sampled_from([-0.5, 0.5]),
    "parallel_tool_calls": st.booleans(),
    "logprobs": st.just(value=True),
    "top_logprobs": st.integers(0, 20),
}
_GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "stop": st.lists(texts, min_size=1, max_size=2),
    "logit_bias": st.just(msgspec.Raw(b'{"50256":-100}')),
    "verbosity": st.sampled_from(["low", "medium", "high"]),
    "user": words,
    "metadata": st.dictionaries(words, texts, min_size=1, max_size=2),
    "service_tier": st.sampled_from(["default", "flex"]),
    "cache_key": words,
}


@st.composite
def chats(draw: st.DrawFn, can: Can = ALL) -> Chat:
    """A request."""
    chat = Chat(model=draw(words), messages=draw(messages(can)))
    if "stream" in can.fields:
        chat.stream = draw(st.booleans())
        chat.include_usage = chat.stream and "include_usage" in can.fields and draw(st.booleans())
    if "tools" in can.fields:
        chat.tools = draw(_tools(can))
    if chat.tools and "tool_choice" in can.fields:
        named = st.just(ToolChoice("tool", chat.tools[0].name))
        modes = st.sampled_from([ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")])
        chat.tool_choice = draw(st.one_of(st.none(), modes, named))
    if "reasoning" in can.fields:
        chat.reasoning = draw(_reasonings(can))
    if "format" in can.fields:
        chat.format = draw(_formats(can))
    for name, strategy in {**_PLAIN, **_GIVEN}.items():
        if name in can.fields and draw(st.booleans()):
            setattr(chat, name, draw(strategy))
    if chat.top_logprobs is not None:
        chat.logprobs = True
    if chat.parallel_tool_calls is not None and not chat.tools:
        chat.parallel_tool_calls = None
    return chat


@st.composite
def tokens(draw: st.DrawFn, can: Can = ALL) -> Tokens:
    """What a request used; never nothing, which vendors say before they know."""
    given, made = draw(st.integers(1, 10**6)), draw(st.integers(1, 10**6))
    parts: dict[str, Any] = {}
    for name in sorted(can.tokens):
        most = made if name in ("reasoning", "audio_output") else given
        parts[name] = draw(st.integers(0, most // 3))
    return Tokens(input=given, output=made, source=PROVIDER, **parts)


_LOGPROBS = msgspec.Raw(b'{"content":[{"token":"a","logprob":-0.25,"bytes":[97],"top_logprobs":[]}],"refusal":null}')


@st.composite
def answers(draw: st.DrawFn, can: Can = ALL) -> Answer:
    """A whole answer."""
    choices: list[Choice] = []
    for _ in range(draw(st.integers(1, can.choices))):
        parts = draw(_said(can, request=False))
        finish = cast("Finish", draw(st.sampled_from(can.finishes)))
        if any(isinstance(part, ToolCall) for part in parts):
            finish = "tool_calls"
        choice = Choice(parts=parts, finish=finish)
        if can.stop_sequences and finish == "stop":
            choice.stop_sequence = draw(_maybe(texts, ""))
        if can.logprobs and any(isinstance(part, Text) for part in parts):
            choice.logprobs = draw(_maybe(st.just(_LOGPROBS), NO_JSON))
        choices.append(choice)
    return Answer(
        id=draw(words),
        model=draw(words),
        choices=choices,
        tokens=draw(tokens(can)),
        created=draw(st.integers(1, 2**31)) if can.created else 0,
        service_tier=draw(_maybe(st.just("default"), "", when=can.service_tiers)),
    )


@st.composite
def streams(draw: st.DrawFn, can: Can = ALL) -> list[Event]:
    """The events of a good stream: what an answer says, in pieces, one choice after another."""
    answer = draw(answers(can))
    events: list[Event] = [Began(id=answer.id, model=answer.model, created=answer.created)]
    for number, choice in enumerate(answer.choices):
        calls = 0
        for part in choice.parts:
            events += _pieces(draw, part, number, calls)
            calls += isinstance(part, ToolCall)
        events.append(Finished(choice.finish, choice.stop_sequence, number))
    assert answer.tokens is not None
    return [*events, Used(answer.tokens), Ended()]


def _pieces(draw: st.DrawFn, part: Said, choice: int, calls: int) -> list[Event]:
    match part:
        case Text():
            return [TextDelta(piece, choice) for piece in _cut(draw, part.text)]
        case Refusal():
            return [RefusalDelta(piece, choice) for piece in _cut(draw, part.text)]
        case Thinking():
            said: list[Event] = [ThinkingDelta(piece, choice) for piece in _cut(draw, part.text)]
            if part.maker:
                said.append(ThinkingSigned(part.signature, part.redacted, part.id, part.maker, choice))
            return said
        case ToolCall():
            began = CallBegan(calls, part.id, part.name, part.signature, choice)
            return [began, *[CallDelta(calls, piece, choice) for piece in _cut(draw, part.arguments)]]


def _cut(draw: st.DrawFn, text: str) -> list[str]:
    """A text in pieces, none of them empty."""
    return cut(text, draw(st.lists(st.integers(0, len(text)), max_size=3))) if text else []


def cut(text: str, places: Sequence[int]) -> list[str]:
    """A text in the pieces between the places."""
    ends = [0, *sorted(places), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]


def cut_bytes(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Bytes in the pieces between the places, as a network may bring them."""
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


def gathered(events: Sequence[Event]) -> Answer:
    """The answer that a stream's events make up, so that two streams can be compared by what they say."""
    answer = Answer(id="", model="", choices=[])
    calls: dict[tuple[int, int], ToolCall] = {}
    signed: set[int] = set()
    for event in events:
        match event:
            case Began():
                answer.id, answer.model, answer.created = event.id, event.model, event.created
            case TextDelta():
                _say(answer, event.choice, Text(event.text), signed)
            case ThinkingDelta():
                _say(answer, event.choice, Thinking(event.text), signed)
            case RefusalDelta():
                _say(answer, event.choice, Refusal(event.text), signed)
            case ThinkingSigned():
                _sign(answer, event, signed)
            case CallBegan():
                call = ToolCall(event.id, event.name, "", event.signature)
                calls[event.choice, event.index] = call
                _choice(answer, event.choice).parts.append(call)
            case CallDelta():
                calls[event.choice, event.index].arguments += event.arguments
            case Finished():
                choice = _choice(answer, event.choice)
                choice.finish, choice.stop_sequence = event.finish, event.stop_sequence
            case Used():
                answer.tokens = event.tokens
            case Failed():
                raise AssertionError(event.fault)
            case Ended():
                pass
    return answer


def _choice(answer: Answer, number: int) -> Choice:
    while len(answer.choices) <= number:
        answer.choices.append(Choice(parts=[]))
    return answer.choices[number]


def _say(answer: Answer, number: int, piece: Text | Thinking | Refusal, signed: set[int]) -> None:
    parts = _choice(answer, number).parts
    last = parts[-1] if parts else None
    if isinstance(last, Text | Thinking | Refusal) and type(last) is type(piece) and id(last) not in signed:
        last.text += piece.text
    else:
        parts.append(piece)


def _sign(answer: Answer, event: ThinkingSigned, signed: set[int]) -> None:
    parts = _choice(answer, event.choice).parts
    last = parts[-1] if parts else None
    if not isinstance(last, Thinking) or id(last) in signed or (event.redacted and last.text):
        last = Thinking()
        parts.append(last)
    last.signature, last.redacted, last.id, last.maker = event.signature, event.redacted, event.id, event.maker
    signed.add(id(last))


def faults() -> st.SearchStrategy[Fault]:
    """Errors."""
    return st.builds(Fault, status=st.sampled_from([400, 401, 403, 404, 408, 413, 429, 500, 503]), message=texts)
