"""Requests of the Responses wire as its clients write them."""

import json
from typing import Any

import msgspec
import pytest

from core.dialects.canonical import (
    NO_JSON,
    CacheMark,
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
from core.dialects.request import Request
from core.dialects.responses.asked import Asked
from core.dialects.responses.chat_reader import read_chat
from core.dialects.responses.request import RESPONSES, read_request
from core.dialects.responses.thoughts import OF_CALL, Proof, opened, sealed
from core.errors import InvalidArgument


def request(**fields: Any) -> Request:
    return read_request(RESPONSES, json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def read(**fields: Any) -> Asked:
    found = read_chat(request(**fields))
    assert isinstance(found, Asked)
    return found


SHELL = {"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}}}

# As the Codex command line sends it.
CODEX: dict[str, Any] = {
    "model": "gpt-5-codex",
    "instructions": "You are a coding agent in a terminal.",
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "<permissions>read-only</permissions>"}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "list the files"}]},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "**Listing**"}],
            "content": None,
            "encrypted_content": "gAAAAABo",
        },
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "call_a"},
        {"type": "function_call_output", "call_id": "call_a", "output": '{"output":"README.md\\n"}'},
        {"type": "custom_tool_call", "status": "completed", "call_id": "call_b", "name": "note", "input": "a\nb"},
        {"type": "custom_tool_call_output", "call_id": "call_b", "output": "noted"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "There is a README.md."}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and now?"}]},
    ],
    "tools": [
        {"type": "function", "name": "shell", "description": "Runs it", "strict": False, "parameters": SHELL},
        {"type": "custom", "name": "note", "description": "Notes a text"},
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Edits files",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
        },
        {"type": "local_shell"},
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199-session",
    "text": {"verbosity": "low"},
}


def test_codex_is_read_in_full():
    chat = read(**CODEX)
    assert chat.messages == [
        Message("system", [Text("You are a coding agent in a terminal.")]),
        Message("developer", [Text("<permissions>read-only</permissions>")]),
        Message("user", [Text("list the files")]),
        Message(
            "assistant",
            [
                Thinking("**Listing**", redacted="gAAAAABo", maker="openai"),
                ToolCall("call_a", "shell", '{"command":["ls"]}'),
            ],
        ),
        Message("tool", [ToolResult("call_a", [Text('{"output":"README.md\\n"}')], name="shell")]),
        Message("assistant", [ToolCall("call_b", "note", '{"input":"a\\nb"}')]),
        Message("tool", [ToolResult("call_b", [Text("noted")], name="note")]),
        Message("assistant", [Text("There is a README.md.")]),
        Message("user", [Text("and now?")]),
    ]
    assert [(tool.name, tool.strict) for tool in chat.tools] == [
        ("shell", False),
        ("note", None),
        ("apply_patch", None),
    ]
    assert json.loads(bytes(chat.tools[0].parameters)) == SHELL
    assert chat.custom == {"note", "apply_patch"}
    assert (chat.tool_choice, chat.parallel_tool_calls) == (ToolChoice("auto"), False)
    assert chat.reasoning == Reasoning(effort="medium", shown=True)
    assert (chat.stream, chat.include_usage, chat.store) == (True, True, False)
    assert (chat.cache_key, chat.verbosity) == ("0199-session", "low")
    assert set(chat.others) == {"tools[2].format", "tools[3]", "tools[4]"}


def test_its_model_reads_the_grammar_that_it_is_not_held_to():
    patch = json.loads(bytes(read(**CODEX).tools[2].parameters))
    assert patch["required"] == ["input"]
    assert patch["properties"]["input"]["description"].endswith("by this lark grammar:\nstart: /.+/")
    note = json.loads(bytes(read(**CODEX).tools[1].parameters))
    assert note["properties"] == {"input": {"type": "string"}}


def test_a_codex_session_without_tools_of_openais_loses_nothing():
    assert read(**{**CODEX, "tools": CODEX["tools"][:2]}).others == {}


# As the AI SDK's OpenAI provider sends it.
AI_SDK: dict[str, Any] = {
    "model": "gpt-5-mini",
    "input": [
        {"role": "developer", "content": "You are terse."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is on it?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAECAw==", "detail": "low"},
                {"type": "input_image", "image_url": "https://files.example/a.png"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAEC"},
                {"type": "input_file", "file_url": "https://files.example/b.pdf"},
                {"type": "input_file", "file_id": "file-1"},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "A cat."}], "id": "msg_1"},
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "look",
            "arguments": "{}",
            "id": "fc_1",
        },
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "black"}, {"type": "input_image", "file_id": "file-2"}],
        },
    ],
    "max_output_tokens": 500,
    "temperature": 0.2,
    "top_p": 0.9,
    "text": {
        "format": {"type": "json_schema", "strict": True, "name": "response", "schema": {"type": "object"}},
    },
    "metadata": {"trace": "7"},
    "user": "u1",
    "service_tier": "flex",
    "top_logprobs": 3,
    "include": ["message.output_text.logprobs"],
    "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}],
    "tool_choice": {"type": "function", "name": "look"},
    "previous_response_id": None,
    "truncation": "disabled",
    "stream": False,
}


def test_the_ai_sdk_is_read_in_full():
    chat = read(**AI_SDK)
    assert chat.messages == [
        Message("developer", [Text("You are terse.")]),
        Message(
            "user",
            [
                Text("What is on it?"),
                Image(data="AAECAw==", media_type="image/png", detail="low"),
                Image(url="https://files.example/a.png"),
                Document(data="AAEC", media_type="application/pdf", name="a.pdf"),
                Document(url="https://files.example/b.pdf"),
                Document(file_id="file-1"),
            ],
        ),
        Message("assistant", [Text("A cat."), ToolCall("call_1", "look", "{}")]),
        Message("tool", [ToolResult("call_1", [Text("black"), Image(file_id="file-2")], name="look")]),
    ]
    assert chat.format == Format("schema", "response", "", msgspec.Raw(b'{"type": "object"}'), strict=True)
    assert (chat.max_output, chat.temperature, chat.top_p) == (500, 0.2, 0.9)
    assert (chat.logprobs, chat.top_logprobs) == (True, 3)
    assert (chat.metadata, chat.user, chat.service_tier) == ({"trace": "7"}, "u1", "flex")
    assert chat.tool_choice == ToolChoice("tool", "look")
    assert chat.others == {}


def test_a_text_is_the_users():
    assert read().messages == [Message("user", [Text("Hi")])]
    assert read(instructions=None).messages == [Message("user", [Text("Hi")])]


def test_a_tool_that_may_not_be_called_is_left_out():
    tools = [{"type": "function", "name": name} for name in ("a", "b")]
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]}
    chat = read(tools=tools, tool_choice=allowed)
    assert (chat.tools, chat.tool_choice) == ([Tool("b", parameters=NO_JSON)], ToolChoice("required"))


def test_a_breakpoint_of_the_cache_is_a_mark():
    part = {"type": "input_text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert read(input=[{"role": "user", "content": [part]}]).messages[0].parts == [Text("long", cache=CacheMark())]


def test_what_another_maker_signed_comes_back_to_it():
    thought = Proof("anthropic", "c2ln", "")
    call = Proof("gemini", "Z2Vt", "", OF_CALL)
    chat = read(
        input=[
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "encrypted_content": sealed(thought),
            },
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": sealed(call)},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ]
    )
    assert chat.messages[0].parts == [
        Thinking("Hm.", signature="c2ln", id="rs_1", maker="anthropic"),
        ToolCall("c", "f", "{}", signature="Z2Vt"),
    ]


def test_a_broken_seal_proves_nothing():
    assert opened("llmrouter.%%%") == Proof()
    assert opened("llmrouter.AAAA") == Proof()
    assert opened("gAAAA") == Proof("openai", "", "gAAAA")


def test_refusals_and_thoughts_without_anything_to_prove_are_read():
    chat = read(
        input=[
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]},
            {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        ]
    )
    assert chat.messages == [Message("assistant", [Thinking("Hm."), Refusal("No.")])]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"truncation": "auto"}, {"truncation"}),
        ({"max_tool_calls": 3}, {"max_tool_calls"}),
        ({"prompt": {"id": "pmpt_1"}, "input": None}, {"prompt"}),
        ({"include": ["file_search_call.results"]}, {"include[0]"}),
        ({"tool_choice": {"type": "web_search"}}, {"tool_choice"}),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}, {"role": "user", "content": "?"}]}, {"input[0]"}),
        ({"prompt_cache_retention": "24h"}, {"prompt_cache_retention"}),
        ({"stream_options": {"include_obfuscation": True}}, {"stream_options.include_obfuscation"}),
        ({"reasoning": {"effort": "low", "exclude": True}}, {"reasoning.exclude"}),
        ({"safety_identifier": "a", "user": "b"}, {"user"}),
        ({"stream_options": {"include_obfuscation": False}, "background": False, "max_tool_calls": None}, set[str]()),
    ],
)
def test_what_only_openai_knows_is_named(fields: dict[str, Any], names: set[str]):
    assert set(read(**fields).others) == names


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"id": "x"}]}, "input[0].type"),
        ({"input": [{"type": "message", "content": "?"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 7}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,x"}]}]},
            "input[0].content[0]",
        ),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0]"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"instructions": ["x"]}, "instructions"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"reasoning": {"effort": "some"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"include": "all"}, "include"),
    ],
)
def test_a_malformed_request_is_refused_with_its_field(fields: dict[str, Any], field: str):
    with pytest.raises(InvalidArgument) as refused:
        read(**fields)
    assert str(refused.value.field).startswith(field)


@pytest.mark.parametrize("field", ["background", "conversation"])
def test_what_would_escape_the_accounts_is_refused_by_every_provider(field: str):
    with pytest.raises(InvalidArgument, match="not supported"):
        request(**{field: True if field == "background" else "conv_1"})
