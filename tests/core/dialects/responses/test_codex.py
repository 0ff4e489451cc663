"""Codex's requests: they must mean something to any provider, without special headers."""

import json
from typing import Any

import pytest

from core.dialects.responses.request import RESPONSES, read_request
from core.dialects.sides import Manner
from core.dialects.table import CALLERS, PROVIDERS
from core.dialects.translation import Translation
from core.errors import InvalidArgument
from tests.core.dialects.responses.test_chat_reader import CODEX

_MODELS = (
    *("gpt-5", "gpt-4o", "gemini-2.5-pro", "gemini-3-pro", "claude-3-5-haiku", "claude-sonnet-4-5", "claude-opus-5-5"),
    *("llama3", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"),
)
_HINTS = {"parallel_tool_calls", "text.verbosity", "reasoning", "tools[2].format", "tools[3]", "tools[4]"}


def put(operation: str, body: dict[str, Any], model: str = "m") -> Translation:
    return Translation(
        read_request(RESPONSES, json.dumps(body).encode()),
        CALLERS[RESPONSES],
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


@pytest.mark.parametrize("model", _MODELS)
@pytest.mark.parametrize("operation", PROVIDERS)
def test_every_wire_of_a_provider_takes_it(operation: str, model: str):
    """What a wire lacks of its hints is told, and not refused; its tools and its grammar reach the model."""
    translation = put(operation, {**CODEX, "client_metadata": {"installation": "1"}}, model)
    assert b"and now?" in translation.body
    assert b"apply_patch" in translation.body
    assert b"start: /.+/" in translation.body
    assert {"client_metadata", "tools[2].format", "tools[3]", "tools[4]"} <= set(translation.dropped)
    assert set(translation.dropped) <= {*_HINTS, "client_metadata"}


@pytest.mark.parametrize("operation", PROVIDERS)
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"truncation": "auto"}, "truncation"),
    ],
)
def test_what_the_answer_hangs_on_is_refused(operation: str, fields: dict[str, Any], field: str):
    with pytest.raises(InvalidArgument) as refused:
        put(operation, {**CODEX, **fields})
    assert refused.value.field == field


@pytest.mark.parametrize("operation", PROVIDERS)
def test_what_stands_between_calls_and_results_comes_behind_them(operation: str):
    user = {"type": "message", "role": "user", "content": "by the way"}
    items = [
        {"type": "message", "role": "user", "content": "begin"},
        {"type": "function_call", "call_id": "call_1", "name": "shell", "arguments": "{}"},
        user,
        {"type": "function_call_output", "call_id": "call_1", "output": "README.md"},
    ]
    body = put(operation, {**CODEX, "input": items}).body
    assert body.index(b"begin") < body.index(b"README.md") < body.index(b"by the way")
