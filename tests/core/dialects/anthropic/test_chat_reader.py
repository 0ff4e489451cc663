"""Requests of /v1/messages in all their forms, read."""

from typing import Any

import msgspec
import pytest

from core.dialects.anthropic.chat_reader import read_chat
from core.dialects.anthropic.messages import MESSAGES, read_request
from core.dialects.canonical import (
    CacheMark,
    Chat,
    Document,
    Format,
    Image,
    Message,
    Reasoning,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
)
from core.errors import InvalidArgument

_PNG = "iVBORw0KGgo="


def read(**fields: Any) -> Chat:
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return read_chat(read_request(MESSAGES, msgspec.json.encode(body)))


def said(*blocks: dict[str, Any], role: str = "user") -> Chat:
    return read(messages=[{"role": role, "content": list(blocks)}])


def test_instructions_are_a_text_or_blocks() -> None:
    assert read(system="Be brief.").messages[0] == Message("system", [Text("Be brief.")])
    assert read(system=[{"type": "text", "text": "A", "cache_control": {"type": "ephemeral", "ttl": "5m"}}]).messages[
        0
    ] == Message("system", [Text("A", CacheMark("5m"))])


def test_a_message_of_the_systems_keeps_its_place() -> None:
    chat = read(messages=[{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}])
    assert chat.messages == [Message("user", [Text("Hi")]), Message("system", [Text("Be brief.")])]


def test_images_come_from_three_sources() -> None:
    assert said(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://files.example/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}, "cache_control": {"type": "ephemeral"}},
    ).messages == [
        Message(
            "user",
            [
                Image(data=_PNG, media_type="image/png"),
                Image(url="https://files.example/a.png"),
                Image(file_id="file_1", cache=CacheMark()),
            ],
        )
    ]


def test_documents_come_from_five_sources() -> None:
    chat = said(
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": _PNG},
            "title": "Report",
            "context": "of May",
            "citations": {"enabled": False},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Plain."}},
        {"type": "document", "source": {"type": "url", "url": "https://files.example/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Chunk."}]}},
    )
    assert chat.others == {}
    assert chat.messages[0].parts == [
        Document(data=_PNG, media_type="application/pdf", name="Report", context="of May"),
        Document(text="Plain."),
        Document(url="https://files.example/a.pdf"),
        Document(file_id="file_1"),
        Document(text="Chunk."),
    ]


def test_what_only_anthropics_servers_understand_is_named_by_its_place() -> None:
    chat = read(
        messages=[
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "A", "citations": [{"type": "char_location"}]},
                    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
                    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result"}]},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [{"type": "search_result", "source": "s", "title": "t", "content": []}],
                    },
                    {"type": "text", "text": "B"},
                    {"type": "container_upload", "file_id": "f"},
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "C"},
                        "citations": {"enabled": True},
                    },
                ],
            },
        ],
        tools=[
            {"type": "bash_20250124", "name": "bash"},
            {"name": "a", "input_schema": {"type": "object"}, "input_examples": [{}]},
        ],
        container="c",
        mcp_servers=[{"type": "url", "url": "https://mcp.example", "name": "x"}],
        inference_geo="us",
        speed="fast",
        output_config={"task_budget": {"type": "tokens", "total": 9}},
        surprise=None,
    )
    assert set(chat.others) == {
        "messages[0].content[1]",
        "messages[0].content[2]",
        "messages[1].content[0].content[0]",
        "messages[1].content[2]",
        "messages[1].content[3].citations",
        "tools[0]",
        "tools[1].input_examples",
        "container",
        "mcp_servers",
        "inference_geo",
        "speed",
        "output_config.task_budget",
    }
    assert bytes(chat.others["container"]) == b'"c"'
    assert chat.messages[1] == Message("tool", [ToolResult("t1")])


@pytest.mark.parametrize(
    ("thinking", "config", "wanted"),
    [
        ({"type": "enabled", "budget_tokens": 2048.0}, {}, Reasoning(budget=2048)),
        ({"type": "enabled", "budget_tokens": 2048, "display": "omitted"}, {}, Reasoning(budget=2048, shown=False)),
        ({"type": "adaptive"}, {}, Reasoning(budget=-1)),
        ({"type": "adaptive", "display": "summarized"}, {"effort": "max"}, Reasoning(effort="max", shown=True)),
        ({"type": "enabled", "budget_tokens": 2048}, {"effort": "low"}, Reasoning(effort="low")),
        ({"type": "disabled"}, {"effort": "low"}, Reasoning(effort="none")),
        ({"type": "between_tools"}, {}, Reasoning(effort="none")),
        (None, {"effort": "xhigh"}, Reasoning(effort="xhigh")),
        (None, {}, None),
    ],
)
def test_thinking_is_a_budget_or_a_degree(thinking: Any, config: Any, wanted: Reasoning | None) -> None:
    assert read(thinking=thinking, output_config=config).reasoning == wanted


def test_a_choice_of_tools_says_whether_several_may_be_called() -> None:
    auto = read(tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert (auto.tool_choice, auto.parallel_tool_calls) == (ToolChoice("auto"), False)
    assert read(tool_choice={"type": "any"}).tool_choice == ToolChoice("required")
    assert read(tool_choice={"type": "tool", "name": "a"}).tool_choice == ToolChoice("tool", "a")
    assert read(tool_choice={"type": "none"}).parallel_tool_calls is None


def test_the_form_of_the_answer_stands_in_one_of_two_places() -> None:
    asked = {"type": "json_schema", "schema": {"type": "object"}}
    wanted = Format("schema", schema=msgspec.Raw(b'{"type":"object"}'), strict=True)
    assert read(output_format=asked).format == wanted
    assert read(output_config={"format": asked}).format == wanted


def test_the_lone_controls() -> None:
    chat = read(stop_sequences=["x"], temperature=0, top_p=0.5, top_k=5, service_tier="standard_only")
    assert (chat.stop, chat.temperature, chat.top_p, chat.top_k, chat.service_tier) == (["x"], 0.0, 0.5, 5, "default")
    assert read(service_tier="auto", temperature=None, system=None, tools=None).service_tier == ""


def test_thoughts_find_their_maker_again() -> None:
    chat = said(
        {"type": "thinking", "thinking": "a", "signature": "llmrouter:gemini:t1:c2ln"},
        {"type": "thinking", "thinking": "b", "signature": "llmrouter:::"},
        {"type": "redacted_thinking", "data": "llmrouter:openai:rs_1:ZW5j"},
        {"type": "redacted_thinking", "data": "b3du"},
        role="assistant",
    )
    assert chat.messages[0].parts == [
        Thinking("a", "c2ln", id="t1", maker="gemini"),
        Thinking("b"),
        Thinking(redacted="ZW5j", id="rs_1", maker="openai"),
        Thinking(redacted="b3du", maker="anthropic"),
    ]


_MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"content": "x"}]}, "messages[0]"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "%"}}]}]},
        "messages[0].content[0].source.data",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": 5}]}]},
        "messages[0].content[0].content",
    ),
    ({"max_tokens": "many"}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"thinking": {"type": "deep"}}, "thinking.type"),
    ({"output_config": {"effort": "enormous"}}, "output_config.effort"),
    ({"service_tier": "gold"}, "service_tier"),
    ({"stop_sequences": "x"}, "stop_sequences"),
]


@pytest.mark.parametrize(("fields", "field"), _MALFORMED)
def test_what_is_malformed_is_refused_with_its_place(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        read(**fields)
    assert refusal.value.field == field
    assert field in refusal.value.message


def test_a_text_that_is_none_is_refused_wherever_it_stands() -> None:
    for block in (b'{"type":"tool_use","id":"a","name":"b","input":{"c":"\xff"}}', b'{"type":"text","text":"\xff"}'):
        body = b'{"model":"m","messages":[{"role":"assistant","content":[%b]}]}' % block
        with pytest.raises(InvalidArgument, match="UTF-8"):
            read_chat(read_request(MESSAGES, body))


def test_what_only_a_model_says_is_named_inside_of_a_tools_result():
    inner = [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "b", "signature": "c"}]
    result = {"type": "tool_result", "tool_use_id": "t", "content": inner}
    chat = read(messages=[{"role": "user", "content": [result]}])
    assert list(chat.others) == ["messages[0].content[0].content[1]"]


def test_a_budget_beside_a_degree_is_told_and_not_refused():
    chat = read(thinking={"type": "enabled", "budget_tokens": 2000}, output_config={"effort": "low"})
    assert chat.reasoning is not None
    assert chat.reasoning.effort == "low"
    assert list(chat.others) == ["thinking.budget_tokens"]
    assert "thinking.budget_tokens" in chat.hints
