"""Typed requests as bodies of the OpenAI wire: nothing lost, nothing added, violations named by their path."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidArgument, ModelRequired
from core.rpc.chat_request import chat_body
from core.rpc.embedding import embedding_body
from core.rpc.message_check import ROLES
from core.rpc.text_request import text_body
from llmrouter.v1 import router_pb2 as pb

HELLO = pb.ChatMessage(role=pb.ROLE_USER, text="hello")


def chat(**fields: Any) -> dict[str, Any]:
    """The body of a chat request with these fields beside a model and a message."""
    return json.loads(chat_body(pb.ChatRequest(model="m", messages=[HELLO], **fields), stream=False))


def message(**fields: Any) -> dict[str, Any]:
    """One message on the wire."""
    request = pb.ChatRequest(model="m", messages=[pb.ChatMessage(**fields)])
    return json.loads(chat_body(request, stream=False))["messages"][0]


def test_what_is_not_set_is_not_sent():
    assert chat() == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    text = pb.TextRequest(model="m", prompts=["once"])
    assert json.loads(text_body(text, stream=False)) == {"model": "m", "prompt": "once"}
    embed = pb.EmbedRequest(model="m", inputs=["once"])
    assert json.loads(embedding_body(embed)) == {"model": "m", "input": ["once"], "encoding_format": "float"}


def test_optional_fields_are_sent_also_when_they_are_zero_or_false():
    zeros: dict[str, Any] = {
        "temperature": 0.0,
        "top_p": 0.0,
        "seed": 0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "parallel_tool_calls": False,
        "logprobs": False,
        "top_logprobs": 0,
    }
    sent = chat(**zeros)
    assert {name: sent[name] for name in zeros} == zeros


def test_every_plain_field_of_a_chat_keeps_its_name_and_value():
    fields: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 10,
        "max_completion_tokens": 20,
        "n": 2,
        "stop": ["a", "b"],
        "seed": -(2**63),
        "presence_penalty": -1.5,
        "frequency_penalty": 1.5,
        "parallel_tool_calls": True,
        "reasoning_effort": "high",
        "logprobs": True,
        "top_logprobs": 3,
        "user": "somebody",
        "metadata": {"a": "1", "b": "2"},
        "service_tier": "flex",
        "verbosity": "low",
        "prompt_cache_key": "key",
        "logit_bias": {"50256": -100, "11": 0.5},
        "top_k": 40,
    }
    sent = chat(**fields)
    assert {name: sent[name] for name in fields} == fields


@pytest.mark.parametrize(("role", "name"), ROLES.items())
def test_every_role_has_its_name(role: pb.Role, name: str):
    assert message(role=role, text="x") == {"role": name, "content": "x"}


def test_there_is_a_name_for_every_role_but_the_unspecified():
    assert set(ROLES) == set(pb.Role.values()) - {pb.ROLE_UNSPECIFIED}


def test_a_message_of_several_parts():
    parts = [
        pb.ContentPart(text="what is this?"),
        pb.ContentPart(image=pb.ImagePart(url="https://example.com/a.png")),
        pb.ContentPart(image=pb.ImagePart(url="data:image/png;base64,AA==", detail="low")),
        pb.ContentPart(audio=pb.AudioPart(data=b"\x00\xff\x10", format="wav")),
        pb.ContentPart(file=pb.FilePart(file_id="file-1")),
        pb.ContentPart(file=pb.FilePart(file_data="data:application/pdf;base64,AA==", filename="a.pdf")),
    ]
    assert message(role=pb.ROLE_USER, parts=pb.ContentParts(parts=parts), name="ann") == {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AP8Q", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
        ],
    }


def test_what_the_assistant_said_and_called_and_what_the_tool_returned():
    call = pb.ToolCall(id="call_1", name="look", arguments_json='{"at": ')  # as the model wrote it, valid or not
    assert message(role=pb.ROLE_ASSISTANT, tool_calls=[call], reasoning="hm") == {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": '}}],
        "reasoning_content": "hm",
    }
    assert message(role=pb.ROLE_ASSISTANT, text="", refusal="no") == {
        "role": "assistant",
        "content": "",
        "refusal": "no",
    }
    assert message(role=pb.ROLE_TOOL, text="7", tool_call_id="call_1") == {
        "role": "tool",
        "content": "7",
        "tool_call_id": "call_1",
    }


def test_tools_and_the_choice_among_them():
    schema = '{"type":"object","properties":{"n":{"const":1.0,"maximum":12345678901234567890}}}'
    tools = [pb.Tool(name="look"), pb.Tool(name="find", description="finds", parameters_json=schema, strict=False)]
    request = pb.ChatRequest(model="m", messages=[HELLO], tools=tools)
    body = chat_body(request, stream=False)
    assert json.loads(body)["tools"] == [
        {"type": "function", "function": {"name": "look"}},
        {
            "type": "function",
            "function": {"name": "find", "description": "finds", "parameters": json.loads(schema), "strict": False},
        },
    ]
    assert schema.encode() in body  # to the letter: no number was read and written again
    for mode in ("none", "auto", "required"):
        assert chat(tool_choice=pb.ToolChoice(mode=mode))["tool_choice"] == mode
    chosen = chat(tool_choice=pb.ToolChoice(function="find"))["tool_choice"]
    assert chosen == {"type": "function", "function": {"name": "find"}}


def test_the_form_of_the_answer():
    assert chat(response_format=pb.ResponseFormat(type="json_object"))["response_format"] == {"type": "json_object"}
    form = pb.ResponseFormat(type="json_schema", json_schema='{"name":"a","schema":{},"strict":true}')
    assert chat(response_format=form)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": {}, "strict": True},
    }


def test_the_form_of_the_answer_as_fields():
    schema = '{"type":"object","properties":{"n":{"maximum":12345678901234567890}}}'
    form = pb.ResponseFormat(type="json_schema", name="a", description="d", schema_json=schema, strict=True)
    body = chat_body(pb.ChatRequest(model="m", messages=[HELLO], response_format=form), stream=False)
    assert json.loads(body)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "a", "description": "d", "schema": json.loads(schema), "strict": True},
    }
    assert schema.encode() in body
    nameless = chat(response_format=pb.ResponseFormat(type="json_schema", schema_json="{}"))
    assert nameless["response_format"]["json_schema"] == {"name": "answer", "schema": {}}  # OpenAI asks for a name


def test_pictures_and_files_in_place_are_data_urls():
    parts = [
        pb.ContentPart(image=pb.ImagePart(data=b"\x00\xff", media_type="image/png", detail="high")),
        pb.ContentPart(file=pb.FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf")),
    ]
    assert message(role=pb.ROLE_USER, parts=pb.ContentParts(parts=parts))["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AP8=", "detail": "high"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}},
    ]


def test_extra_json_wins_over_the_typed_fields_and_stays_to_the_letter():
    extra = '{"temperature": 1.0, "big": 123456789012345678901234567890, "top_k": 5, "logit_bias": {"50256": -100}}'
    request = pb.ChatRequest(model="m", messages=[HELLO], temperature=0.25, extra_json=extra)
    body = chat_body(request, stream=False)
    assert json.loads(body) == {"model": "m", "messages": [{"role": "user", "content": "hello"}], **json.loads(extra)}
    assert b"123456789012345678901234567890" in body


def test_extra_json_may_bring_what_the_typed_fields_lack():
    body = chat_body(
        pb.ChatRequest(extra_json='{"model":"m","messages":[{"role":"user","content":"x"}]}'), stream=False
    )
    assert json.loads(body) == {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    assert json.loads(text_body(pb.TextRequest(model="m", extra_json='{"prompt":[1,2]}'), stream=False)) == {
        "model": "m",
        "prompt": [1, 2],
    }
    embed = pb.EmbedRequest(model="m", extra_json='{"input":[[1,2]],"encoding_format":"base64"}')
    assert json.loads(embedding_body(embed)) == {"model": "m", "input": [[1, 2]], "encoding_format": "base64"}


def test_whether_an_answer_is_streamed_is_the_methods_business():
    request = pb.ChatRequest(
        model="m", messages=[HELLO], extra_json='{"stream":true,"stream_options":{"include_usage":true}}'
    )
    assert json.loads(chat_body(request, stream=False)).keys() == {"model", "messages"}
    streamed = json.loads(chat_body(request, stream=True))
    assert (streamed["stream"], streamed["stream_options"]) == (True, {"include_usage": True})
    request.extra_json = '{"stream":false}'
    assert json.loads(chat_body(request, stream=True))["stream"] is True


def test_every_field_of_a_text_request():
    fields: dict[str, Any] = {
        "max_tokens": 0,
        "temperature": 0.0,
        "top_p": 1.0,
        "n": 3,
        "stop": ["."],
        "seed": 7,
        "suffix": "the end",
        "echo": True,
        "presence_penalty": 2.0,
        "frequency_penalty": -2.0,
        "user": "somebody",
    }
    body = text_body(pb.TextRequest(model="m", prompts=["a", "b"], extra_json='{"best_of":4}', **fields), stream=True)
    assert json.loads(body) == {"model": "m", "prompt": ["a", "b"], "best_of": 4, "stream": True, **fields}


def test_every_field_of_an_embed_request():
    request = pb.EmbedRequest(model="m", inputs=["a", "b"], dimensions=8, user="u", extra_json='{"input_type":"query"}')
    assert json.loads(embedding_body(request)) == {
        "model": "m",
        "input": ["a", "b"],
        "encoding_format": "float",
        "dimensions": 8,
        "user": "u",
        "input_type": "query",
    }


def test_every_field_of_a_request_is_known_to_its_translator():
    # A field that is added to the protobuf must be added to the tests above, and so to the translators. Those of a
    # chat are in test_router_forms.py too.
    tested = {
        pb.ChatRequest: 28,
        pb.ChatMessage: 12,
        pb.ContentPart: 9,
        pb.ToolCall: 5,
        pb.Tool: 5,
        pb.TextRequest: 14,
        pb.EmbedRequest: 5,
    }
    assert {kind: len(kind.DESCRIPTOR.fields) for kind in tested} == tested


_CHAT: dict[str, Any] = {"model": "m", "messages": [HELLO]}
_TEXT: dict[str, Any] = {"model": "m", "prompts": ["x"]}
_EMBED: dict[str, Any] = {"model": "m", "inputs": ["x"]}


def _chat(**fields: Any) -> Callable[[], bytes]:
    return lambda: chat_body(pb.ChatRequest(**(_CHAT | fields)), stream=False)


def _said(**fields: Any) -> Callable[[], bytes]:
    return _chat(messages=[HELLO, pb.ChatMessage(**fields)])


def _part(**fields: Any) -> Callable[[], bytes]:
    return _said(role=pb.ROLE_USER, parts=pb.ContentParts(parts=[pb.ContentPart(**fields)]))


def _text(**fields: Any) -> Callable[[], bytes]:
    return lambda: text_body(pb.TextRequest(**(_TEXT | fields)), stream=False)


def _embed(**fields: Any) -> Callable[[], bytes]:
    return lambda: embedding_body(pb.EmbedRequest(**(_EMBED | fields)))


VIOLATIONS: list[tuple[str, Callable[[], bytes]]] = [
    ("chat.model", _chat(model="")),
    ("chat.model", _chat(model="m" * 301)),
    ("chat.messages", _chat(messages=[])),
    ("chat.messages[1].role", _said(text="x")),
    ("chat.messages[1].role", _said(role=77, text="x")),
    ("chat.messages[1].text", _said(role=pb.ROLE_USER)),
    ("chat.messages[1].text", _said(role=pb.ROLE_TOOL, tool_call_id="call_1")),
    ("chat.messages[1].tool_calls[0].name", _said(role=pb.ROLE_ASSISTANT, tool_calls=[pb.ToolCall(id="a")])),
    ("chat.messages[1].parts.parts", _said(role=pb.ROLE_USER, parts=pb.ContentParts())),
    ("chat.messages[1].parts.parts[0]", _part()),
    ("chat.messages[1].parts.parts[0].image.url", _part(image=pb.ImagePart(detail="low"))),
    ("chat.messages[1].parts.parts[0].audio.data", _part(audio=pb.AudioPart(format="wav"))),
    ("chat.messages[1].parts.parts[0].audio.format", _part(audio=pb.AudioPart(data=b"x"))),
    ("chat.messages[1].parts.parts[0].file.file_id", _part(file=pb.FilePart(filename="a.pdf"))),
    ("chat.temperature", _chat(temperature=-0.1)),
    ("chat.temperature", _chat(temperature=float("nan"))),
    ("chat.temperature", _chat(temperature=float("inf"))),
    ("chat.top_p", _chat(top_p=1.1)),
    ("chat.max_tokens", _chat(max_tokens=0)),
    ("chat.max_completion_tokens", _chat(max_completion_tokens=2**31)),
    ("chat.n", _chat(n=0)),
    ("chat.n", _chat(n=129)),
    ("chat.presence_penalty", _chat(presence_penalty=2.1)),
    ("chat.frequency_penalty", _chat(frequency_penalty=-2.1)),
    ("chat.top_logprobs", _chat(top_logprobs=-1)),
    ("chat.tools[0].name", _chat(tools=[pb.Tool(description="x")])),
    ("chat.tools[0].parameters_json", _chat(tools=[pb.Tool(name="x", parameters_json="[]")])),
    ("chat.tool_choice", _chat(tool_choice=pb.ToolChoice())),
    ("chat.tool_choice", _chat(tool_choice=pb.ToolChoice(mode="always"))),
    ("chat.response_format.type", _chat(response_format=pb.ResponseFormat(json_schema="{}"))),
    ("chat.response_format.json_schema", _chat(response_format=pb.ResponseFormat(type="json_schema"))),
    ("chat.response_format.json_schema", _chat(response_format=pb.ResponseFormat(type="json_schema", json_schema="1"))),
    ("chat.extra_json", _chat(extra_json="[]")),
    ("chat.extra_json", _chat(extra_json='{"a":')),
    ("chat.extra_json", _chat(extra_json='{"a":1} {}')),
    ("chat.extra_json", _chat(extra_json='{"a":' + "[" * 100_000 + "]" * 100_000 + "}")),
    ("text.model", _text(model="")),
    ("text.prompts", _text(prompts=[])),
    ("text.max_tokens", _text(max_tokens=-1)),
    ("text.extra_json", _text(extra_json="no")),
    ("model", _embed(model="")),
    ("inputs", _embed(inputs=[])),
    ("dimensions", _embed(dimensions=0)),
    ("extra_json", _embed(extra_json="null")),
]


@pytest.mark.parametrize(("path", "make"), VIOLATIONS)
def test_a_violation_names_the_field(path: str, make: Callable[[], bytes]):
    with pytest.raises(InvalidArgument) as caught:
        make()
    assert caught.value.field == path


def test_a_missing_model_has_a_reason_of_its_own():
    with pytest.raises(ModelRequired):
        _chat(model="")()


# Every chat request survives the way to JSON and back. The way back is written here.

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_some = _texts.filter(bool)
_json_objects = st.dictionaries(_texts, st.integers() | _texts | st.none(), max_size=3).map(json.dumps)
_parts = st.one_of(
    st.builds(pb.ContentPart, text=_texts),
    st.builds(pb.ContentPart, image=st.builds(pb.ImagePart, url=_some, detail=_texts)),
    st.builds(pb.ContentPart, audio=st.builds(pb.AudioPart, data=st.binary(min_size=1), format=_some)),
    st.builds(pb.ContentPart, file=st.builds(pb.FilePart, file_id=_some, file_data=_texts, filename=_texts)),
)
_calls = st.builds(pb.ToolCall, id=_texts, name=_some, arguments_json=_texts)
_names = {"name": _texts, "tool_call_id": _texts, "refusal": _texts, "reasoning": _texts}
_messages = st.one_of(
    st.builds(pb.ChatMessage, role=st.sampled_from(list(ROLES)), text=_texts, **_names),
    st.builds(
        pb.ChatMessage,
        role=st.sampled_from(list(ROLES)),
        parts=st.builds(pb.ContentParts, parts=st.lists(_parts, min_size=1, max_size=3)),
        **_names,
    ),
    st.builds(pb.ChatMessage, role=st.just(pb.ROLE_ASSISTANT), tool_calls=st.lists(_calls, max_size=2), **_names),
)
_tools = st.builds(
    pb.Tool,
    name=_some,
    description=_texts,
    parameters_json=st.just("") | _json_objects,
    strict=st.none() | st.booleans(),
)
_choices = st.builds(pb.ToolChoice, mode=st.sampled_from(["none", "auto", "required"])) | st.builds(
    pb.ToolChoice, function=_some
)
_forms = st.builds(pb.ResponseFormat, type=st.just("json_schema"), json_schema=_json_objects) | st.builds(
    pb.ResponseFormat, type=st.sampled_from(["text", "json_object"])
)
_tokens = st.none() | st.integers(1, 2**31 - 1)
_penalties = st.none() | st.floats(-2, 2)
_requests = st.builds(
    pb.ChatRequest,
    model=_some,
    messages=st.lists(_messages, min_size=1, max_size=4),
    temperature=st.none() | st.floats(0, 100),
    top_p=st.none() | st.floats(0, 1),
    max_tokens=_tokens,
    max_completion_tokens=_tokens,
    n=st.none() | st.integers(1, 128),
    stop=st.lists(_texts, max_size=3),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    presence_penalty=_penalties,
    frequency_penalty=_penalties,
    tools=st.lists(_tools, max_size=2),
    tool_choice=st.none() | _choices,
    parallel_tool_calls=st.none() | st.booleans(),
    response_format=st.none() | _forms,
    reasoning_effort=_texts,
    logprobs=st.none() | st.booleans(),
    top_logprobs=st.none() | st.integers(0, 100),
    user=_texts,
    metadata=st.dictionaries(_texts, _texts, max_size=3),
    service_tier=_texts,
)


@settings(deadline=None, derandomize=True)
@given(_requests)
def test_a_chat_request_survives_the_way_to_json_and_back(request: pb.ChatRequest):
    body = json.loads(chat_body(request, stream=False))
    assert _request_of(body) == request


def _request_of(body: dict[str, Any]) -> pb.ChatRequest:
    body["messages"] = [_message_of(each) for each in body["messages"]]
    body["tools"] = [_tool_of(each["function"]) for each in body.get("tools", [])]
    if (choice := body.get("tool_choice")) is not None:
        given = {"mode": choice} if isinstance(choice, str) else {"function": choice["function"]["name"]}
        body["tool_choice"] = pb.ToolChoice(**given)
    if (form := body.get("response_format")) is not None:
        schema = json.dumps(form["json_schema"]) if "json_schema" in form else ""
        body["response_format"] = pb.ResponseFormat(type=form["type"], json_schema=schema)
    return pb.ChatRequest(**body)


def _tool_of(function: dict[str, Any]) -> pb.Tool:
    if "parameters" in function:
        function["parameters_json"] = json.dumps(function.pop("parameters"))
    return pb.Tool(**function)


def _message_of(wire: dict[str, Any]) -> pb.ChatMessage:
    content = wire.pop("content", None)
    if isinstance(content, str):
        wire["text"] = content
    elif content is not None:
        wire["parts"] = pb.ContentParts(parts=map(_part_of, content))
    wire["role"] = {name: role for role, name in ROLES.items()}[wire["role"]]
    wire["reasoning"] = wire.pop("reasoning_content", "")
    wire["tool_calls"] = [
        pb.ToolCall(id=call.get("id", ""), name=call["function"]["name"], arguments_json=call["function"]["arguments"])
        for call in wire.get("tool_calls", [])
    ]
    return pb.ChatMessage(**wire)


def _part_of(wire: dict[str, Any]) -> pb.ContentPart:
    kind = wire["type"]
    if kind == "text":
        return pb.ContentPart(text=wire["text"])
    if kind == "image_url":
        return pb.ContentPart(image=pb.ImagePart(**wire["image_url"]))
    if kind == "input_audio":
        audio = wire["input_audio"]
        return pb.ContentPart(audio=pb.AudioPart(data=base64.b64decode(audio["data"]), format=audio["format"]))
    assert kind == "file"
    return pb.ContentPart(file=pb.FilePart(**wire["file"]))
