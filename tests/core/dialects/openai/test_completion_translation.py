"""Text completions of callers, for providers that only chat."""

import json
from typing import Any

import pytest

from core.dialects.canonical import (
    Answer,
    Began,
    Chat,
    Choice,
    Ended,
    Event,
    Failed,
    Fault,
    Finished,
    Message,
    Refusal,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    Used,
)
from core.dialects.openai.chat import COMPLETION, read_request
from core.dialects.openai.completion_reader import read_chat
from core.dialects.openai.completion_writer import TextWriter, write_answer
from core.dialects.sse import SseFrames
from core.dialects.tokens import Tokens
from core.errors import InvalidArgument


def read(**fields: Any) -> Chat:
    return read_chat(read_request(COMPLETION, json.dumps({"model": "m", **fields}).encode()))


def test_the_prompt_is_what_a_user_says():
    chat = read(prompt="Once", max_tokens=5, temperature=0.5, stop=["\n"], user="u", stream=True)
    assert chat == Chat(
        "m",
        [Message("user", [Text("Once")])],
        stream=True,
        max_output=5,
        temperature=0.5,
        stop=["\n"],
        user="u",
    )
    assert read(prompt=["Once"]).messages == [Message("user", [Text("Once")])]
    assert read(prompt="").messages == [Message("user", [])]


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1, 2]], [], None, 5])
def test_what_is_not_one_text_is_refused(prompt: Any):
    with pytest.raises(InvalidArgument) as refused:
        read(prompt=prompt)
    assert refused.value.field == "prompt"


def test_fields_that_a_chat_can_not_have_are_named_where_they_mean_something():
    assert read(prompt="a", echo=False, suffix="", best_of=1, logprobs=None, n=1).others == {}
    assert read(prompt="a", best_of=2, n=2).others == {}
    chat = read(prompt="a", echo=True, suffix="b", best_of=3, logprobs=0, min_p=0.1)
    assert sorted(chat.others) == ["best_of", "echo", "logprobs", "min_p", "suffix"]


def test_an_answer_is_a_text():
    choices = [
        Choice([Thinking("hm"), Text("yes")], "length"),
        Choice([Refusal("no")], "refusal"),
        Choice([ToolCall("c", "a", "{}")], "tool_calls"),
    ]
    found = json.loads(write_answer(Answer("i", "m", choices, Tokens(input=1, output=2), 17), Chat("m", [])))
    assert {name: found[name] for name in ("id", "object", "created", "model")} == {
        "id": "i",
        "object": "text_completion",
        "created": 17,
        "model": "m",
    }
    assert found["choices"] == [
        {"text": "yes", "index": 0, "logprobs": None, "finish_reason": "length"},
        {"text": "no", "index": 1, "logprobs": None, "finish_reason": "content_filter"},
        {"text": "", "index": 2, "logprobs": None, "finish_reason": "stop"},
    ]
    assert found["usage"]["total_tokens"] == 3


def test_a_stream_is_texts():
    events: list[Event] = [Began("i", "m", 17), ThinkingDelta("hm"), TextDelta("yes", 1), Finished("stop", choice=1)]
    events += [Used(Tokens(input=1, output=2)), Ended()]
    *found, last = SseFrames().feed(TextWriter(Chat("m", [], include_usage=True)).write(events))
    head = {"id": "i", "object": "text_completion", "created": 17, "model": "m"}
    text, end, usage = map(json.loads, found)
    assert text == {
        **head,
        "choices": [{"text": "yes", "index": 1, "logprobs": None, "finish_reason": None}],
        "usage": None,
    }
    assert end["choices"] == [{"text": "", "index": 1, "logprobs": None, "finish_reason": "stop"}]
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 3)
    assert last == b"[DONE]"


def test_a_stream_tells_no_usage_unasked_and_errors_as_they_are():
    writer = TextWriter(Chat("m", []))
    written = writer.write([Began("i", "m", 17), TextDelta("a"), Used(Tokens(input=1))])
    assert b"usage" not in written
    assert json.loads(SseFrames().feed(writer.write([Failed(Fault(500, "broken"))]))[0])["error"]["message"] == "broken"
    assert writer.write([Ended()]) == b"data: [DONE]\n\n"
