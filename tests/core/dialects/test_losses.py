"""What gets lost on the way to another wire: refused, unless somebody can do without."""

import pytest

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
