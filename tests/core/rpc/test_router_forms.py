"""Typed requests and answers, and the form between all wires: everything that it can say has its field."""

import base64
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects import canonical
from core.dialects.canonical import (
    Answer,
    Audio,
    CacheMark,
    Chat,
    Document,
    Event,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.openai.chat import CHAT, read_request
from core.dialects.tokens import PROVIDER, Tokens
from core.errors import InvalidArgument
from core.routing.reply import Place
from core.routing.typed import TypedChat
from core.rpc.beyond_openai import goes_beyond
from core.rpc.chat_request import chat_body
from core.rpc.message_check import ROLES
from core.rpc.routing_message import usage_message
from core.rpc.stop_reason import REASONS
from core.rpc.typed_answer import typed_response
from core.rpc.typed_chat import read_chat
from core.rpc.typed_events import ChatEvents
from core.rpc.typed_message import MessageReader
from core.rpc.typed_paths import path_of
from llmrouter.v1 import router_pb2 as pb
from tests.core.dialects.chats import Can, answers, chats, gathered, patient, streams

_NUMBERS: dict[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "n": "n",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "parallel_tool_calls": "parallel_tool_calls",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "max_output": "max_completion_tokens",
}
_TEXTS: dict[str, str] = {
    "stop": "stop",
    "verbosity": "verbosity",
    "user": "user",
    "metadata": "metadata",
    "service_tier": "service_tier",
    "cache_key": "prompt_cache_key",
    "model": "model",
}
_OTHERWISE: dict[str, str] = {
    "messages": "messages",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "reasoning": "reasoning",
    "format": "response_format",
    "logit_bias": "logit_bias",
    "others": "extra_json",
}
_NOT_ASKED: dict[str, str] = {
    "stream": "which RPC it is says so",
    "include_usage": "every typed stream reports it",
    "hints": "a wire's own habit; callers say drop_unsupported",
    "named": "a typed field has one name",
}


def test_every_field_of_a_chat_has_its_field_in_a_request():
    known = {**_NUMBERS, **_TEXTS, **_OTHERWISE}
    assert set(known) | set(_NOT_ASKED) == set(Chat.__struct_fields__)
    assert set(known.values()) <= set(pb.ChatRequest.DESCRIPTOR.fields_by_name)


STRUCTS: list[tuple[type[msgspec.Struct], Any, dict[str, str]]] = [
    (canonical.CacheMark, pb.CacheMark, {}),
    (canonical.Image, pb.ImagePart, {"cache": "-"}),
    (canonical.Document, pb.FilePart, {"cache": "-", "name": "filename"}),
    (canonical.Audio, pb.AudioPart, {}),
    (canonical.Thinking, pb.Thought, {"redacted": "redacted_data"}),
    (canonical.ToolCall, pb.ToolCall, {"arguments": "arguments_json"}),
    (canonical.ToolResult, pb.ToolResult, {}),
    (canonical.Message, pb.ChatMessage, {"place": "-", "parts_place": "-"}),
    (canonical.Tool, pb.Tool, {"parameters": "parameters_json"}),
    (canonical.ToolChoice, pb.ToolChoice, {"name": "function"}),
    (canonical.Reasoning, pb.Reasoning, {"effort": "-", "budget": "budget_tokens"}),
    (canonical.Format, pb.ResponseFormat, {"kind": "type", "schema": "schema_json"}),
    (canonical.Answer, pb.CompleteChatResponse, {"tokens": "usage"}),
    (
        canonical.Choice,
        pb.ChatChoice,
        {"parts": "message", "finish": "stop_reason", "logprobs": "logprobs_json"},
    ),
    (canonical.Began, pb.StreamStarted, {"tokens": "-"}),
    (canonical.TextDelta, pb.TextDelta, {"choice": "index", "logprobs": "logprobs_json"}),
    (canonical.ThinkingDelta, pb.TextDelta, {"choice": "index", "text": "reasoning"}),
    (canonical.RefusalDelta, pb.TextDelta, {"choice": "index", "text": "refusal"}),
    (canonical.CallBegan, pb.ToolCallDelta, {"choice": "index", "index": "call_index"}),
    (canonical.CallDelta, pb.ToolCallDelta, {"choice": "index", "index": "call_index", "arguments": "arguments_json"}),
    (canonical.Finished, pb.ChoiceEnd, {"choice": "index", "finish": "stop_reason"}),
    (
        Tokens,
        pb.TokenUsage,
        {
            "input": "input_tokens",
            "output": "output_tokens",
            "cached_input": "cached_input_tokens",
            "cache_write": "cache_write_tokens",
            "reasoning": "reasoning_tokens",
            "audio_input": "audio_input_tokens",
            "audio_output": "audio_output_tokens",
            "cache_write_1h": "cache_write_1h_tokens",
            "image_input": "image_input_tokens",
            "image_output": "image_output_tokens",
        },
    ),
]
"""Struct → message, and the fields with other names; those of "-" stand one message higher up, or come later."""


@pytest.mark.parametrize(("struct", "kind", "names"), STRUCTS)
def test_every_field_of_the_form_has_its_field(struct: type[msgspec.Struct], kind: Any, names: dict[str, str]):
    fields = {names.get(name, name) for name in struct.__struct_fields__} - {"-"}
    assert fields <= set(kind.DESCRIPTOR.fields_by_name)
    assert set(names) <= set(struct.__struct_fields__)


def test_every_kind_of_part_and_of_event_is_among_them():
    told = {struct for struct, _, _ in STRUCTS}
    in_the_union = set(Event.__args__) | set(Part.__args__)
    # A text and a refusal are no more than that; a thought's proof has a message with the thought in it; what
    # was used and failures come as the RPC's own end, which every stream has.
    elsewhere = {Text, Refusal, canonical.ThinkingSigned, canonical.Used, canonical.Failed, canonical.Ended}
    assert in_the_union - elsewhere <= told
    assert set(pb.ThoughtEnd.DESCRIPTOR.fields_by_name) == {"index", "thought"}
    signed = {"redacted_data" if name == "redacted" else name for name in canonical.ThinkingSigned.__struct_fields__}
    assert signed - {"choice"} <= set(pb.Thought.DESCRIPTOR.fields_by_name)


def test_every_reason_to_stop_has_its_word():
    assert set(REASONS) == set(canonical.Finish.__args__)
    assert set(REASONS.values()) == set(pb.StopReason.values()) - {pb.STOP_REASON_UNSPECIFIED}


# Every chat survives the way through a message. The way there is written here.

_CAN = Can(mixed=True)


@patient
@given(chats(_CAN))
def test_a_chat_survives_the_way_through_a_request(chat: Chat):
    request = request_of(chat)
    chat.include_usage = False
    found, _ = read_chat(pb.ChatRequest.FromString(request.SerializeToString()), stream=chat.stream)
    assert found == chat


@patient
@given(chats(_CAN))
def test_every_chat_has_a_body_that_it_can_be_judged_by(chat: Chat):
    request = read_request(CHAT, chat_body(request_of(chat), stream=chat.stream))
    assert (request.model, request.streamed) == (chat.model, chat.stream)
    for message in chat.messages:
        for part in message.parts:
            for text in (getattr(part, "text", ""), getattr(part, "data", ""), getattr(part, "url", "")):
                assert len(text) <= len(request.body)
    assert request.messages >= len(chat.messages)


@patient
@given(answers(Can(mixed=True)))
def test_an_answers_message_can_be_sent_back_as_it_is(answer: Answer):
    sent = typed_response(answer, hidden=False)
    assert (sent.id, sent.model, sent.created, sent.service_tier) == (
        answer.id,
        answer.model,
        answer.created,
        answer.service_tier,
    )
    for choice, told in zip(answer.choices, sent.choices, strict=True):
        said = pb.ChatMessage.FromString(told.message.SerializeToString())
        chat_body(pb.ChatRequest(model="m", messages=[said]), stream=False)  # it is a valid one
        (message,) = MessageReader().read([said], "chat.messages")
        assert message == Message("assistant", list(choice.parts))
        assert told.stop_reason == REASONS[choice.finish]
        assert (told.stop_sequence, told.logprobs_json.encode()) == (choice.stop_sequence, bytes(choice.logprobs))


@patient
@given(streams(), st.data())
def test_a_stream_says_what_its_events_say(events: list[Event], data: st.DataObject):
    typed = new_typed()
    side = typed.side(Chat(model="m", messages=[]), {})
    writer = side.stream_writer(Chat(model="m", messages=[]))
    told = ChatEvents("req_1", Place("main", "small"), typed)
    found: list[pb.StreamChatResponse] = []
    rest = events
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        found += told.block(writer.write(rest[:cut]))
        rest = rest[cut:]
    found += told.end(Tokens(input=1, output=1, source=PROVIDER), 7)
    answer = gathered(events)
    assert [event.WhichOneof("event") for event in found].count("started") == 1
    assert found[0].started.id == answer.id
    assert found[-1].finished.routing.cost_nanousd == 7
    ends = found[-1].finished.choices
    for number, choice in enumerate(answer.choices):
        deltas = [event.delta for event in found if event.HasField("delta") and event.delta.index == number]
        assert "".join(delta.text for delta in deltas) == _joined(choice.parts, Text)
        assert "".join(delta.refusal for delta in deltas) == _joined(choice.parts, Refusal)
        assert "".join(delta.reasoning for delta in deltas) == _joined(choice.parts, Thinking)
        proofs = [e.thought_end.thought for e in found if e.HasField("thought_end") and e.thought_end.index == number]
        assert [Thinking(p.text, p.signature, p.redacted_data, p.id, p.maker) for p in proofs] == [
            part for part in choice.parts if isinstance(part, Thinking) and part.maker
        ]
        assert _calls(found, number) == [part for part in choice.parts if isinstance(part, ToolCall)]
        (end,) = (end for end in ends if end.index == number)
        assert (end.stop_reason, end.stop_sequence) == (REASONS[choice.finish], choice.stop_sequence)


def test_thoughts_that_shall_not_be_shown_leave_only_their_proofs():
    parts: list[Any] = [Thinking("hm"), Thinking("so", signature="c2ln", maker="anthropic"), Text("yes")]
    answer = Answer("a", "m", [canonical.Choice(parts)])
    (choice,) = typed_response(answer, hidden=True).choices
    assert (choice.message.reasoning, choice.message.text) == ("", "yes")
    assert [thought.text for thought in choice.message.thinking] == ["so"]
    typed = new_typed(hidden=True)
    side = typed.side(Chat(model="m", messages=[]), {})
    told = ChatEvents("req_1", Place("main", "small"), typed)
    events: list[Event] = [
        canonical.Began("a", "m"),
        canonical.ThinkingDelta("so"),
        canonical.ThinkingSigned("c2ln", maker="anthropic"),
    ]
    found = told.block(side.stream_writer(Chat(model="m", messages=[])).write(events))
    assert [event.WhichOneof("event") for event in found] == ["started", "thought_end"]
    assert found[1].thought_end.thought == pb.Thought(text="so", signature="c2ln", maker="anthropic")


def test_all_that_was_used_is_told():
    tokens = Tokens(1, 2, 3, 4, 5, 6, 7, PROVIDER, 8, 9, 10, 11, 12, 13, partial=True)
    assert usage_message(tokens) == pb.TokenUsage(
        input_tokens=1,
        output_tokens=2,
        cached_input_tokens=3,
        cache_write_tokens=4,
        reasoning_tokens=5,
        audio_input_tokens=6,
        audio_output_tokens=7,
        source=pb.TOKEN_SOURCE_PROVIDER,
        cache_write_1h_tokens=8,
        web_searches=9,
        image_input_tokens=10,
        image_output_tokens=11,
        audio_ms=12,
        characters=13,
        partial=True,
    )


# Fields whose values the form can't have are refused by their path.

HELLO = pb.ChatMessage(role=pb.ROLE_USER, text="hello")
MARK = pb.CacheMark(ttl="5m")
BAD_MARK = pb.CacheMark(ttl="2h")
PROOF = pb.Thought(text="t", signature="s", maker="anthropic")


def chat(*messages: pb.ChatMessage, **fields: Any) -> pb.ChatRequest:
    return pb.ChatRequest(model="m", messages=[HELLO, *messages], **fields)


def of_user(*parts: pb.ContentPart, **fields: Any) -> pb.ChatRequest:
    return chat(pb.ChatMessage(role=pb.ROLE_USER, parts=pb.ContentParts(parts=parts), **fields))


def of_tool(*parts: pb.ContentPart, **fields: Any) -> pb.ChatRequest:
    return chat(pb.ChatMessage(role=pb.ROLE_TOOL, parts=pb.ContentParts(parts=parts), **fields))


def of_assistant(**fields: Any) -> pb.ChatRequest:
    return chat(pb.ChatMessage(role=pb.ROLE_ASSISTANT, **fields))


_FORM = pb.ResponseFormat
_AT = "chat.messages[1]"
_PART = f"{_AT}.parts.parts[0]"
VIOLATIONS: list[tuple[str, pb.ChatRequest]] = [
    ("chat.top_k", chat(top_k=-1)),
    ("chat.reasoning.budget_tokens", chat(reasoning=pb.Reasoning(budget_tokens=-2))),
    ("chat.reasoning.budget_tokens", chat(reasoning=pb.Reasoning(budget_tokens=1), reasoning_effort="low")),
    ("chat.reasoning_effort", chat(reasoning_effort="hard")),
    ("chat.logit_bias[5]", chat(logit_bias={"5": 101})),
    ("chat.logit_bias[5]", chat(logit_bias={"5": float("nan")})),
    ("chat.response_format.json_schema", chat(response_format=_FORM(type="json_schema", name="x"))),
    ("chat.response_format.schema_json", chat(response_format=_FORM(type="json_schema", schema_json="[]"))),
    (
        "chat.response_format.schema_json",
        chat(response_format=_FORM(type="json_schema", schema_json="{}", json_schema="{}")),
    ),
    ("chat.response_format.json_schema", chat(response_format=_FORM(type="json_schema", json_schema='{"name":1}'))),
    ("chat.tools[0].cache.ttl", chat(tools=[pb.Tool(name="t", cache=BAD_MARK)])),
    ("chat.extra_json", chat(extra_json='{"temperature":"hot"}')),
    (f"{_PART}.cache.ttl", of_user(pb.ContentPart(text="x", cache=BAD_MARK))),
    (f"{_PART}.cache", of_user(pb.ContentPart(audio=pb.AudioPart(data=b"x", format="wav"), cache=MARK))),
    (f"{_AT}.cache", of_user(pb.ContentPart(text="x"), cache=MARK)),
    (f"{_AT}.is_error", of_user(pb.ContentPart(text="x"), is_error=True)),
    (f"{_PART}.image.data", of_user(pb.ContentPart(image=pb.ImagePart(url="https://a.example", data=b"x")))),
    (f"{_PART}.image.media_type", of_user(pb.ContentPart(image=pb.ImagePart(data=b"x")))),
    (f"{_PART}.image.url", of_user(pb.ContentPart(image=pb.ImagePart(url="data:nothing")))),
    (f"{_PART}.file.text", of_user(pb.ContentPart(file=pb.FilePart(url="https://a.example", text="x")))),
    (f"{_PART}.file.media_type", of_user(pb.ContentPart(file=pb.FilePart(data=b"x")))),
    (_PART, of_user(pb.ContentPart(thinking=PROOF))),
    (_PART, of_user(pb.ContentPart(tool_result=pb.ToolResult(call_id="a")))),
    (_PART, of_user(pb.ContentPart(refusal="no"))),
    (f"{_AT}.tool_call_id", of_tool(pb.ContentPart(text="x"))),
    (_PART, of_tool(pb.ContentPart(audio=pb.AudioPart(data=b"x", format="wav")), tool_call_id="a")),
    (f"{_PART}.tool_result.call_id", of_tool(pb.ContentPart(tool_result=pb.ToolResult()))),
    (
        f"{_AT}.parts.parts[1]",
        of_tool(pb.ContentPart(tool_result=pb.ToolResult(call_id="a")), pb.ContentPart(text="x")),
    ),
    (f"{_AT}.cache", of_tool(pb.ContentPart(tool_result=pb.ToolResult(call_id="a")), cache=MARK)),
    (f"{_AT}.parts.parts", of_tool(cache=MARK, tool_call_id="a")),
    (f"{_AT}.thinking", chat(pb.ChatMessage(role=pb.ROLE_USER, text="x", thinking=[PROOF]))),
    (f"{_AT}.in_order", chat(pb.ChatMessage(role=pb.ROLE_USER, text="x", in_order=pb.ContentParts()))),
    (f"{_AT}.in_order.parts", of_assistant(in_order=pb.ContentParts())),
    (f"{_AT}.thinking[0].maker", of_assistant(thinking=[pb.Thought(signature="s")])),
    (f"{_AT}.thinking[0].text", of_assistant(thinking=[pb.Thought(maker="anthropic")])),
    (f"{_AT}.tool_calls[0].cache.ttl", of_assistant(tool_calls=[pb.ToolCall(id="a", name="n", cache=BAD_MARK)])),
    (
        f"{_AT}.in_order.parts[0].tool_call.name",
        of_assistant(in_order=pb.ContentParts(parts=[pb.ContentPart(tool_call=pb.ToolCall(id="a"))])),
    ),
]


@pytest.mark.parametrize(("path", "request_"), VIOLATIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_violation_names_the_field(path: str, request_: pb.ChatRequest):
    with pytest.raises(InvalidArgument) as caught:
        _read(request_)
    assert caught.value.field == path


PLAIN: list[pb.ChatRequest] = [
    chat(),
    chat(reasoning_effort="high", verbosity="low", prompt_cache_key="k", logit_bias={"5": -1}, seed=1, user="u"),
    chat(tools=[pb.Tool(name="t", strict=True)], response_format=_FORM(type="json_schema", schema_json="{}")),
    of_user(pb.ContentPart(image=pb.ImagePart(data=b"x", media_type="image/png"))),
    of_user(pb.ContentPart(file=pb.FilePart(data=b"x", media_type="application/pdf", filename="a.pdf"))),
    of_assistant(text="x", reasoning="hm", tool_calls=[pb.ToolCall(id="a", name="n")]),
    of_tool(pb.ContentPart(text="x"), tool_call_id="a"),
]
BEYOND: list[pb.ChatRequest] = [
    chat(top_k=1),
    chat(reasoning=pb.Reasoning(shown=True)),
    chat(tools=[pb.Tool(name="t", cache=MARK)]),
    chat(pb.ChatMessage(role=pb.ROLE_USER, text="x", cache=MARK)),
    of_user(pb.ContentPart(text="x", cache=MARK)),
    of_user(pb.ContentPart(image=pb.ImagePart(file_id="f"))),
    of_user(pb.ContentPart(file=pb.FilePart(url="https://a.example/a.pdf"))),
    of_user(pb.ContentPart(file=pb.FilePart(text="x"))),
    of_user(pb.ContentPart(file=pb.FilePart(file_id="x", context="y"))),
    of_assistant(thinking=[PROOF]),
    of_assistant(tool_calls=[pb.ToolCall(id="a", name="n", signature="s")]),
    of_assistant(tool_calls=[pb.ToolCall(id="a", name="n", cache=MARK)]),
    of_assistant(in_order=pb.ContentParts(parts=[pb.ContentPart(text="x")])),
    chat(pb.ChatMessage(role=pb.ROLE_TOOL, text="x", tool_call_id="a", is_error=True)),
    of_tool(pb.ContentPart(tool_result=pb.ToolResult(call_id="a"))),
    of_tool(pb.ContentPart(image=pb.ImagePart(url="https://a.example")), tool_call_id="a"),
]


def test_only_what_openais_wire_has_no_word_for_goes_beyond_it():
    assert [goes_beyond(request) for request in PLAIN] == [False] * len(PLAIN)
    assert [goes_beyond(request) for request in BEYOND] == [True] * len(BEYOND)


def test_extra_json_is_put_over_the_typed_fields():
    extra = '{"temperature":1,"top_k":7,"max_tokens":9,"thinking":{"type":"enabled","budget_tokens":2048},"user":null,'
    extra += '"response_format":{"type":"json_object"},"store":true,"stream":true}'
    request = chat(temperature=0.5, user="u", seed=3, extra_json=extra)
    found, paths = read_chat(request, stream=False)
    assert (found.temperature, found.top_k, found.max_output, found.user, found.seed) == (1.0, 7, 9, "", 3)
    assert found.reasoning == canonical.Reasoning(budget=2048)
    assert found.format == canonical.Format("json")
    assert {name: bytes(raw) for name, raw in found.others.items()} == {"store": b"true"}
    assert not found.stream
    assert (paths["top_k"], paths["store"], paths["seed"]) == (
        "chat.extra_json.top_k",
        "chat.extra_json.store",
        "chat.seed",
    )


def test_messages_and_model_may_come_from_extra_json():
    request = pb.ChatRequest(extra_json='{"model":"x","messages":[{"role":"user","content":"hi"}]}')
    found, paths = read_chat(request, stream=True)
    assert (found.model, found.messages, found.stream) == ("x", [Message("user", [Text("hi")])], True)
    assert paths["messages[0].name"] == "chat.extra_json.messages[0].name"


def test_paths_say_where_a_field_stands():
    calls = [pb.ToolCall(id=each, name="n") for each in "ab"]
    request = chat(
        pb.ChatMessage(role=pb.ROLE_ASSISTANT, tool_calls=calls),
        pb.ChatMessage(role=pb.ROLE_TOOL, text="x", tool_call_id="a"),
        pb.ChatMessage(role=pb.ROLE_TOOL, text="x", tool_call_id="b"),
        pb.ChatMessage(role=pb.ROLE_USER, parts=pb.ContentParts(parts=[pb.ContentPart(text="x")])),
        max_tokens=5,
    )
    _, paths = read_chat(request, stream=False)
    assert paths["messages[0].content[0]"] == "chat.messages[0]"
    assert paths["messages[1].name"] == "chat.messages[1].name"
    # The two results are one turn there.
    assert paths["messages[3].content[0].detail"] == "chat.messages[4].parts.parts[0].image.detail"
    assert paths["tools[1].strict"] == "chat.tools[1].strict"
    assert (paths["format.strict"], paths["format"]) == ("chat.response_format.strict", "chat.response_format")
    assert (paths["max_output"], paths["reasoning"], paths["cache_key"]) == (
        "chat.max_tokens",
        "chat.reasoning",
        "chat.prompt_cache_key",
    )


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("", ""),
        ("max_tokens", "chat.max_tokens"),
        ("reasoning.max_tokens", "chat.reasoning.budget_tokens"),
        ("thinking.budget_tokens", "chat.extra_json.thinking.budget_tokens"),
        ("chat.messages[0].role", "chat.messages[0].role"),
    ],
)
def test_fields_of_the_body_are_told_by_their_path(field: str, path: str):
    assert path_of(field) == path


def _read(request: pb.ChatRequest) -> Chat:
    chat_body(request, stream=False)
    return read_chat(request, stream=False)[0]


def new_typed(*, hidden: bool = False) -> TypedChat:
    return TypedChat(lambda: (Chat(model="m", messages=[]), {}), beyond=True, drop=False, hidden=hidden)


def _joined(parts: Any, kind: type[Any]) -> str:
    return "".join(part.text for part in parts if isinstance(part, kind))


def _calls(events: list[pb.StreamChatResponse], choice: int) -> list[ToolCall]:
    found: dict[int, ToolCall] = {}
    for event in events:
        delta = event.tool_call_delta
        if not event.HasField("tool_call_delta") or delta.index != choice:
            continue
        call = found.setdefault(delta.call_index, ToolCall(delta.id, delta.name, "", delta.signature))
        call.arguments += delta.arguments_json
    return [call for _, call in sorted(found.items())]


def request_of(chat: Chat) -> pb.ChatRequest:
    """The request that says what a chat says."""
    fields: dict[str, Any] = {}
    for names in (_NUMBERS, _TEXTS):
        for name, field in names.items():
            if (value := getattr(chat, name)) not in (None, "", [], {}):
                fields[field] = value
    if bytes(chat.logit_bias):
        fields["logit_bias"] = msgspec.json.decode(chat.logit_bias)
    if (asked := chat.reasoning) is not None:
        fields["reasoning_effort"] = asked.effort or ""
        if asked.budget is not None or asked.shown is not None:
            fields["reasoning"] = pb.Reasoning(budget_tokens=asked.budget, shown=asked.shown)
    if (form := chat.format) is not None:
        kind = {"json": "json_object", "schema": "json_schema"}[form.kind]
        fields["response_format"] = pb.ResponseFormat(
            type=kind,
            name=form.name,
            description=form.description,
            schema_json=bytes(form.schema).decode(),
            strict=form.strict,
        )
    if (choice := chat.tool_choice) is not None:
        named = choice.mode == "tool"
        fields["tool_choice"] = pb.ToolChoice(function=choice.name) if named else pb.ToolChoice(mode=choice.mode)
    fields["tools"] = [
        pb.Tool(
            name=tool.name,
            description=tool.description,
            parameters_json=bytes(tool.parameters).decode(),
            strict=tool.strict,
            cache=_mark(tool.cache),
        )
        for tool in chat.tools
    ]
    return pb.ChatRequest(messages=map(_message, chat.messages), **fields)


def _message(message: Message) -> pb.ChatMessage:
    role = {name: role for role, name in ROLES.items()}[message.role]
    parts = pb.ContentParts(parts=map(_part, message.parts))
    if message.role == "assistant":
        return pb.ChatMessage(role=role, name=message.name, in_order=parts)
    return pb.ChatMessage(role=role, name=message.name, parts=parts)


def _mark(mark: CacheMark | None) -> pb.CacheMark | None:
    return None if mark is None else pb.CacheMark(ttl=mark.ttl)


def _part(part: Part) -> pb.ContentPart:
    match part:
        case Text():
            return pb.ContentPart(text=part.text, cache=_mark(part.cache))
        case Image():
            image = pb.ImagePart(
                url=part.url,
                data=base64.b64decode(part.data),
                media_type=part.media_type,
                file_id=part.file_id,
                detail=part.detail,
            )
            return pb.ContentPart(image=image, cache=_mark(part.cache))
        case Document():
            file = pb.FilePart(
                url=part.url,
                data=base64.b64decode(part.data),
                media_type=part.media_type,
                text=part.text,
                file_id=part.file_id,
                filename=part.name,
                context=part.context,
            )
            return pb.ContentPart(file=file, cache=_mark(part.cache))
        case Audio():
            return pb.ContentPart(audio=pb.AudioPart(data=base64.b64decode(part.data), format=part.format))
        case Thinking():
            thought = pb.Thought(
                text=part.text,
                signature=part.signature,
                redacted_data=part.redacted,
                id=part.id,
                maker=part.maker,
            )
            return pb.ContentPart(thinking=thought)
        case Refusal():
            return pb.ContentPart(refusal=part.text)
        case ToolCall():
            call = pb.ToolCall(
                id=part.id,
                name=part.name,
                arguments_json=part.arguments,
                signature=part.signature,
                cache=_mark(part.cache),
            )
            return pb.ContentPart(tool_call=call)
        case ToolResult():
            result = pb.ToolResult(
                call_id=part.call_id,
                parts=map(_part, cast("list[Part]", part.parts)),
                is_error=part.is_error,
                name=part.name,
                cache=_mark(part.cache),
            )
            return pb.ContentPart(tool_result=result)
