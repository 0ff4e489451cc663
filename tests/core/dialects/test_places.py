"""What can't be said on a provider's wire is named as the caller's body has it, on every wire."""

import json
from typing import Any

import pytest

from core.dialects.anthropic.messages import MESSAGES
from core.dialects.gemini.generate import GENERATE
from core.dialects.openai.chat import CHAT
from core.dialects.responses.request import RESPONSES
from core.dialects.sides import Manner
from core.dialects.table import CALLERS, DIALECTS, PROVIDERS
from core.dialects.translation import Translation

SOUND = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
HELLO = {"role": "user", "content": "Hello?"}


def dropped(operation: str, body: dict[str, Any], provider: str) -> list[str]:
    request = DIALECTS[operation].read_request(operation, json.dumps({"model": "m", **body}).encode())
    translation = Translation(
        request,
        CALLERS[operation],
        PROVIDERS[provider],
        Manner(),
        provider_name="p",
        model="m",
        request_id="req_1",
        created=1,
        drop=True,
        ask_usage=False,
        count_prompt=lambda: 7,
    )
    return list(translation.dropped)


@pytest.mark.parametrize(
    ("operation", "body", "provider", "names"),
    [
        (
            CHAT,
            {
                "messages": [
                    HELLO,
                    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}},
                                                         {"id": "d", "function": {"name": "f"}}]},
                    {"role": "tool", "tool_call_id": "c", "content": "1"},
                    {"role": "tool", "tool_call_id": "d", "content": "2"},
                    {"role": "user", "name": "ann", "content": [{"type": "text", "text": "a"}, SOUND]},
                ]
            },
            MESSAGES,
            ["messages[4].name", "messages[4].content[1]"],
        ),
        (
            RESPONSES,
            {
                "instructions": "Be brief.",
                "input": [HELLO, {"role": "user", "content": [
                    {"type": "input_text", "text": "a"}, {"type": "input_image", "file_id": "file-1"}]}],
            },
            CHAT,
            ["input[1].content[1]"],
        ),
        (
            GENERATE,
            {
                "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]},
                "contents": [{"role": "user", "parts": [{"text": "a"}, {"fileData": {
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a", "mimeType": "image/png"}}]}],
            },
            CHAT,
            ["contents[0].parts[1]"],
        ),
        (
            MESSAGES,
            {
                "max_tokens": 9,
                "system": "a",
                "messages": [HELLO, {"role": "user", "content": [
                    {"type": "text", "text": "a"}, {"type": "image", "source": {"type": "file", "file_id": "f"}}]}],
            },
            CHAT,
            ["messages[1].content[1]"],
        ),
        (CHAT, {"messages": [HELLO], "safety_identifier": "a"}, GENERATE, ["safety_identifier"]),
        (CHAT, {"messages": [HELLO], "user": "a"}, GENERATE, ["user"]),
        (RESPONSES, {"input": "a", "user": "a"}, GENERATE, ["user"]),
        (RESPONSES, {"input": "a", "user": "a", "safety_identifier": "b"}, GENERATE, ["user", "safety_identifier"]),
        (RESPONSES, {"input": "a", "top_logprobs": 2}, MESSAGES, ["top_logprobs"]),
    ],
)  # fmt: skip
def test_losses_are_named_as_the_caller_said_them(
    operation: str, body: dict[str, Any], provider: str, names: list[str]
):
    assert dropped(operation, body, provider) == names
