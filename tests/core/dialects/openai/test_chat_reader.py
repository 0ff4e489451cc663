"""Callers' chat completions, in the shapes of OpenAI's and OpenRouter's documents, put into the form between wires."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import (
    Audio,
    CacheMark,
    Chat,
    Document,
    Format,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from core.dialects.openai.body import Body
from core.dialects.openai.chat_reader import FunctionsChat
from core.errors import InvalidArgument
from tests.core.dialects.openai.said import read, user

WEATHER = {"name": "weather", "description": "of a city", "parameters": {"type": "object"}, "strict": True}


def said(message: dict[str, Any]) -> Message:
    """A message, read."""
    return read({"model": "m", "messages": [message]}).messages[0]


def part(content: dict[str, Any]) -> Any:
    """A part of what a user says, read."""
    return read(user(content)).messages[0].parts[0]


def test_a_whole_request_is_read():
    chat = read(
        {
            "model": "gpt-5",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": "Hello?", "name": "ann"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [{"type": "function", "function": WEATHER}],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "parallel_tool_calls": False,
            "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"x": 1.0}}},
            "max_completion_tokens": 100.0,
            "temperature": 1,
            "top_p": 0.5,
            "stop": "end",
            "seed": 7,
            "n": 2,
            "presence_penalty": 0.5,
            "frequency_penalty": -0.5,
            "logit_bias": {"50256": -100},
            "logprobs": True,
            "top_logprobs": 3,
            "verbosity": "low",
            "safety_identifier": "user-1",
            "prompt_cache_key": "key",
            "metadata": {"a": "b"},
            "service_tier": "flex",
        }
    )
    assert chat == Chat(
        model="gpt-5",
        messages=[Message("developer", [Text("Be brief.")]), Message("user", [Text("Hello?")], name="ann")],
        stream=True,
        include_usage=True,
        tools=[Tool("weather", "of a city", msgspec.Raw(b'{"type": "object"}'), strict=True)],
        tool_choice=ToolChoice("tool", "weather"),
        parallel_tool_calls=False,
        reasoning=Reasoning(effort="low"),
        format=Format("schema", "a", "", msgspec.Raw(b'{"x": 1.0}')),
        max_output=100,
        temperature=1.0,
        top_p=0.5,
        stop=["end"],
        seed=7,
        n=2,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        logit_bias=msgspec.Raw(b'{"50256": -100}'),
        logprobs=True,
        top_logprobs=3,
        verbosity="low",
        user="user-1",
        cache_key="key",
        metadata={"a": "b"},
        service_tier="flex",
        hints=("parallel_tool_calls",),
        named={"user": "safety_identifier"},
    )


def test_what_is_said_to_be_the_default_says_nothing():
    nothing = {
        **dict.fromkeys([name for name in Body.__struct_fields__ if name != "messages"]),
        "n": 1,
        "store": False,
        "modalities": ["text"],
        "presence_penalty": 0,
        "frequency_penalty": 0.0,
        "logprobs": False,
        "logit_bias": {},
        "service_tier": "auto",
        "response_format": {"type": "text"},
        "stop": [],
        "tools": [],
        "metadata": {},
        "prediction": None,
        "usage": {"include": True},
    }
    assert read(user({"type": "text", "text": "hi"}, **nothing)) == read(user({"type": "text", "text": "hi"}))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"store": True}, "store"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"prediction": {"type": "content", "content": "a"}}, "prediction"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"user": "a", "safety_identifier": "b"}, "user"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"reasoning": {"effort": "low", "mode": "deep"}}, "reasoning.mode"),
        ({"thinking": {"type": "enabled", "keep": "all"}}, "thinking.keep"),
        ({"tools": [{"type": "function", "function": {"name": "f", "extra": 1}}]}, "tools[0].function.extra"),
        ({"tools": [{"type": "function", "function": {"name": "f"}, "extra": 1}]}, "tools[0].extra"),
        ({"functions": [{"name": "f", "extra": 1}]}, "functions[0].extra"),
        ({"tools": [{"type": "custom", "custom": {"name": "a"}}]}, "tools[0]"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "a"}}}, "tool_choice"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"min_p": 0.1}, "min_p"),
    ],
)
def test_what_the_form_has_no_word_for_is_named(fields: dict[str, Any], name: str):
    assert list(read(user({"type": "text", "text": "hi"}, **fields)).others) == [name]


def test_unknown_parts_and_calls_are_named_by_their_place():
    chat = read(
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "video_url", "video_url": {}}]},
                {
                    "role": "assistant",
                    "audio": {"id": "audio_1"},
                    "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "x", "input": "y"}}],
                },
            ],
        }
    )
    assert list(chat.others) == ["messages[0].content[1]", "messages[1].audio", "messages[1].tool_calls[0]"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"text": "a"}, Text("a")),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text("a", CacheMark("1h")),
        ),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, Text("a", CacheMark())),
        ({"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text("a", CacheMark())),
        ({"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
         Image(url="https://a.example/b.png", detail="low")),
        ({"type": "image_url", "image_url": "https://a.example/b.png"}, Image(url="https://a.example/b.png")),
        ({"type": "image_url", "image_url": {"url": "data:image/PNG;base64,QUJD"}},
         Image(data="QUJD", media_type="image/png")),
        ({"type": "image_url", "image_url": {"url": "data:image/svg+xml;charset=utf-8,%3Csvg/%3E"}},
         Image(data="PHN2Zy8+", media_type="image/svg+xml")),
        ({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}, Audio("QUJD", "wav")),
        ({"type": "file", "file": {"file_id": "file-1"}}, Document(file_id="file-1")),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
         Document(data="QUJD", media_type="application/pdf", name="a.pdf")),
        ({"type": "file", "file": {"file_data": "QUJD", "filename": "a.txt"}},
         Document(data="QUJD", media_type="text/plain", name="a.txt")),
        ({"type": "file", "file": {"file_data": "https://a.example/b.pdf"}}, Document(url="https://a.example/b.pdf")),
    ],
)  # fmt: skip
def test_parts_are_read(content: dict[str, Any], found: Any):
    assert part(content) == found


def test_a_turn_of_tools_is_one_message():
    chat = read(
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": "?"},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {"id": "c1", "type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}},
                        {"id": "c2", "type": "function", "function": {"name": "b", "arguments": ""}},
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "one"},
                {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
                {"role": "user", "content": "and?"},
            ],
        }
    )
    assert chat.messages[1:] == [
        Message("assistant", [ToolCall("c1", "a", '{"x": 1}'), ToolCall("c2", "b", "")]),
        Message("tool", [ToolResult("c1", [Text("one")], name="a"), ToolResult("c2", [Text("two")], name="b")]),
        Message("user", [Text("and?")]),
    ]


def test_functions_of_before_tools_are_tools_with_ids_of_our_own():
    chat = read(
        {
            "model": "m",
            "functions": [{"name": "a", "parameters": {}}],
            "function_call": {"name": "a"},
            "messages": [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": None, "function_call": {"name": "a", "arguments": "{}"}},
                {"role": "function", "name": "a", "content": "one"},
            ],
        }
    )
    assert isinstance(chat, FunctionsChat)
    assert chat.tools == [Tool("a", parameters=msgspec.Raw(b"{}"))]
    assert chat.tool_choice == ToolChoice("tool", "a")
    assert chat.messages[1:] == [
        Message("assistant", [ToolCall("call_1", "a", "{}")]),
        Message("tool", [ToolResult("call_1", [Text("one")], name="a")]),
    ]


def test_thoughts_come_back_with_their_proof():
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "xx", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
        {"type": "reasoning.summary", "summary": "in short", "format": "openai-responses-v1"},
        {"type": "reasoning.encrypted", "data": "call's", "id": "c1", "format": "google-gemini-v1"},
    ]
    calls = [{"id": "c1", "type": "function", "function": {"name": "a", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "so", "reasoning": "hm", "reasoning_details": details}
    assert said({**message, "tool_calls": calls}).parts == [
        Thinking("hm", "sig", maker="anthropic"),
        Thinking(redacted="xx", id="rs_1", maker="openai"),
        Thinking("in short"),
        Text("so"),
        ToolCall("c1", "a", "{}", "call's"),
    ]


def test_plain_thoughts_and_refusals_are_parts_of_what_was_said():
    assert said({"role": "assistant", "content": None, "reasoning_content": "hm", "refusal": "no"}).parts == [
        Thinking("hm"),
        Refusal("no"),
    ]
    assert said({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}).parts == [Refusal("no")]


def test_googles_signature_of_a_call_is_read():
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "a", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "sig"}},
    }
    assert said({"role": "assistant", "tool_calls": [call]}).parts == [ToolCall("c", "a", "{}", "sig")]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"reasoning_effort": "none"}, Reasoning(effort="none")),
        ({"reasoning": {"effort": "high", "exclude": True}}, Reasoning(effort="high", shown=False)),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(budget=2000)),
        ({"reasoning": {"max_tokens": 2000}, "reasoning_effort": "low"}, Reasoning(budget=2000)),
        ({"reasoning": {"enabled": True}}, Reasoning(effort="medium")),
        ({"reasoning": {"enabled": False}}, Reasoning(effort="none")),
        ({"reasoning": {"exclude": False}}, Reasoning(shown=True)),
        ({"include_reasoning": False}, Reasoning(shown=False)),
        ({"reasoning": {}}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 3000}}, Reasoning(budget=3000)),
        ({"thinking": {"type": "enabled"}}, Reasoning(budget=-1)),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking_budget": 100}, Reasoning(budget=100)),
    ],
)
def test_how_much_to_think_is_read_from_all_its_places(fields: dict[str, Any], found: Reasoning | None):
    assert read(user({"type": "text", "text": "hi"}, **fields)).reasoning == found


@pytest.mark.parametrize(
    ("choice", "found"),
    [("auto", "auto"), ("none", "none"), ("required", "required"), ("any", "required")],
)
def test_the_choice_of_tools_is_read(choice: str, found: Any):
    assert read(user({"type": "text", "text": "hi"}, tool_choice=choice)).tool_choice == ToolChoice(found)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"content": "a"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        (user({"type": "image_url", "image_url": {"url": "data:nothing"}}), "messages[0].content[0].image_url.url"),
        (user({"type": "file", "file": {}}), "messages[0].content[0].file"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": [{"type": "refusal", "refusal": "a"}]}]},
            "messages[0].content[0]",
        ),
        ({"messages": [{"role": "assistant", "reasoning_details": [1]}]}, "messages[0].reasoning_details"),
        (user(max_tokens=1.5), "max_tokens"),
        (user(max_tokens="1"), "max_tokens"),
        (user(reasoning_effort="very"), "reasoning_effort"),
        (user(reasoning={"effort": "low", "max_tokens": 1}), "reasoning"),
        (user(tool_choice="weather"), "tool_choice"),
        (user(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (user(metadata={"a": 1}), "metadata"),
    ],
)
def test_what_the_wire_does_not_allow_is_refused_with_its_field(body: dict[str, Any], field: str):
    with pytest.raises(InvalidArgument) as refused:
        read({"model": "m", **body})
    assert refused.value.field == field
    assert field in str(refused.value)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "text", "role", "content", "function", "name", "url", "image_url", "file", "id"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Body.__struct_fields__, "store", "modalities"]), VALUES, max_size=4), VALUES)
def test_whatever_comes_is_read_or_refused(fields: dict[str, Any], message: Any):
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}, message], **fields}
    with suppress(InvalidArgument):
        read(json.dumps(body).encode())
