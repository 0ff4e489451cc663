"""Ollama's own wire: what is asked in it, what it answers, and its streams of lines."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import (
    Answer,
    Audio,
    Chat,
    Document,
    Event,
    Failed,
    Fault,
    Finished,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from core.dialects.events import MAX_EVENT_BYTES
from core.dialects.losses import Losses
from core.dialects.ollama.answer_reader import read_answer
from core.dialects.ollama.chat_writer import write_chat
from core.dialects.ollama.faults import read_fault
from core.dialects.ollama.frames import LineFrames
from core.dialects.ollama.stream_reader import ChatStreamReader
from core.dialects.sides import Manner, Unreadable
from core.errors import InvalidArgument
from tests.core.dialects.chats import Can, answers, chats, cut_bytes, gathered, streams
from tests.support.ollama_upstream import CALL, MODEL, line, lines

CAN = Can(
    thinking=(),
    many_thoughts=False,
    refusals=False,
    many_texts=False,
    call_signatures=False,
    choices=1,
    finishes=("stop", "length"),
    stop_sequences=False,
    logprobs=False,
    created=False,
    service_tiers=False,
    tokens=frozenset(),
)
HI = Message("user", [Text("Hi")])
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
WEATHER = Tool("weather", "Tells it.", SCHEMA)


def say(role: Role, *parts: Part) -> Message:
    return Message(role, list(parts))


def written(*messages: Message, drop: bool = False, **fields: Any) -> Any:
    chat = Chat(MODEL, list(messages) or [HI], **fields)
    return json.loads(write_chat(chat, Losses({}, "ollama", drop=drop), Manner()))


def lost(*messages: Message, **fields: Any) -> str:
    """What can't be said of a request, which is written without it where the caller allows that."""
    with pytest.raises(InvalidArgument) as refused:
        written(*messages, **fields)
    written(*messages, drop=True, **fields)
    assert refused.value.field is not None
    return refused.value.field


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_is_put_into_texts_images_and_calls():
    asked = written(
        say("developer", Text("Be brief.")),
        say("user", Text("See:"), Image(data="aGk=", media_type="image/png"), Document(text="So it is.", name="a.txt")),
        say("assistant", Thinking("Hm."), Thinking("?", "c2ln", maker="gemini"), ToolCall("c1", "weather", '{"a": 1}')),
        say("tool", ToolResult("c1", [Text("wet")], name="weather"), ToolResult("c2", [Text("no")], is_error=True)),
    )
    call = {"id": "c1", "function": {"index": 0, "name": "weather", "arguments": {"a": 1}}}
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "See:\n\na.txt\n\nSo it is.", "images": ["aGk="]},
        {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [call]},
        {"role": "tool", "content": "wet", "tool_name": "weather", "tool_call_id": "c1"},
        {"role": "tool", "content": "The tool failed:\n\nno", "tool_call_id": "c2"},
    ]


def test_how_words_are_chosen_stands_in_options():
    sampling: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 7}
    penalties: dict[str, Any] = {"presence_penalty": 0.1, "frequency_penalty": 0.2, "stop": ["END"]}
    asked = written(**sampling, **penalties, max_output=9, stream=True, logprobs=True, top_logprobs=3)
    assert asked["options"] == {**sampling, **penalties, "num_predict": 9}
    assert (asked["stream"], asked["logprobs"], asked["top_logprobs"]) == (True, True, 3)
    assert written()["stream"] is False, "its own default is a stream"


@pytest.mark.parametrize(
    ("reasoning", "think"),
    [
        (Reasoning(effort="none"), False),
        (Reasoning(effort="minimal"), "low"),
        (Reasoning(effort="medium"), "medium"),
        (Reasoning(effort="max"), "max"),
        (Reasoning(budget=0), False),
        (Reasoning(budget=-1), True),
        (Reasoning(budget=2000), "low"),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, think: Any):
    assert written(reasoning=reasoning)["think"] == think
    assert "think" not in written(reasoning=Reasoning(shown=True))


def test_forms_and_tools():
    assert written(format=Format("json"))["format"] == "json"
    assert written(format=Format("schema", name="a", schema=SCHEMA))["format"] == json.loads(bytes(SCHEMA))
    assert "format" not in written(format=Format("text"))
    function = {"name": "weather", "description": "Tells it.", "parameters": json.loads(bytes(SCHEMA))}
    assert written(tools=[WEATHER])["tools"] == [{"type": "function", "function": function}]
    assert "tools" not in written(tools=[WEATHER], tool_choice=ToolChoice("none"))
    assert lost(tools=[WEATHER], tool_choice=ToolChoice("required")) == "tool_choice"
    assert lost(tools=[WEATHER], parallel_tool_calls=False) == "parallel_tool_calls"
    assert lost(tools=[Tool("a", strict=True)]) == "tools[0].strict"


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://a.example/a.png"),
        Document(data="aGk=", media_type="application/pdf"),
        Document(url="https://a.example/a.pdf"),
        Audio("aGk=", "wav"),
    ],
)
def test_what_can_not_be_shown_is_lost_by_its_place(part: Part):
    assert lost(say("user", Text("See:"), part)) == "messages[0].content[1]"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("logit_bias", msgspec.Raw(b'{"1":1}')),
        ("verbosity", "low"),
        ("service_tier", "flex"),
        ("metadata", {"a": "b"}),
        ("user", "u"),
    ],
)
def test_what_it_has_no_word_for_is_lost(name: str, value: Any):
    assert lost(**{name: value}) == name


@given(chats())
def test_whatever_is_asked_is_json_and_nothing_is_left_out_without_leave(chat: Chat):
    losses = Losses({}, "ollama", drop=True)
    body = write_chat(chat, losses, Manner())
    assert all(isinstance(message["content"], str) for message in json.loads(body)["messages"])
    if not losses.dropped:
        assert write_chat(chat, Losses({}, "ollama", drop=False), Manner()) == body
        return
    with pytest.raises(InvalidArgument) as refused:
        write_chat(chat, Losses({}, "ollama", drop=False), Manner())
    assert refused.value.field == losses.dropped[0]


# ── Answers ───────────────────────────────────────────────────────────────────────────────────────


def message_of(answer: Answer) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for part in answer.choices[0].parts:
        match part:
            case Text():
                said["content"] = part.text
            case Thinking():
                said["thinking"] = part.text
            case ToolCall():
                function = {"name": part.name, "arguments": json.loads(part.arguments)}
                said.setdefault("tool_calls", []).append({"id": part.id, "function": function})
            case _:
                pass
    return said


def plain(answer: Answer) -> Answer:
    """With what differs in writing alone, and without what Ollama does not say."""
    answer.id, answer.model, answer.created = "", MODEL, 0
    for part in answer.choices[0].parts:
        if isinstance(part, ToolCall):
            part.arguments = json.dumps(json.loads(part.arguments))
    return answer


@given(answers(CAN))
def test_an_answer_is_read_as_it_was_said(answer: Answer):
    assert answer.tokens is not None
    usage = {"prompt_eval_count": answer.tokens.input, "eval_count": answer.tokens.output}
    done = "length" if answer.choices[0].finish == "length" else "stop"
    body = json.dumps(line(done=done, usage=usage, **message_of(answer))).encode()
    assert plain(read_answer(body)) == plain(answer)


def read(data: bytes, places: list[int] | None = None) -> list[Event]:
    frames, reader = LineFrames(), ChatStreamReader()
    payloads = [payload for piece in cut_bytes(data, places or []) for payload in frames.feed(piece)] + frames.end()
    return [*(event for payload in payloads for event in reader.read(payload)), *reader.end()]


@given(streams(CAN), st.lists(st.integers(0, 2**16), max_size=4))
def test_a_stream_is_read_as_it_was_said_wherever_it_is_torn(events: list[Event], places: list[int]):
    whole = gathered(events)
    assert whole.tokens is not None
    usage = {"prompt_eval_count": whole.tokens.input, "eval_count": whole.tokens.output}
    done = "length" if whole.choices[0].finish == "length" else "stop"
    said = [{name: value} for name, value in message_of(whole).items()]
    data = b"".join(lines(said, done=done, usage=usage))
    assert plain(gathered(read(data, places))) == plain(whole)
    assert read(data.rstrip(b"\n")) == read(data)


def test_it_says_when_and_calls_are_counted_by_us():
    events = read(b"".join(lines([{"tool_calls": [CALL]}, {"tool_calls": [CALL]}])))
    assert gathered(events).created == 1795323600
    assert [call.name for call in gathered(events).choices[0].parts if isinstance(call, ToolCall)] == ["weather"] * 2
    assert Finished("tool_calls") in events


def test_log_probabilities_are_put_as_openai_has_them():
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
    body = line(done="stop", content="Hi") | {"logprobs": [{**token, "top_logprobs": [token]}]}
    found = json.loads(bytes(read_answer(json.dumps(body).encode()).choices[0].logprobs))
    assert found == {"content": [{**token, "top_logprobs": [token]}], "refusal": None}


def test_usage_that_is_not_reported_in_full_is_counted():
    body = line(done="stop", content="Hi", usage={"eval_count": 3})
    assert read_answer(json.dumps(body).encode()).tokens is None


def test_a_stream_that_breaks_off_is_not_finished():
    events = read(b"".join(lines([{"content": "Hel"}])[:-1]))
    assert not any(isinstance(event, Finished) for event in events)


def test_an_error_ends_a_stream():
    assert read(b'{"error": "the runner has stopped"}\n') == [Failed(Fault(500, "the runner has stopped"))]


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"message": 7}', b"\xff", b'{"message":' + b"[" * 99_999])
def test_an_answer_that_is_none_is_unreadable(body: bytes):
    with pytest.raises(Unreadable):
        read_answer(body)


def test_a_line_without_end_is_not_waited_for():
    frames = LineFrames()
    assert frames.feed(b"x" * MAX_EVENT_BYTES) == []
    with pytest.raises(Unreadable):
        frames.feed(b"x")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"error": "model not found"}', Fault(404, "model not found")),
        (b'{"error": {"message": "no", "type": "api_error"}}', Fault(404, "no", kind="api_error")),
        (b"<html>", Fault(404, "the provider answered 404")),
        (b'{"error": [7]}', Fault(404, "the provider answered 404")),
    ],
)
def test_errors_are_told(body: bytes, fault: Fault):
    assert read_fault(404, body) == fault
