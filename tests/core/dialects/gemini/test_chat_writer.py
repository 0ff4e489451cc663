"""Requests for a Gemini provider, in the shapes of https://ai.google.dev/api/generate-content."""

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
from core.dialects.gemini.chat_writer import write_chat
from core.dialects.gemini.contents_writer import UNSIGNED
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.errors import InvalidArgument

_HELLO = Message("user", [Text("Hello")])
_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"n":{"type":"number","minimum":1.0}}}')


def written(chat: Chat, *, drop: bool = False, most_output: int = 4096) -> dict[str, Any]:
    body = write_chat(chat, Losses({}, "google", drop=drop), Manner(most_output=most_output))
    return msgspec.json.decode(body, type=dict[str, Any])


def lost(chat: Chat) -> list[str]:
    losses = Losses({}, "google", drop=True)
    write_chat(chat, losses, Manner())
    return losses.dropped


def a_chat(*messages: Message, model: str = "gemini-2.5-flash", **fields: Any) -> Chat:
    return Chat(model, list(messages) or [_HELLO], **fields)


def test_instructions_stand_apart_wherever_they_came() -> None:
    chat = a_chat(
        Message("system", [Text("Be brief.")]), _HELLO, Message("developer", [Text("Be kind.", CacheMark("1h"))])
    )
    assert written(chat) == {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
    }


def test_a_conversation_with_tools_and_pictures() -> None:
    chat = a_chat(
        Message("user", [Text("What is it?"), Image(data="aGk=", media_type="image/png")]),
        Message("assistant", [Refusal("No."), ToolCall("c1", "look", '{"at":1.0}'), ToolCall("c2", "look")]),
        Message("tool", [ToolResult("c1", [Text("a cat"), Text("two")])]),
        Message("tool", [ToolResult("c2", [Text("dark")], is_error=True)]),
        Message("user", [Image(url="https://x.example/a.jpg?size=2"), Document(url="https://x.example/a", name="A")]),
    )
    assert written(chat)["contents"] == [
        {
            "role": "user",
            "parts": [{"text": "What is it?"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}],
        },
        {
            "role": "model",
            "parts": [
                {"text": "No."},
                {"functionCall": {"id": "c1", "name": "look", "args": {"at": 1.0}}},
                {"functionCall": {"id": "c2", "name": "look", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "look", "response": {"output": "a cat\ntwo"}}},
                {"functionResponse": {"id": "c2", "name": "look", "response": {"error": "dark"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.example/a.jpg?size=2"}},
                {"text": "A"},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.example/a"}},
            ],
        },
    ]


def test_arguments_keep_every_digit() -> None:
    call = ToolCall("c", "f", '{"id":12345678901234567890,"x":1.0}')
    chat = a_chat(_HELLO, Message("assistant", [call]), _HELLO)
    assert b'{"id":12345678901234567890,"x":1.0}' in write_chat(chat, Losses({}, "g", drop=False), Manner())


def test_numbers_and_the_form_of_the_answer() -> None:
    chat = a_chat(
        max_output=99,
        temperature=0.5,
        top_p=0.9,
        top_k=4,
        n=2,
        seed=7,
        stop=["END"],
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        logprobs=True,
        top_logprobs=3,
        service_tier="default",
        format=Format("schema", name="numbers", description="One number", schema=_SCHEMA, strict=True),
    )
    found = written(chat)
    assert found["serviceTier"] == "standard"
    assert found["generationConfig"] == {
        "maxOutputTokens": 99,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 4,
        "candidateCount": 2,
        "seed": 7,
        "stopSequences": ["END"],
        "presencePenalty": 0.1,
        "frequencyPenalty": -0.1,
        "responseLogprobs": True,
        "logprobs": 3,
        "responseMimeType": "application/json",
        "responseJsonSchema": {
            "type": "object",
            "properties": {"n": {"type": "number", "minimum": 1.0}},
            "description": "One number",
        },
    }


@pytest.mark.parametrize(
    ("choice", "strict", "expected"),
    [
        (None, None, None),
        (ToolChoice("auto"), None, {"mode": "AUTO"}),
        (ToolChoice("none"), True, {"mode": "NONE"}),
        (ToolChoice("required"), True, {"mode": "ANY"}),
        (ToolChoice("tool", "f"), None, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice("auto"), True, {"mode": "VALIDATED"}),
    ],
)
def test_functions_and_their_choice(choice: ToolChoice | None, strict: bool | None, expected: Any) -> None:
    found = written(a_chat(tools=[Tool("f", "Does it", _SCHEMA, strict)], tool_choice=choice))
    (declared,) = found["tools"][0]["functionDeclarations"]
    assert declared["name"] == "f"
    assert declared["parametersJsonSchema"]["properties"] == {"n": {"type": "number", "minimum": 1.0}}
    assert found.get("toolConfig", {}).get("functionCallingConfig") == expected


@pytest.mark.parametrize(
    ("model", "wanted", "expected"),
    [
        ("gemini-2.5-flash", Reasoning("low"), {"thinkingBudget": 2000, "includeThoughts": True}),
        ("gemini-2.5-flash", Reasoning("max"), {"thinkingBudget": 9500, "includeThoughts": True}),
        ("gemini-2.5-flash", Reasoning("none"), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning(budget=4096, shown=True), {"thinkingBudget": 4096, "includeThoughts": True}),
        (
            "gemini-3-pro-preview",
            Reasoning("medium", shown=False),
            {"thinkingLevel": "MEDIUM", "includeThoughts": False},
        ),
        ("gemini-flash-latest", Reasoning("xhigh"), {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-3.1-flash", Reasoning(budget=777), {"thinkingBudget": 777, "includeThoughts": True}),
        ("gemini-3-pro", Reasoning(), None),
    ],
)
def test_thinking_in_the_words_of_the_models_generation(model: str, wanted: Reasoning, expected: Any) -> None:
    found = written(a_chat(model=model, reasoning=wanted), most_output=10_000)
    assert found.get("generationConfig", {}).get("thinkingConfig") == expected


def test_thinking_leaves_room_for_the_answer() -> None:
    found = written(a_chat(reasoning=Reasoning("high"), max_output=1000))
    assert found["generationConfig"]["maxOutputTokens"] == 1000
    assert found["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 800


def test_only_the_first_call_of_a_turn_that_goes_on_gets_the_mark_for_calls_of_others() -> None:
    turn = [
        Message("assistant", [ToolCall("a", "f"), ToolCall("b", "f")]),
        Message("tool", [ToolResult("a"), ToolResult("b")]),
    ]
    chat = a_chat(_HELLO, *turn, _HELLO, *turn, model="gemini-3-pro")
    signatures = [
        [part.get("thoughtSignature") for part in content["parts"]]
        for content in written(chat)["contents"]
        if content["role"] == "model"
    ]
    assert signatures == [[None, None], [UNSIGNED, None]]
    chat.model = "gemini-2.5-pro"
    assert UNSIGNED.encode() not in write_chat(chat, Losses({}, "g", drop=False), Manner())


def test_signatures_go_back_and_thoughts_of_other_makers_do_not() -> None:
    said = Message(
        "assistant",
        [
            Thinking("mine", "c2ln", maker="gemini"),
            Thinking("another's", "c2ln", maker="anthropic"),
            Thinking("unsigned"),
            ToolCall("a", "f", signature="Y2FsbA=="),
        ],
    )
    found = written(a_chat(_HELLO, said, Message("tool", [ToolResult("a")]), model="gemini-3-pro"))
    assert found["contents"][1]["parts"] == [
        {"text": "mine", "thought": True, "thoughtSignature": "c2ln"},
        {"thoughtSignature": "Y2FsbA==", "functionCall": {"id": "a", "name": "f", "args": {}}},
    ]


def test_pictures_in_results_where_the_model_takes_them() -> None:
    turn = [
        Message("assistant", [ToolCall("a", "f")]),
        Message("tool", [ToolResult("a", [Image(data="aGk=", media_type="image/png")])]),
    ]
    found = written(a_chat(_HELLO, *turn, model="gemini-3-pro"))
    response = found["contents"][2]["parts"][0]["functionResponse"]
    assert response["response"] == {"output": ""}
    assert response["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]


def test_pictures_come_behind_the_results_where_the_model_does_not_take_them_there() -> None:
    picture = Image(data="aGk=", media_type="image/png")
    found = written(
        a_chat(
            _HELLO,
            Message("assistant", [ToolCall("a", "look"), ToolCall("b", "read")]),
            Message("tool", [ToolResult("a", [picture])]),
            Message("system", [Text("Be brief.")]),
            Message("tool", [ToolResult("b", [Text("so"), Document(url="https://x.example/a.pdf")])]),
            _HELLO,
        )
    )
    assert found["contents"][2:] == [
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "a",
                        "name": "look",
                        "response": {"output": "(what it returned is below)"},
                    }
                },
                {"functionResponse": {"id": "b", "name": "read", "response": {"output": "so"}}},
                {"text": "What look returned:"},
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"text": "What read returned:"},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.example/a.pdf"}},
            ],
        },
        {"role": "user", "parts": [{"text": "Hello"}]},
    ]


def test_pictures_are_all_looked_at_alike() -> None:
    low, high = Image(url="https://x.example/a.png", detail="low"), Image(url="https://x.example/b.png", detail="high")
    found = written(a_chat(Message("user", [low, low])))
    assert found["generationConfig"] == {"mediaResolution": "MEDIA_RESOLUTION_LOW"}
    assert lost(a_chat(Message("user", [low, high]))) == [
        "messages[0].content[0].detail",
        "messages[0].content[1].detail",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"parallel_tool_calls": False}, ["parallel_tool_calls"]),
        ({"parallel_tool_calls": True}, []),
        ({"logit_bias": msgspec.Raw(b'{"1":2}')}, ["logit_bias"]),
        ({"verbosity": "low"}, ["verbosity"]),
        ({"verbosity": "medium"}, []),
        ({"user": "u"}, ["user"]),
        ({"metadata": {"a": "b"}}, ["metadata"]),
        ({"service_tier": "scale"}, ["service_tier"]),
        ({"service_tier": "auto"}, []),
        ({"cache_key": "k"}, []),
        ({"stop": list("abcdef")}, ["stop"]),
        ({"reasoning": Reasoning("none"), "model": "gemini-3-pro"}, ["reasoning"]),
        ({"reasoning": Reasoning(budget=0), "model": "gemini-2.5-pro"}, ["reasoning"]),
    ],
)
def test_what_gemini_can_not_do_is_told(fields: dict[str, Any], expected: list[str]) -> None:
    assert lost(a_chat(**fields)) == expected
    if expected:
        with pytest.raises(InvalidArgument) as raised:
            written(a_chat(**fields))
        assert raised.value.field == expected[0]


def test_names_of_speakers_and_files_of_others_are_told() -> None:
    assert lost(a_chat(Message("user", [Text("a")], name="Ann"))) == ["messages[0].name"]
    assert lost(a_chat(_HELLO, Message("user", [Image(file_id="file-1")]))) == ["messages[1].content[0]"]
    assert lost(a_chat(_HELLO, Message("system", [Image(url="https://x.example/a")]))) == ["messages[1].content[0]"]


def test_googles_own_files_go_by_their_address() -> None:
    found = written(a_chat(Message("user", [Image(file_id="files/abc"), Image(file_id="gs://b/a.png")])))
    assert found["contents"][0]["parts"] == [
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "gs://b/a.png"}},
    ]


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", '"x"', "nonsense"])
def test_a_call_whose_arguments_are_no_object_is_shown_to_the_model_as_it_was(arguments: str) -> None:
    found = written(a_chat(_HELLO, Message("assistant", [ToolCall("a", "f", arguments)]), _HELLO))
    assert found["contents"][1]["parts"][0]["functionCall"]["args"] == {"INVALID_JSON": arguments}


def test_a_result_without_a_call_and_a_chat_without_a_turn_are_refused() -> None:
    with pytest.raises(InvalidArgument) as raised:
        written(a_chat(_HELLO, Message("tool", [ToolResult("nobody")])))
    assert raised.value.field == "messages[1]"
    with pytest.raises(InvalidArgument) as raised:
        written(a_chat(Message("system", [Text("alone")])))
    assert raised.value.field == "messages"
