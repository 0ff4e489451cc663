"""Requests for Bedrock, model by model."""

import json
from typing import Any

import msgspec
import pytest

from core.dialects.bedrock.chat_writer import write_chat
from core.dialects.bedrock.families import Forms, Thinks, family_of
from core.dialects.canonical import (
    Audio,
    CacheMark,
    Chat,
    Document,
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
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.errors import InvalidArgument

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
OLD_CLAUDE = "anthropic.claude-3-5-sonnet-20241022-v2:0"
NEW_CLAUDE = "global.anthropic.claude-opus-4-7"
NOVA = "eu.amazon.nova-pro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
WEATHER = Tool("weather", "Tells it.", SCHEMA)


def say(role: Role, *parts: Part | str) -> Message:
    return Message(role, [Text(part) if isinstance(part, str) else part for part in parts])


HI = say("user", "Hi")


def written(*messages: Message, model: str = CLAUDE, drop: bool = False, **fields: Any) -> Any:
    chat = Chat(model, list(messages) or [HI], **fields)
    return json.loads(write_chat(chat, Losses({"max_output": "max_tokens"}, "aws", drop=drop), Manner()))


def lost(*messages: Message, **fields: Any) -> str:
    """What can't be said of a request, which is written without it where the caller allows that."""
    with pytest.raises(InvalidArgument) as refused:
        written(*messages, **fields)
    written(*messages, drop=True, **fields)
    assert refused.value.field is not None
    return refused.value.field


def test_instructions_are_hoisted_and_turns_alternate():
    asked = written(
        say("system", "Be brief."),
        HI,
        say("developer", "Be kind."),
        say("user", " ", "there"),
        say("assistant", "Yes?"),
    )
    assert asked["system"] == [{"text": "Be brief."}, {"text": "Be kind."}]
    assert asked["messages"] == [
        {"role": "user", "content": [{"text": "Hi"}, {"text": "there"}]},
        {"role": "assistant", "content": [{"text": "Yes?"}]},
    ]


def test_a_call_and_its_result_stand_in_turns_of_their_own():
    call = ToolCall("toolu_1", "weather", '{"city": "Graz"}')
    result = ToolResult("toolu_1", [Text("wet"), Image(data="aGk=", media_type="image/jpeg")], is_error=True)
    asked = written(HI, say("assistant", call), say("tool", result), say("user", "And?"), tools=[WEATHER])
    assert asked["messages"][1]["content"] == [
        {"toolUse": {"toolUseId": "toolu_1", "name": "weather", "input": {"city": "Graz"}}}
    ]
    image = {"image": {"format": "jpeg", "source": {"bytes": "aGk="}}}
    assert asked["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "wet"}, image], "status": "error"}},
        {"text": "And?"},
    ]
    spec = {"name": "weather", "description": "Tells it.", "inputSchema": {"json": json.loads(bytes(SCHEMA))}}
    assert asked["toolConfig"] == {"tools": [{"toolSpec": spec}]}


def test_ids_that_are_not_allowed_or_missing_still_belong_together():
    long = "call|" + "x" * 100
    calls = [ToolCall(long, "a", "{}"), ToolCall("", "b", "{}"), ToolCall("", "a", "{}")]
    results = [ToolResult("", name="a"), ToolResult(long), ToolResult("", name="b")]
    asked = written(HI, say("assistant", *calls), say("tool", *results), tools=[WEATHER])
    first, second, third = (block["toolUse"]["toolUseId"] for block in asked["messages"][1]["content"])
    found = [block["toolResult"]["toolUseId"] for block in asked["messages"][2]["content"]]
    assert found == [third, first, second]
    assert len({first, second, third}) == 3
    assert len(first) <= 64


def test_arguments_that_are_no_object_are_shown_to_the_model():
    asked = written(HI, say("assistant", ToolCall("1", "weather", '{"city')), tools=[WEATHER])
    assert asked["messages"][1]["content"][0]["toolUse"]["input"] == {"INVALID_JSON": '{"city'}


def test_documents_have_names_that_are_allowed_and_their_own():
    pdf: Any = {"data": "aGk=", "media_type": "application/pdf"}
    parts = [Document(**pdf, name="year_2026.pdf"), Document(**pdf, name="year 2026.pdf"), Document(text="hi")]
    parts += [Document(**pdf, name="year-2026-pdf", context="of ours")]
    found = [block["document"] for block in written(say("user", *parts))["messages"][0]["content"]]
    assert [document["name"] for document in found] == [
        *("year-2026-pdf", "year 2026-pdf", "document", "year-2026-pdf 2")
    ]
    assert found[2] == {"format": "txt", "name": "document", "source": {"bytes": "aGk="}}
    assert found[3]["context"] == "of ours"


def test_media_in_s3_are_named_by_their_place():
    parts = [Image(url="s3://ours/a.jpg"), Document(url="s3://ours/b.pdf"), Audio("aGk=", "WAV")]
    assert written(say("user", *parts))["messages"][0]["content"] == [
        {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://ours/a.jpg"}}}},
        {"document": {"format": "pdf", "name": "document", "source": {"s3Location": {"uri": "s3://ours/b.pdf"}}}},
        {"audio": {"format": "wav", "source": {"bytes": "aGk="}}},
    ]


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://a.example/a.png"),
        Image(data="aGk=", media_type="image/tiff"),
        Image(file_id="file_1"),
        Document(url="https://a.example/a.pdf"),
        Document(data="aGk=", media_type="application/zip"),
        Document(file_id="file_1"),
        Audio("aGk=", "midi"),
    ],
)
def test_what_can_not_be_shown_is_lost_by_its_place(part: Part):
    assert lost(say("user", "See:", part)) == "messages[0].content[1]"


def test_thoughts_go_back_to_who_signed_them_alone():
    thoughts = [
        Thinking("Ours.", "c2ln", maker="bedrock"),
        Thinking("Anthropic's.", "c2ln", maker="anthropic"),
        Thinking(redacted="eHg=", maker="bedrock"),
        Thinking("Gemini's.", "c2ln", maker="gemini"),
        Thinking("Nobody's."),
    ]
    turns = (HI, say("assistant", *thoughts, "So."))
    found = written(*turns)["messages"][1]["content"]
    assert [block.get("reasoningContent", {}).get("reasoningText", {}).get("text") for block in found] == [
        *("Ours.", "Anthropic's.", None, None)
    ]
    assert found[2] == {"reasoningContent": {"redactedContent": "eHg="}}
    assert written(*turns, model=LLAMA)["messages"][1]["content"] == [{"text": "So."}]


def test_marks_of_the_cache_go_to_models_that_know_them():
    mark = CacheMark("1h")
    turns = (say("system", Text("Long.", mark)), say("user", Text("Hi", CacheMark())))
    tool = Tool("weather", parameters=SCHEMA, cache=mark)
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    asked = written(*turns, tools=[tool])
    assert asked["system"] == [{"text": "Long."}, point]
    assert asked["messages"][0]["content"] == [{"text": "Hi"}, {"cachePoint": {"type": "default"}}]
    assert asked["toolConfig"]["tools"][1] == point
    assert point in written(*turns, tools=[tool], model=NOVA)["system"]
    assert point not in written(*turns, tools=[tool], model=NOVA)["toolConfig"]["tools"]
    assert "cachePoint" not in json.dumps(written(*turns, tools=[tool], model=LLAMA))


def test_what_all_models_know_is_in_one_place():
    asked = written(
        max_output=9, temperature=0.5, top_p=0.9, stop=["END"], metadata={"team": "a b"}, service_tier="flex"
    )
    assert asked["inferenceConfig"] == {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}
    assert asked["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert asked["requestMetadata"] == {"team": "a b"}
    assert asked["serviceTier"] == {"type": "flex"}


@pytest.mark.parametrize(
    ("mode", "said"),
    [("auto", {"auto": {}}), ("required", {"any": {}}), ("tool", {"tool": {"name": "weather"}})],
)
def test_a_choice_of_tools(mode: Any, said: Any):
    choice = ToolChoice(mode, "weather" if mode == "tool" else "")
    assert written(tools=[WEATHER], tool_choice=choice)["toolConfig"]["toolChoice"] == said


def test_tools_that_are_forbidden_are_left_out_unless_some_were_called():
    none = ToolChoice("none")
    assert "toolConfig" not in written(tools=[WEATHER], tool_choice=none)
    turns = (HI, say("assistant", ToolCall("1", "weather", "{}")), say("tool", ToolResult("1", [Text("wet")])))
    assert lost(*turns, tools=[WEATHER], tool_choice=none) == "tool_choice"
    (only,) = written(*turns)["toolConfig"]["tools"]
    assert only["toolSpec"]["name"] == "weather"


@pytest.mark.parametrize(
    ("model", "fields", "output"),
    [
        (CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 8000}}, None),
        (NEW_CLAUDE, {"thinking": {"type": "adaptive"}}, {"effort": "high"}),
        ("anthropic.claude-opus-4-6-v1", {"thinking": {"type": "adaptive"}}, {"effort": "high"}),
        (NOVA_2, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}, None),
        (GPT_OSS, {"reasoning_effort": "high"}, None),
        ("arn:aws:bedrock:eu-central-1:1:application-inference-profile/x", None, {"effort": "high"}),
    ],
)
def test_a_degree_of_thinking_in_the_words_of_each_model(model: str, fields: Any, output: Any):
    asked = written(model=model, reasoning=Reasoning(effort="high"), max_output=10_000)
    assert asked.get("additionalModelRequestFields") == fields
    assert asked.get("outputConfig") == output


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 4000, "display": "omitted"}}),
        (
            "anthropic.claude-opus-4-6-v1",
            {"thinking": {"type": "enabled", "budget_tokens": 4000, "display": "omitted"}},
        ),
        (NEW_CLAUDE, {"thinking": {"type": "adaptive", "display": "omitted"}}),
    ],
)
def test_a_budget_of_thinking_in_the_words_of_each_model(model: str, fields: Any):
    asked = written(model=model, reasoning=Reasoning(budget=4000, shown=False), max_output=10_000)
    assert asked["additionalModelRequestFields"] == fields


def test_no_thinking_is_said_only_where_it_must_be():
    none = Reasoning(effort="none")
    assert "additionalModelRequestFields" not in written(reasoning=none)
    assert "additionalModelRequestFields" not in written(reasoning=none, model=LLAMA)
    assert written(reasoning=none, model=NEW_CLAUDE)["additionalModelRequestFields"] == {
        "thinking": {"type": "disabled"}
    }
    assert lost(reasoning=none, model=GPT_OSS) == "reasoning"


def test_a_budget_fits_the_output_or_is_lost():
    asked = written(reasoning=Reasoning(budget=9000), max_output=4000)
    assert asked["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 3999
    assert lost(reasoning=Reasoning(effort="low"), max_output=1000) == "reasoning"
    assert lost(reasoning=Reasoning(effort="low"), model=LLAMA) == "reasoning"


def test_sampling_is_lost_while_claude_thinks_and_on_its_new_models():
    thinking = Reasoning(effort="high")
    for name, value in (("temperature", 0.2), ("top_p", 0.5), ("top_k", 5)):
        assert lost(reasoning=thinking, max_output=9000, **{name: value}) == name
        assert lost(model=NEW_CLAUDE, **{name: value}) == name
    written(reasoning=thinking, max_output=9000, temperature=1.0, top_p=0.99)


@pytest.mark.parametrize(
    ("model", "fields"),
    [(CLAUDE, {"top_k": 5}), (NOVA, {"inferenceConfig": {"topK": 5}}), ("cohere.command-r-v1:0", {"k": 5})],
)
def test_top_k_stands_where_the_model_looks_for_it(model: str, fields: Any):
    assert written(model=model, top_k=5)["additionalModelRequestFields"] == fields


def test_a_form_is_held_by_the_model_or_by_a_tool():
    form = Format("schema", name="city", description="A city.", schema=SCHEMA)
    said = written(format=form)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (said["name"], said["description"]) == ("city", "A city.")
    assert json.loads(said["schema"])["additionalProperties"] is False
    config = written(format=form, model=OLD_CLAUDE)["toolConfig"]
    assert config["toolChoice"] == {"tool": {"name": "llmrouter_answer"}}
    assert config["tools"][0]["toolSpec"]["inputSchema"]["json"] == json.loads(bytes(SCHEMA))
    assert written(format=form, model=NOVA, tools=[WEATHER])["toolConfig"]["toolChoice"] == {"any": {}}
    assert lost(format=form, model=LLAMA) == "format"


def test_any_json_is_asked_of_models_that_can_be_made_to():
    assert written(format=Format("json"))["toolConfig"]["toolChoice"] == {"tool": {"name": "llmrouter_answer"}}
    assert lost(format=Format("json"), model=GPT_OSS) == "format"
    assert lost(format=Format("json"), reasoning=Reasoning(effort="high"), max_output=9000) == "format"
    assert "toolConfig" not in written(format=Format("text"))


def test_strictness_is_kept_or_lost():
    strict = Tool("weather", parameters=SCHEMA, strict=True)
    assert written(tools=[strict])["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    assert lost(tools=[strict], model=OLD_CLAUDE) == "tools[0].strict"
    assert "strict" not in json.dumps(written(tools=[Tool("weather", strict=False)], model=OLD_CLAUDE))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 1.5),
        ("n", 2),
        ("seed", 7),
        ("presence_penalty", 0.5),
        ("frequency_penalty", 0.5),
        ("logit_bias", msgspec.Raw(b'{"1":1}')),
        ("logprobs", True),
        ("verbosity", "low"),
        ("user", "u"),
        ("metadata", {"a": "<>"}),
        ("service_tier", "scale"),
    ],
)
def test_what_converse_has_no_word_for_is_lost(name: str, value: Any):
    assert lost(**{name: value}) == name


def test_what_means_nothing_is_not_lost():
    plain = written()
    nothing: dict[str, Any] = {
        "n": 1,
        "presence_penalty": 0.0,
        "service_tier": "auto",
        "verbosity": "medium",
        "cache_key": "k",
    }
    assert written(**nothing, logprobs=False, parallel_tool_calls=False) == plain


@pytest.mark.parametrize("messages", [[say("system", "alone")], [say("user", " ")], [say("user")]])
def test_a_request_without_anything_said_is_refused(messages: list[Message]):
    with pytest.raises(InvalidArgument, match="needs a message") as refused:
        written(*messages)
    assert refused.value.field == "messages"


def test_the_routers_own_tool_is_nobody_elses():
    with pytest.raises(InvalidArgument, match="router's own"):
        written(tools=[Tool("llmrouter_answer")])


@pytest.mark.parametrize(
    ("model", "thinks", "forms"),
    [
        ("anthropic.claude-v2:1", Thinks.NOT, Forms.TOOL),
        (OLD_CLAUDE, Thinks.NOT, Forms.TOOL),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", Thinks.BUDGET, Forms.TOOL),
        ("anthropic.claude-opus-4-20250514-v1:0", Thinks.BUDGET, Forms.TOOL),
        ("anthropic.claude-opus-4-1-20250805-v1:0", Thinks.BUDGET, Forms.TOOL),
        (CLAUDE, Thinks.BUDGET, Forms.OUTPUT),
        (f"arn:aws:bedrock:eu-central-1:1:inference-profile/{CLAUDE}", Thinks.BUDGET, Forms.OUTPUT),
        (f"arn:aws:bedrock:eu-central-1::foundation-model/{NEW_CLAUDE}", Thinks.ADAPTIVE, Forms.OUTPUT),
        ("anthropic.claude-sonnet-5", Thinks.ADAPTIVE, Forms.OUTPUT),
        ("mistral.mistral-large-2402-v1:0", Thinks.NOT, Forms.NOT),
        ("mistral.mistral-large-3-675b-instruct", Thinks.NOT, Forms.OUTPUT),
        ("qwen.qwen3-32b-v1:0", Thinks.NOT, Forms.OUTPUT),
        ("arn:aws:bedrock:eu-central-1:1:imported-model/a1b2", Thinks.EFFORT, Forms.OUTPUT),
    ],
)
def test_families_are_told_by_names(model: str, thinks: Thinks, forms: Forms):
    family = family_of(model)
    assert (family.thinks, family.forms) == (thinks, forms)
