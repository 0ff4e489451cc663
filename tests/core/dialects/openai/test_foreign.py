"""Thoughts of other makers in a chat that passes to a provider of the same wire."""

import json
from typing import Any

import pytest

from core.dialects.openai.chat import CHAT, read_request
from core.dialects.openai.foreign import without_foreign
from core.dialects.openai.reasoning_details import FORMATS
from core.dialects.request import Request


def asked(*details: dict[str, Any]) -> Request:
    answer = {"role": "assistant", "content": "Hi", "reasoning_details": list(details), "n": 1.0}
    messages = [{"role": "user", "content": "Hello?"}, answer]
    return read_request(CHAT, json.dumps({"model": "m", "messages": messages, "seed": 12345678901234567890}).encode())


def thought(maker: str) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": "I think", "signature": "secret", "format": maker}


@pytest.mark.parametrize("form", FORMATS.values())
def test_other_makers_thoughts_do_not_reach_a_provider(form: str):
    sent = without_foreign(asked(thought(form)), "openai")
    assert b"secret" not in sent.body
    assert b'"reasoning_details"' not in sent.body
    assert b'"n":1.0' in sent.body.replace(b" ", b"")
    assert json.loads(sent.body)["messages"] == json.loads(bytes(sent.fields["messages"]))
    assert json.loads(sent.body)["seed"] == 12345678901234567890


def test_a_vendors_own_stay():
    request = asked(thought("anthropic-claude-v1"), thought("MiniMax-response-v1"), {"type": "reasoning.text"})
    answer = json.loads(without_foreign(request, "minimax").body)["messages"][1]
    assert answer["reasoning_details"] == [thought("MiniMax-response-v1"), {"type": "reasoning.text"}]


def test_who_hands_them_on_gets_them():
    request = asked(thought("anthropic-claude-v1"))
    assert without_foreign(request, "openrouter") is request


@pytest.mark.parametrize("details", ['"x"', "null", "[1]", "[]", "{}"])
def test_what_can_not_be_read_passes(details: str):
    message = {"role": "assistant", "reasoning_details": json.loads(details)}
    request = read_request(CHAT, json.dumps({"model": "m", "messages": [message]}).encode())
    assert without_foreign(request, "openai") is request
