"""Chats put for providers of the OpenAI wire: what all of them take, and what some do."""

import json
from typing import Any

import msgspec
import pytest

from core.dialects.canonical import (
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
from core.dialects.openai.chat_writer import write_chat
from core.dialects.sides import Manner
from core.errors import InvalidArgument

OPENAI = Manner(vendor="openai", output_field="max_completion_tokens")
OTHER = Manner(vendor="mistral")
HI = Message("user", [Text("hi")])


def written(chat: Chat, manner: Manner = OTHER, *, drop: bool = False) -> dict[str, Any]:
    return json.loads(write_chat(chat, Losses({}, "p", drop=drop), manner))


def messages(*found: Message, manner: Manner = OTHER) -> list[dict[str, Any]]:
    return written(Chat("m", list(found)), manner)["messages"]


def test_a_request_has_what_was_asked_and_nothing_else():
    assert written(Chat("m", [HI])) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_a_whole_request_is_written():
    schema = msgspec.Raw(b'{"type":"object"}')
    chat = Chat(
        "gpt-5",
        [Message("developer", [Text("Be brief.")]), HI],
        stream=True,
        include_usage=True,
        tools=[Tool("weather", "of a city", schema, strict=True, cache=CacheMark())],
        tool_choice=ToolChoice("tool", "weather"),
        parallel_tool_calls=False,
        reasoning=Reasoning(budget=20_000),
        format=Format("schema", schema=schema),
        max_output=100,
        stop=["end"],
        user="u",
        cache_key="key",
    )
    assert written(chat, OPENAI) == {
        "model": "gpt-5",
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 100,
        "stop": ["end"],
        "user": "u",
        "prompt_cache_key": "key",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "of a city",
                    "parameters": {"type": "object"},
                    "strict": True,
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
        "reasoning_effort": "high",
    }


def test_other_vendors_have_other_words():
    chat = Chat("m", [Message("developer", [Text("Be brief.")]), HI], max_output=5, cache_key="key")
    assert written(chat) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "max_tokens": 5,
    }


def test_images_and_files_are_parts():
    assert messages(
        Message(
            "user",
            [
                Image(url="https://a.example/b.png", detail="low"),
                Image(data="QUJD", media_type="image/png"),
                Document(data="QUJD", media_type="application/pdf", name="a.pdf", context="from the archive"),
                Document(text="plain", name="a.txt"),
                Document(file_id="file-1"),
            ],
        )
    ) == [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "text", "text": "from the archive"},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
                {"type": "text", "text": '<document name="a.txt">\nplain\n</document>'},
                {"type": "file", "file": {"file_id": "file-1"}},
            ],
        }
    ]


def test_what_a_tool_brings_beside_texts_follows_in_a_message_of_the_user():
    image = Image(data="QUJD", media_type="image/png")
    found = messages(
        Message("assistant", [ToolCall("c1", "a", "{}"), ToolCall("c2", "b", "")]),
        Message("tool", [ToolResult("c1", [image]), ToolResult("c2", [Text("bad")], is_error=True)]),
    )
    assert found == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "a", "arguments": "{}"}},
                {"id": "c2", "type": "function", "function": {"name": "b", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "(what it returned is in the next message)"},
        {
            "role": "tool",
            "tool_call_id": "c2",
            "content": "The tool failed.\n\nbad",
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What the tool call c1 returned:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
            ],
        },
    ]


def test_what_a_model_said_keeps_its_kinds_apart():
    assert messages(Message("assistant", [Refusal("no")])) == [{"role": "assistant", "content": None, "refusal": "no"}]
    assert messages(Message("assistant", [])) == [{"role": "assistant", "content": ""}]


THOUGHT = Message("assistant", [Thinking("hm", "sig", maker="anthropic"), Thinking("so"), Text("yes")])


@pytest.mark.parametrize(
    ("vendor", "fields"),
    [
        ("openai", {}),
        ("deepseek", {"reasoning_content": "so"}),
        (
            "openrouter",
            {
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "hm",
                        "signature": "sig",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                    },
                    {"type": "reasoning.text", "text": "so", "format": "unknown", "index": 1},
                ]
            },
        ),
    ],
)
def test_thoughts_go_back_to_those_who_take_them(vendor: str, fields: dict[str, Any]):
    assert messages(THOUGHT, manner=Manner(vendor=vendor)) == [{"role": "assistant", "content": "yes", **fields}]


def test_signatures_of_calls_go_back_to_google_alone():
    call = Message("assistant", [ToolCall("c", "a", "{}", "sig")])
    plain = {"id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    assert messages(call)[0]["tool_calls"] == [plain]
    assert messages(call, manner=Manner(vendor="gemini"))[0]["tool_calls"] == [
        {**plain, "extra_content": {"google": {"thought_signature": "sig"}}}
    ]


@pytest.mark.parametrize(
    ("vendor", "model", "asked", "fields"),
    [
        ("openai", "o3", Reasoning(effort="low"), {"reasoning_effort": "low"}),
        ("openai", "o3", Reasoning(budget=2000), {"reasoning_effort": "low"}),
        ("openai", "o3", Reasoning(budget=-1), {}),
        ("openai", "gpt-5", Reasoning(budget=0), {"reasoning_effort": "none"}),
        ("openai", "gpt-4o-mini", Reasoning(budget=0), {}),
        ("openai", "o3", Reasoning(shown=True), {}),
        ("deepseek", "m", Reasoning(effort="none"), {"thinking": {"type": "disabled"}}),
        ("deepseek", "m", Reasoning(effort="high"), {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("deepseek", "m", Reasoning(budget=-1), {"thinking": {"type": "enabled"}}),
        ("openrouter", "m", Reasoning(budget=2000, shown=False), {"reasoning": {"max_tokens": 2000, "exclude": True}}),
        ("openrouter", "m", Reasoning(budget=0), {"reasoning": {"effort": "none"}}),
        ("openrouter", "m", Reasoning(budget=-1), {"reasoning": {"enabled": True}}),
    ],
)
def test_how_much_to_think_is_said_as_the_vendor_knows_it(
    vendor: str, model: str, asked: Reasoning, fields: dict[str, Any]
):
    found = written(Chat(model, [HI], reasoning=asked), Manner(vendor=vendor))
    assert {name: value for name, value in found.items() if name not in ("model", "messages")} == fields


@pytest.mark.parametrize(
    ("chat", "field"),
    [
        (Chat("m", [HI], top_k=5), "top_k"),
        (Chat("m", [Message("user", [Image(file_id="f")])]), "messages[0].content[0]"),
        (Chat("m", [HI, Message("user", [Text("a"), Document(url="https://a.example/b")])]), "messages[1].content[1]"),
    ],
)
def test_what_gets_lost_is_refused_or_left_out_with_leave(chat: Chat, field: str):
    with pytest.raises(InvalidArgument) as refused:
        written(chat)
    assert refused.value.field == field
    losses = Losses({}, "p", drop=True)
    write_chat(chat, losses, OTHER)
    assert losses.dropped == [field]


def test_texts_are_a_list_only_where_that_is_known_to_be_taken():
    two = Message("user", [Text("a"), Text("b", CacheMark())])
    assert messages(two)[0]["content"] == "a\n\nb"
    parts: list[dict[str, Any]] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert messages(two, manner=OPENAI)[0]["content"] == parts
    parts[1]["cache_control"] = {"type": "ephemeral"}
    assert messages(two, manner=Manner(vendor="openrouter"))[0]["content"] == parts


def test_vendors_that_know_top_k_have_it():
    assert written(Chat("m", [HI], top_k=5), Manner(vendor="vllm"))["top_k"] == 5
