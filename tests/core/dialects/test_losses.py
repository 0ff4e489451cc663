"""What gets lost on the way to another wire: refused, unless somebody can do without."""

import pytest

from core.dialects.canonical import Message, Text
from core.dialects.losses import Losses
from core.errors import InvalidArgument


def test_a_loss_is_refused_by_its_name_on_the_callers_wire() -> None:
    losses = Losses({"max_output": "max_tokens", "reasoning.shown": "display"}, "claude", drop=False)
    for field, name in (
        ("seed", "seed"),
        ("max_output", "max_tokens"),
        ("reasoning.shown", "display"),
        ("tools[0].strict", "tools[0].strict"),
    ):
        with pytest.raises(
            InvalidArgument, match=r"is not supported by the model's provider \(claude\): why"
        ) as refusal:
            losses.lose(field, "why")
        assert refusal.value.field == name
    assert losses.dropped == []


def test_with_the_callers_leave_it_is_noted_once() -> None:
    losses = Losses({"stop": "stop_sequences"}, "claude", drop=True)
    for field in ("stop", "seed", "stop"):
        losses.lose(field)
    assert losses.dropped == ["stop_sequences", "seed"]


def test_hints_of_a_wire_are_left_out_without_leave_and_told_all_the_same() -> None:
    losses = Losses({"reasoning": "thinking"}, "gemini", drop=False, hints=("reasoning",))
    losses.lose("reasoning")
    losses.lose("reasoning.budget")
    assert losses.dropped == ["thinking", "thinking.budget"]
    with pytest.raises(InvalidArgument):
        losses.lose("seed")


def test_a_hint_with_its_path_is_that_one_alone() -> None:
    losses = Losses({}, "gemini", drop=False, hints=("tools[3]", "tools[2].format"))
    losses.lose("tools[3]")
    losses.lose("tools[2].format")
    assert losses.dropped == ["tools[3]", "tools[2].format"]
    for field in ("tools[2]", "tools[3].strict", "tools"):
        with pytest.raises(InvalidArgument):
            losses.lose(field)


def test_what_is_lost_in_a_message_is_named_by_its_place_in_the_callers_body() -> None:
    losses = Losses({"messages": "input", "detail": "image_url.detail"}, "p", drop=True)
    losses.number(
        [
            Message("system", [Text("a")], place="instructions"),
            Message("user", [Text("a")], place="input[0]", parts_place="input[0].content"),
            Message("user", [Text("a")], place="input[1]"),
            Message("tool", [], place="input[2..4]", parts_place="input[2].content"),
            Message("user", [Text("a")]),
        ]
    )
    for field in (
        "messages[0].name",
        "messages[1].content[3]",
        "messages[1].content[3].detail",
        "messages[2].content[3]",
        "messages[3].content[7]",
        "messages[4].content[0]",
        "messages[9]",
    ):
        losses.lose(field)
    assert losses.dropped == [
        "instructions.name",
        "input[0].content[3]",
        "input[0].content[3].image_url.detail",
        "input[1]",
        "input[2..4]",
        "input[4].content[0]",
        "input[9]",
    ]


def test_a_field_of_the_callers_own_wire_keeps_its_name() -> None:
    losses = Losses({"user": "safety_identifier", "reasoning": "reasoning_effort"}, "p", drop=True)
    for name in ("user", "reasoning.mode", "messages[0].prefix"):
        losses.lose_own(name)
    assert losses.dropped == ["user", "reasoning.mode", "messages[0].prefix"]


def test_a_message_that_goes_on_is_named_from_its_first_place_to_its_last() -> None:
    message = Message("tool", [], place="input[6]")
    message.ends_at("input[7]")
    message.ends_at("input[8]")
    assert message.place == "input[6..8]"
    assert message == Message("tool", [])
