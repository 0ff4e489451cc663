"""Claude Code's requests, as it sends them: they must mean something to any provider, without special headers."""

from typing import Any

import msgspec
import pytest

from core.dialects.anthropic.chat_reader import read_chat
from core.dialects.anthropic.messages import COUNT_TOKENS, MESSAGES, read_request
from core.dialects.anthropic.prompt_count import write_count
from core.dialects.canonical import (
    CacheMark,
    Message,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from core.dialects.sides import Manner
from core.dialects.table import CALLERS, PROVIDERS
from core.dialects.translation import Translation

_BASH = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}},
    "required": ["command"],
    "additionalProperties": False,
    "$schema": "http://json-schema.org/draft-07/schema#",
}
_EPHEMERAL = {"type": "ephemeral"}
_REQUEST: dict[str, Any] = {
    "model": "gpt-5",
    "max_tokens": 32000,
    "stream": True,
    "temperature": 1,
    "metadata": {"user_id": "user_0a1b_account_2c3d_session_4e5f"},
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "diagnostics": {"previous_message_id": None},
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.0.1; cc_entrypoint=cli; cch=0f1e2;"},
        {"type": "text", "text": "You are a coding agent in a terminal.", "cache_control": _EPHEMERAL},
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "tools": [
        {"name": "Bash", "description": "Runs a command.", "input_schema": _BASH},
        {
            "name": "Read",
            "description": "Reads a file.",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
            "eager_input_streaming": True,
            "cache_control": _EPHEMERAL,
        },
        {"name": "mcp__wiki__find", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>Today is Monday.</system-reminder>"},
                {"type": "text", "text": "What is in here?"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I should look.", "signature": "EqQBCkgI"},
                {"type": "redacted_thinking", "data": "llmrouter:call::R2VtaW5p"},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls", "timeout": 1.0}},
                {"type": "tool_use", "id": "toolu_2", "name": "Read", "input": {"path": "a.txt"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.txt", "is_error": False},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "text", "text": "no such file"}],
                    "is_error": True,
                    "cache_control": _EPHEMERAL,
                },
                {"type": "text", "text": "<system-reminder>A file changed.</system-reminder>"},
            ],
        },
    ],
}


def test_a_turn_of_claude_code_is_read_in_full_and_nothing_of_it_has_to_be_refused() -> None:
    chat = read_chat(read_request(MESSAGES, msgspec.json.encode(_REQUEST)))
    assert chat.others == {}
    assert (chat.model, chat.stream, chat.max_output, chat.temperature) == ("gpt-5", True, 32000, 1.0)
    assert chat.reasoning == Reasoning(effort="high")
    assert chat.user == "user_0a1b_account_2c3d_session_4e5f"
    assert chat.messages == [
        Message(
            "system",
            [Text("You are a coding agent in a terminal.", CacheMark()), Text("Be brief.", CacheMark("1h"))],
        ),
        Message("user", [Text("<system-reminder>Today is Monday.</system-reminder>"), Text("What is in here?")]),
        Message(
            "assistant",
            [
                Thinking("I should look.", "EqQBCkgI", maker="anthropic"),
                Text("Let me look."),
                ToolCall("toolu_1", "Bash", '{"command":"ls","timeout":1.0}', "R2VtaW5p"),
                ToolCall("toolu_2", "Read", '{"path":"a.txt"}'),
            ],
        ),
        Message(
            "tool",
            [
                ToolResult("toolu_1", [Text("a.txt")]),
                ToolResult("toolu_2", [Text("no such file")], is_error=True, cache=CacheMark()),
            ],
        ),
        Message("user", [Text("<system-reminder>A file changed.</system-reminder>")]),
    ]
    assert chat.tools == [
        Tool("Bash", "Runs a command.", msgspec.Raw(msgspec.json.encode(_BASH))),
        Tool(
            "Read",
            "Reads a file.",
            msgspec.Raw(b'{"type":"object","properties":{"path":{"type":"string"}}}'),
            cache=CacheMark(),
        ),
        Tool("mcp__wiki__find", "", msgspec.Raw(b'{"type":"object"}')),
    ]


def test_its_question_for_a_title_has_a_form_and_no_thoughts() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    body: dict[str, Any] = {
        **_REQUEST,
        "thinking": {"type": "disabled"},
        "tools": [],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }
    chat = read_chat(read_request(MESSAGES, msgspec.json.encode(body)))
    assert chat.others == {}
    assert chat.reasoning == Reasoning(effort="none")
    assert chat.format is not None
    assert chat.format.kind == "schema"
    assert msgspec.json.decode(chat.format.schema) == schema


def test_its_web_search_is_a_tool_of_anthropics_servers_and_named_as_one() -> None:
    body = {**_REQUEST, "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]}
    chat = read_chat(read_request(MESSAGES, msgspec.json.encode(body)))
    assert list(chat.others) == ["tools[0]"]


def test_tools_that_it_finds_by_searching_are_there_from_the_beginning() -> None:
    tools = [{"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}, *_REQUEST["tools"]]
    found = {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "toolu_9",
                "content": [{"type": "tool_reference", "tool_name": "mcp__wiki__find"}],
            }
        ],
    }
    body = {**_REQUEST, "tools": tools, "messages": [found]}
    chat = read_chat(read_request(MESSAGES, msgspec.json.encode(body)))
    assert chat.others == {}
    assert [tool.name for tool in chat.tools] == ["Bash", "Read", "mcp__wiki__find"]
    assert chat.messages[-1].parts == [ToolResult("toolu_9", [Text("mcp__wiki__find")])]


@pytest.mark.parametrize("operation", PROVIDERS)
@pytest.mark.parametrize("thinking", [{"type": "adaptive"}, {"type": "disabled"}, None])
def test_every_wire_of_a_provider_takes_it(operation: str, thinking: Any) -> None:
    """The text that it sends reaches the provider; what a wire lacks of its hints is told, and not refused."""
    body = {**_REQUEST, "thinking": thinking, "output_config": None}
    for model in ("gpt-5", "gpt-4o", "gemini-2.5-pro", "gemini-3-pro", "claude-opus-4-1", "claude-opus-5-5", "llama3"):
        translation = Translation(
            read_request(MESSAGES, msgspec.json.encode(body)),
            CALLERS[MESSAGES],
            PROVIDERS[operation],
            Manner(vendor="some"),
            provider_name="some",
            model=model,
            request_id="r1",
            created=1,
            drop=False,
            ask_usage=True,
            count_prompt=lambda: 1,
        )
        assert b"A file changed." in translation.body
        assert set(translation.dropped) <= {"thinking", "metadata.user_id"}


@pytest.mark.parametrize("operation", PROVIDERS)
@pytest.mark.parametrize("model", ["gpt-5", "gemini-2.5-pro", "gemini-3-pro", "claude-opus-4-1", "llama3"])
def test_every_wire_of_a_provider_takes_a_picture_that_a_tool_returned(operation: str, model: str) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]}
    asked = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.png"}}
    messages = [
        {"role": "user", "content": "What is on a.png?"},
        {"role": "assistant", "content": [asked]},
        {"role": "user", "content": [result]},
    ]
    translation = Translation(
        read_request(MESSAGES, msgspec.json.encode({**_REQUEST, "output_config": None, "messages": messages})),
        CALLERS[MESSAGES],
        PROVIDERS[operation],
        Manner(vendor="some"),
        provider_name="some",
        model=model,
        request_id="r1",
        created=1,
        drop=False,
        ask_usage=True,
        count_prompt=lambda: 1,
    )
    assert b"iVBORw0KGgo=" in translation.body
    assert set(translation.dropped) <= {"thinking", "metadata.user_id"}


def test_a_long_user_is_told_by_its_hash() -> None:
    body = {**_REQUEST, "metadata": {"user_id": "u" * 65}}
    user = read_chat(read_request(MESSAGES, msgspec.json.encode(body))).user
    assert len(user) == 64
    assert set(user) <= set("0123456789abcdef")


def test_its_prompt_is_counted_here_with_tools_calls_and_results() -> None:
    body = msgspec.json.encode({name: _REQUEST[name] for name in ("model", "system", "tools", "messages")})
    counted = msgspec.json.decode(write_count(read_request(COUNT_TOKENS, body)))
    without = msgspec.json.encode({"model": "gpt-5", "messages": _REQUEST["messages"]})
    assert list(counted) == ["input_tokens"]
    fewer: int = msgspec.json.decode(write_count(read_request(COUNT_TOKENS, without)))["input_tokens"]
    assert 40 < fewer < counted["input_tokens"] < 400
