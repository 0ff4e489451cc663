"""What a chat completion says in fields that nobody here knows, and what clients only send back."""

from typing import Any

import pytest

from core.dialects.canonical import Reasoning
from tests.core.dialects.openai.said import read, user


def conversation(answer: dict[str, Any]) -> dict[str, Any]:
    """A request with an answer in it that is sent back."""
    turns = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hi", **answer}]
    return {"model": "m", "messages": [*turns, {"role": "user", "content": "Well?"}]}


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"prefix": True}, "messages[1].prefix"),
        ({"images": [{"type": "image_url"}]}, "messages[1].images"),
        ({"content": [{"type": "text", "text": "a", "extra": {"a": 1}}]}, "messages[1].content[0].extra"),
        ({"tool_calls": [{"id": "c", "function": {"name": "f"}, "extra": 1}]}, "messages[1].tool_calls[0].extra"),
        (
            {"tool_calls": [{"id": "c", "function": {"name": "f", "extra": 1}}]},
            "messages[1].tool_calls[0].function.extra",
        ),
    ],
)
def test_what_a_message_says_in_unknown_fields_is_named_by_its_path(answer: dict[str, Any], name: str):
    assert list(read(conversation(answer)).others) == [name]


def test_what_only_models_say_is_named_where_somebody_else_says_it():
    body = {"model": "m", "messages": [{"role": "user", "content": "a", "reasoning_text": "b"}]}
    assert list(read(body).others) == ["messages[0].reasoning_text"]


ANSWERED: list[dict[str, Any]] = [
    {"refusal": None, "annotations": [], "audio": None, "function_call": None, "tool_calls": None},
    {"annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}]},
    {"reasoning_content": "I think", "reasoning_details": [{"type": "reasoning.text", "text": "I think", "index": 0}]},
    {"reasoning": "I think", "provider_specific_fields": {"a": 1}, "thinking_blocks": [{"type": "thinking"}]},
    {"parsed": {"a": 1}, "id": "msg_1", "metadata": {"a": "b"}, "cache_control": {"type": "ephemeral"}},
    {"content": [{"type": "text", "text": "a", "annotations": [{"a": 1}], "index": 0, "id": "b"}]},
    {
        "tool_calls": [
            {
                "index": 0,
                "id": "c",
                "type": "function",
                "function": {"name": "f", "arguments": "{}", "parsed_arguments": {"a": 1}},
                "extra_content": {"google": {"thought_signature": "s"}},
            }
        ]
    },
    {"prefix": False, "partial": None, "images": [], "extra": {}, "more": ""},
]


@pytest.mark.parametrize("answer", ANSWERED)
def test_answers_come_back_as_clients_keep_them(answer: dict[str, Any]):
    assert read(conversation(answer)).others == {}


def test_a_part_of_an_unknown_kind_is_named_once():
    body = user({"type": "video_url", "video_url": {"url": "https://a.example"}, "fps": 2})
    assert list(read(body).others) == ["messages[0].content[0]"]


def test_a_summary_is_a_wish_to_see_thoughts():
    chat = read(user({"type": "text", "text": "a"}, reasoning={"effort": "low", "summary": "auto"}))
    assert (chat.reasoning, chat.others) == (Reasoning(effort="low", shown=True), {})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"user": "a"}, {}),
        ({"safety_identifier": "a"}, {"user": "safety_identifier"}),
        ({"max_tokens": 5}, {"max_output": "max_tokens"}),
        ({"max_completion_tokens": 5}, {}),
        ({"reasoning_effort": "low"}, {}),
        ({"reasoning": {"effort": "low"}}, {"reasoning": "reasoning"}),
        ({"thinking": {"type": "disabled"}}, {"reasoning": "thinking"}),
        ({"thinking_budget": 100}, {"reasoning": "thinking_budget"}),
        ({"include_reasoning": True}, {"reasoning": "include_reasoning"}),
        (
            {"functions": [{"name": "f"}], "function_call": "auto"},
            {"tools": "functions", "tool_choice": "function_call"},
        ),
    ],
)  # fmt: skip
def test_a_wish_that_has_several_names_goes_by_the_callers(fields: dict[str, Any], named: dict[str, str]):
    assert read(user({"type": "text", "text": "a"}, **fields)).named == named
