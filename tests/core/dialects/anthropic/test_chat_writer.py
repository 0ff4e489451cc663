"""Requests as a provider of Anthropic's wire gets them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from core.dialects.anthropic.chat_writer import write_chat
from core.dialects.anthropic.sides import NAMES
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
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.errors import InvalidArgument

HI = [Message("user", [Text("Hi")])]
WEATHER = Tool("weather", "Of a city.", msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"object"},"b":{"type":"array"}}}')


def written(chat: Chat, drop: bool = False, vendor: str = "anthropic") -> dict[str, Any]:
    body = write_chat(chat, Losses(NAMES, "claude", drop=drop), Manner(vendor=vendor, most_output=8192))
    return msgspec.json.decode(body)


def asked(model: str = "claude-sonnet-4-5", messages: Sequence[Message] = HI, **fields: Any) -> dict[str, Any]:
    return written(Chat(model, list(messages), **fields))


def lost(model: str = "claude-sonnet-4-5", messages: Sequence[Message] = HI, **fields: Any) -> list[str]:
    """The fields that are lost where the caller allows it; without leave the first is refused."""
    losses = Losses({}, "claude", drop=True)
    write_chat(Chat(model, list(messages), **fields), losses, Manner())
    if losses.dropped:
        with pytest.raises(InvalidArgument):
            write_chat(Chat(model, list(messages), **fields), Losses({}, "claude", drop=False), Manner())
    return losses.dropped


def test_a_conversation_with_tools_in_full() -> None:
    chat = Chat(
        "claude-sonnet-4-5",
        [
            Message("system", [Text("Be brief.", CacheMark("1h"))]),
            Message("developer", [Text("Be kind.")]),
            Message("user", [Text("What is this?"), Image(data="iVBORw0KGgo=", detail="high")]),
            Message("user", [Document(data="JVBERg==", media_type="application/pdf", name="a.pdf", context="old")]),
            Message(
                "assistant",
                [
                    Thinking("own", "sig", maker="anthropic"),
                    Thinking("foreign", "x", maker="gemini"),
                    Thinking("unsigned"),
                    Thinking(redacted="enc", maker="anthropic"),
                    Text("  \n"),
                    Text("Let me see."),
                    ToolCall("call_1", "weather", '{"city": "Rome", "n": 12345678901234567890}'),
                    ToolCall("functions.weather:1", "weather", ""),
                ],
            ),
            Message("user", [Text("Well?")]),
            Message("tool", [ToolResult("call_1", [Text("sunny")])]),
            Message("tool", [ToolResult("functions.weather:1", is_error=True)]),
        ],
        tools=[WEATHER],
        tool_choice=ToolChoice("auto"),
        parallel_tool_calls=False,
        stop=["END"],
        temperature=0.5,
        user="u1",
        stream=True,
    )
    body = written(chat)
    strange = body["messages"][1]["content"][4]["id"]
    assert strange.startswith("functions_weather_1_")
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 8192,
        "stream": True,
        "system": [
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "Be kind."},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                    },
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                        "title": "a.pdf",
                        "context": "old",
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "own", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "enc"},
                    {"type": "text", "text": "Let me see."},
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "weather",
                        "input": {"city": "Rome", "n": 12345678901234567890},
                    },
                    {"type": "tool_use", "id": strange, "name": "weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "sunny"}]},
                    {"type": "tool_result", "tool_use_id": strange, "is_error": True},
                    {"type": "text", "text": "Well?"},
                ],
            },
        ],
        "tools": [
            {
                "name": "weather",
                "description": "Of a city.",
                "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
            }
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "metadata": {"user_id": "u1"},
    }


def test_numbers_in_arguments_keep_their_form() -> None:
    call = Message("assistant", [ToolCall("c", "weather", '{"a":1.0,"b":123456789012345678901234567890}')])
    body = write_chat(
        Chat("claude-sonnet-4-5", [*HI, call], tools=[WEATHER]), Losses({}, "claude", drop=False), Manner()
    )
    assert b'{"a":1.0,"b":123456789012345678901234567890}' in body


def test_arguments_that_are_no_json_are_given_back_as_such() -> None:
    call = Message("assistant", [ToolCall("c", "weather", '{"city": "Ro')])
    body = asked(messages=[*HI, call], tools=[WEATHER])
    assert body["messages"][1]["content"][0]["input"] == {"INVALID_JSON": '{"city": "Ro'}


def test_calls_without_ids_find_their_results() -> None:
    messages = [
        *HI,
        Message("assistant", [ToolCall("", "weather", "{}"), ToolCall("", "weather", "{}")]),
        Message("tool", [ToolResult("", [Text("a")]), ToolResult("", [Text("b")])]),
    ]
    body = asked(messages=messages, tools=[WEATHER])
    calls = [block["id"] for block in body["messages"][1]["content"]]
    assert len(set(calls)) == 2
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == calls


def test_tools_that_were_called_before_are_named_where_none_is_offered_any_more() -> None:
    messages = [
        *HI,
        Message("assistant", [ToolCall("c", "weather", "{}")]),
        Message("tool", [ToolResult("c", [Text("a")])]),
    ]
    body = asked(messages=messages)
    assert body["tools"] == [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}


def test_a_tools_schema_says_that_it_is_an_object() -> None:
    tools = [Tool("a"), Tool("b", parameters=msgspec.Raw(b"{}"))]
    assert [tool["input_schema"]["type"] for tool in asked(tools=tools)["tools"]] == ["object", "object"]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (ToolChoice("auto"), {"type": "auto"}),
        (ToolChoice("none"), {"type": "none"}),
        (ToolChoice("required"), {"type": "any"}),
        (ToolChoice("tool", "weather"), {"type": "tool", "name": "weather"}),
    ],
)
def test_choices_of_tools(choice: ToolChoice, wanted: Any) -> None:
    assert asked(tools=[WEATHER], tool_choice=choice)["tool_choice"] == wanted


def test_instructions_in_between_keep_their_place_where_the_model_allows_it() -> None:
    messages = [
        *HI,
        Message("developer", [Text("Be brief.")]),
        Message("user", [Text("Now?")]),
        Message("assistant", [Text("Yes.")]),
        Message("system", [Text("Be kind.")]),
        *HI,
    ]
    new = asked("claude-opus-5-5", messages)
    assert [message["role"] for message in new["messages"]] == ["user", "system", "assistant", "user"]
    assert new["system"] == [{"type": "text", "text": "Be kind."}]
    for old in (asked("claude-opus-4-7", messages), written(Chat("claude-opus-5-5", messages), vendor="other")):
        assert [block["text"] for block in old["system"]] == ["Be brief.", "Be kind."]


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "effort"),
    [
        ("claude-opus-4-7", Reasoning(effort="xhigh"), {"type": "adaptive"}, "xhigh"),
        ("claude-opus-4-7", Reasoning(effort="minimal"), {"type": "adaptive"}, "low"),
        ("claude-opus-4-6", Reasoning(effort="xhigh"), {"type": "adaptive"}, "high"),
        ("claude-opus-4-7", Reasoning(budget=3000), {"type": "adaptive"}, "low"),
        ("claude-opus-4-7", Reasoning(budget=-1, shown=True), {"type": "adaptive", "display": "summarized"}, None),
        ("claude-opus-4-6", Reasoning(budget=3000), {"type": "enabled", "budget_tokens": 3000}, None),
        ("claude-sonnet-4-5", Reasoning(effort="medium"), {"type": "enabled", "budget_tokens": 4096}, None),
        ("claude-sonnet-4-5", Reasoning(budget=10), {"type": "enabled", "budget_tokens": 1024}, None),
        (
            "claude-sonnet-4-5",
            Reasoning(budget=9000, shown=False),
            {"type": "enabled", "budget_tokens": 8191, "display": "omitted"},
            None,
        ),
        ("claude-opus-5", Reasoning(effort="none"), {"type": "disabled"}, None),
        ("claude-sonnet-5-5", Reasoning(budget=0), {"type": "between_tools"}, None),
        ("claude-3-5-haiku-20241022", Reasoning(effort="none"), None, None),
    ],
)
def test_thinking_by_model(model: str, reasoning: Reasoning, thinking: Any, effort: str | None) -> None:
    body = asked(model, reasoning=reasoning)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort


def test_a_model_that_thinks_unasked_is_kept_from_it_where_a_tool_must_be_called() -> None:
    body = asked("claude-opus-5", tools=[WEATHER], tool_choice=ToolChoice("required"))
    assert body["thinking"] == {"type": "disabled"}


def test_a_schema_is_the_models_own_where_it_has_that() -> None:
    asked_for = Format("schema", "answer", "Says a.", SCHEMA, strict=True)
    body = asked("claude-opus-4-7", format=asked_for, reasoning=Reasoning(effort="low"))
    assert body["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"a": {"type": "object", "additionalProperties": False}, "b": {"type": "array"}},
                "additionalProperties": False,
                "description": "Says a.",
            },
        },
    }


def test_older_models_answer_in_json_by_a_tool_that_they_must_call() -> None:
    body = asked("claude-opus-4-1", format=Format("schema", schema=SCHEMA))
    assert [tool["name"] for tool in body["tools"]] == ["llmrouter_answer"]
    assert body["tools"][0]["input_schema"] == msgspec.json.decode(SCHEMA)
    assert body["tool_choice"] == {"type": "tool", "name": "llmrouter_answer"}
    both = asked("claude-opus-4-1", format=Format("json"), tools=[WEATHER])
    assert [tool["name"] for tool in both["tools"]] == ["weather", "llmrouter_answer"]
    assert both["tool_choice"] == {"type": "any"}
    must = asked("claude-opus-4-1", format=Format("json"), tools=[WEATHER], tool_choice=ToolChoice("required"))
    assert [tool["name"] for tool in must["tools"]] == ["weather"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"n": 2}, "n"),
        ({"seed": 0}, "seed"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": msgspec.Raw(b'{"1":2}')}, "logit_bias"),
        ({"verbosity": "low"}, "verbosity"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"stop": ["\n"]}, "stop"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": 0.5, "top_p": 0.5}, "top_p"),
        ({"tool_choice": ToolChoice("required")}, "tool_choice"),
        ({"model": "claude-opus-4-7", "temperature": 0.5}, "temperature"),
        ({"model": "claude-opus-4-7", "top_p": 0.99}, "top_p"),
        ({"model": "claude-opus-4-7", "top_k": 5}, "top_k"),
        ({"reasoning": Reasoning(effort="low"), "temperature": 0.0}, "temperature"),
        ({"reasoning": Reasoning(effort="low"), "max_output": 1000}, "reasoning"),
        ({"model": "claude-3-5-haiku", "reasoning": Reasoning(effort="low")}, "reasoning"),
        ({"model": "claude-opus-5-5", "reasoning": Reasoning(effort="none")}, "reasoning"),
        (
            {"reasoning": Reasoning(effort="low"), "tools": [WEATHER], "tool_choice": ToolChoice("required")},
            "reasoning",
        ),
        (
            {"model": "claude-opus-5-5", "tools": [WEATHER], "tool_choice": ToolChoice("required")},
            "tool_choice",
        ),
        ({"model": "claude-opus-4-1", "tools": [Tool("a", strict=True)]}, "tools[0].strict"),
        ({"model": "claude-opus-4-1", "format": Format("schema", schema=SCHEMA, strict=True)}, "format.strict"),
        ({"model": "claude-opus-5-5", "format": Format("json")}, "format"),
        ({"messages": [Message("user", [Text("Hi")], name="Bob")]}, "messages[0].name"),
        ({"messages": [Message("user", [Text("Hi"), Audio("AA==", "wav")])]}, "messages[0].content[1]"),
        (
            {"messages": [Message("user", [Text("Hi"), Image(url="https://a.example/i.png", detail="low")])]},
            "messages[0].content[1].detail",
        ),
        (
            {"messages": [Message("user", [Text("Hi"), Document(data="AA==", media_type="application/zip")])]},
            "messages[0].content[1]",
        ),
    ],
)
def test_what_can_not_be_said_is_lost_by_its_name(fields: dict[str, Any], name: str) -> None:
    assert lost(**fields) == [name]


def test_what_means_nothing_is_no_loss() -> None:
    body = asked(
        n=1,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        logprobs=False,
        top_logprobs=0,
        logit_bias=msgspec.Raw(b"{}"),
        verbosity="medium",
        service_tier="auto",
        cache_key="k",
        format=Format("text"),
        parallel_tool_calls=True,
        tool_choice=ToolChoice("none"),
        temperature=1.0,
        top_p=1.0,
    )
    assert set(body) == {"model", "max_tokens", "messages", "top_p"}
    assert set(asked("claude-opus-4-7", temperature=1.0, top_p=1.0)) == {"model", "max_tokens", "messages"}


def test_a_plain_file_is_a_text_and_a_refusal_too() -> None:
    body = asked(
        messages=[
            Message("user", [Document(data="SGVsbG8=", media_type="text/markdown", name="a.md")]),
            Message("assistant", [Refusal("No.")]),
            *HI,
        ]
    )
    assert body["messages"][0]["content"][0]["source"] == {
        "type": "text",
        "media_type": "text/plain",
        "data": "Hello",
    }
    assert body["messages"][1]["content"] == [{"type": "text", "text": "No."}]


def test_instructions_alone_are_no_conversation() -> None:
    with pytest.raises(InvalidArgument, match="messages"):
        asked(messages=[Message("system", [Text("Be brief.")])])


def test_the_routers_own_tool_has_its_name_for_itself() -> None:
    with pytest.raises(InvalidArgument, match="llmrouter_answer"):
        asked(tools=[Tool("llmrouter_answer")])
