"""Requests of Gemini callers, as Google's clients and its examples with curl send them."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import (
    Audio,
    Chat,
    Document,
    Format,
    Image,
    Message,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from core.dialects.gemini.chat_reader import read_chat
from core.dialects.gemini.generate import GENERATE, read_request
from core.dialects.gemini.thoughts import signature_of
from core.errors import InvalidArgument

_HELLO = [{"role": "user", "parts": [{"text": "Hello"}]}]


def read(**fields: Any) -> Chat:
    body = msgspec.json.encode({"model": "m", "contents": _HELLO, **fields})
    return read_chat(read_request(GENERATE, body))


def declared(**declaration: Any) -> dict[str, Any]:
    chat = read(tools=[{"functionDeclarations": [{"name": "f", **declaration}]}])
    return msgspec.json.decode(chat.tools[0].parameters, type=dict[str, Any])


def test_names_in_snake_case_are_the_same() -> None:
    chat = read(
        system_instruction={"parts": [{"text": "Be brief."}]},
        contents=[{"parts": [{"inline_data": {"mime_type": "image/png", "data": "aGk="}}]}],
        generation_config={"max_output_tokens": 5, "stop_sequences": ["a"], "thinking_config": {"thinking_budget": 0}},
        tools=[{"function_declarations": [{"name": "f", "parameters_json_schema": {"mime_type": {"top_p": 1}}}]}],
    )
    assert chat.messages == [
        Message("system", [Text("Be brief.")]),
        Message("user", [Image(data="aGk=", media_type="image/png")]),
    ]
    assert (chat.max_output, chat.stop, chat.reasoning) == (5, ["a"], Reasoning(budget=0))
    assert bytes(chat.tools[0].parameters) == b'{"mime_type":{"top_p":1}}'
    assert not chat.others


def test_googles_schemas_become_json_schemas() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True, "enum": ["a", "b"]},
            "list": {"type": "ARRAY", "items": {"type": "INTEGER"}, "max_items": "3"},
            "any": {"anyOf": [{"type": "NUMBER"}, {"type": "STRING"}], "nullable": True},
        },
        "propertyOrdering": ["list", "type"],
        "required": ["list"],
    }
    assert declared(parameters=schema) == {
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", "b", None]},
            "list": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
            "any": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
        },
        "required": ["list"],
    }


def test_a_json_schema_is_not_touched() -> None:
    schema = {"type": "object", "properties": {"nullable": {"type": "STRING"}}}
    assert declared(parametersJsonSchema=schema) == schema


def test_calls_and_results_without_ids_find_each_other() -> None:
    chat = read(
        contents=[
            {"role": "user", "parts": [{"text": "Go"}]},
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"},
                    {"functionCall": {"name": "g"}},
                    {"functionCall": {"name": "f", "args": {"x": 2}}},
                ],
            },
            {
                "role": "function",
                "parts": [
                    {"functionResponse": {"name": "f", "response": {"output": "one"}}},
                    {"functionResponse": {"name": "f", "response": {"error": "two"}}},
                    {"functionResponse": {"name": "g", "response": {"celsius": 1.0}}},
                    {"text": "Well?"},
                ],
            },
        ]
    )
    assert chat.messages[1:] == [
        Message(
            "assistant",
            [
                ToolCall("call_1", "f", '{"x":1}', "c2ln"),
                ToolCall("call_2", "g", "{}"),
                ToolCall("call_3", "f", '{"x":2}'),
            ],
        ),
        Message(
            "tool",
            [
                ToolResult("call_1", [Text("one")], name="f"),
                ToolResult("call_3", [Text("two")], is_error=True, name="f"),
                ToolResult("call_2", [Text('{"celsius":1.0}')], name="g"),
            ],
        ),
        Message("user", [Text("Well?")]),
    ]


def test_a_turn_without_anything_said_is_none() -> None:
    assert read(contents=[*_HELLO, {"role": "model"}, {"role": "model", "parts": []}]).messages == [
        Message("user", [Text("Hello")])
    ]


def test_contents_are_wanted() -> None:
    with pytest.raises(InvalidArgument) as raised:
        read_chat(read_request(GENERATE, b'{"model":"m"}'))
    assert raised.value.field == "contents"


def test_media_by_their_kind() -> None:
    parts = [
        {"inlineData": {"mimeType": "audio/mpeg", "data": "aGk"}},
        {"inlineData": {"mimeType": "text/plain", "data": "aGk="}},
        {"inlineData": {"mimeType": "image/png", "data": "-_8="}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.example/a"}},
        {"fileData": {"fileUri": "https://x.example/b.jpg"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/c"}},
    ]
    assert read(contents=[{"parts": parts}]).messages[0].parts == [
        Audio("aGk=", "mp3"),
        Document(text="hi"),
        Image(data="+/8=", media_type="image/png"),
        Document(url="https://x.example/a"),
        Image(url="https://x.example/b.jpg"),
        Image(file_id="gs://bucket/c"),
    ]


def test_thoughts_of_other_makers_come_back_as_they_were() -> None:
    foreign = signature_of("c2ln", "", "id", "anthropic").replace("-", "+").replace("_", "/")
    parts = [
        {"text": "hm", "thought": True, "thoughtSignature": foreign},
        {"text": "so", "thoughtSignature": "Z29vZ2xl"},
    ]
    chat = read(contents=[*_HELLO, {"role": "model", "parts": parts}])
    assert chat.messages[1].parts == [
        Thinking("hm", "c2ln", "", "id", "anthropic"),
        Text("so"),
        Thinking("", "Z29vZ2xl", maker="gemini"),
    ]


def test_the_pieces_of_a_stream_are_put_together() -> None:
    parts = [
        {"text": "h", "thought": True},
        {"text": "m", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": signature_of("c2ln", "", "", "anthropic")},
        {"text": "Hel"},
        {"text": "lo"},
        {"text": "", "thoughtSignature": "Z29vZ2xl"},
    ]
    chat = read(contents=[*_HELLO, {"role": "model", "parts": parts}])
    assert chat.messages[1].parts == [
        Thinking("hm", "c2ln", maker="anthropic"),
        Text("Hello"),
        Thinking("", "Z29vZ2xl", maker="gemini"),
    ]


@pytest.mark.parametrize(
    ("calling", "expected", "strict"),
    [
        ({"mode": "ANY"}, ToolChoice("required"), None),
        ({"mode": "any", "allowedFunctionNames": ["f"]}, ToolChoice("tool", "f"), None),
        ({"mode": "NONE"}, ToolChoice("none"), None),
        ({"mode": "AUTO"}, ToolChoice("auto"), None),
        ({"mode": "VALIDATED"}, ToolChoice("auto"), True),
        ({"mode": "MODE_UNSPECIFIED"}, None, None),
    ],
)
def test_how_functions_are_to_be_called(calling: dict[str, Any], expected: ToolChoice | None, strict: bool) -> None:
    chat = read(tools=[{"functionDeclarations": [{"name": "f"}]}], toolConfig={"functionCallingConfig": calling})
    assert chat.tool_choice == expected
    assert chat.tools[0].strict is strict
    assert not chat.others


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"responseMimeType": "application/json"}, Format("json")),
        ({"responseMimeType": "text/plain"}, None),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
            Format("schema", name="response", schema=msgspec.Raw(b'{"type":"string"}')),
        ),
    ],
)
def test_the_form_of_the_answer(config: dict[str, Any], expected: Format | None) -> None:
    found = read(generationConfig=config).format
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert (found.kind, bytes(found.schema)) == (expected.kind, bytes(expected.schema))


_NOTED: list[tuple[dict[str, Any], list[str]]] = [
    ({"safetySettings": [{"category": "C", "threshold": "BLOCK_NONE"}]}, []),
    ({"safetySettings": [{"category": "C", "threshold": "BLOCK_LOW_AND_ABOVE"}]}, ["safetySettings"]),
    ({"cachedContent": "cachedContents/1"}, ["cachedContent"]),
    ({"cachedContent": None, "labels": {}}, []),
    ({"tools": [{"googleSearch": {}}]}, ["tools[0].googleSearch"]),
    ({"tools": [{"codeExecution": None}]}, []),
    ({"generationConfig": {"speechConfig": {"a": 1}}}, ["generationConfig.speechConfig"]),
    ({"generationConfig": {"responseModalities": ["TEXT"]}}, []),
    ({"generationConfig": {"responseModalities": ["IMAGE"]}}, ["generationConfig.responseModalities"]),
    ({"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}}, []),
    ({"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_MEDIUM"}}, ["generationConfig.mediaResolution"]),
    ({"contents": [{"parts": [{"executableCode": {"code": "1"}}]}]}, ["contents[0].parts[0]"]),
    (
        {"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4", "data": "aGk="}}]}]},
        ["contents[0].parts[0]"],
    ),
    ({"serviceTier": "priority"}, []),
]


@pytest.mark.parametrize(("fields", "expected"), _NOTED)
def test_what_only_gemini_knows_is_noted(fields: dict[str, Any], expected: list[str]) -> None:
    assert list(read(**fields).others) == expected


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"contents": [{"parts": [{"text": 3}]}]}, "contents[0].parts[0].text"),
    ({"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
    ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents[0].parts[0].functionCall.name"),
    ({"contents": [{"parts": [{"functionResponse": {}}]}]}, "contents[0].parts[0].functionResponse.name"),
    ({"contents": [{"parts": [{"inlineData": {"data": "aGk="}}]}]}, "contents[0].parts[0].inlineData"),
    ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents[0].parts[0].fileData.fileUri"),
    ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
    ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "X"}}}, "toolConfig.functionCallingConfig.mode"),
]


@pytest.mark.parametrize(("fields", "field"), _WRONG)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        read(**fields)
    assert raised.value.field == field


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["parts", "text", "role", "inlineData", "functionCall", "functionResponse", "mode", "name"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["contents", "tools", "toolConfig", "generationConfig", "systemInstruction", "safetySettings"]),
    _JSON,
)
def test_no_value_brings_another_error_than_that_it_is_wrong(field: str, value: Any) -> None:
    with suppress(InvalidArgument):
        read(**{field: value})
