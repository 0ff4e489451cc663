"""What the families of Claude can do, by their names."""

import pytest

from core.dialects.anthropic.models import abilities


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("claude-3-haiku-20240307", "never"),
        ("claude-3-5-sonnet-20241022", "never"),
        ("claude-3-7-sonnet-latest", "by budget"),
        ("claude-sonnet-4-20250514", "by budget"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "by budget"),
        ("anthropic/claude-haiku-4.5", "by budget"),
        ("claude-opus-4-6", "either way"),
        ("claude-sonnet-4-6@20260217", "either way"),
        ("claude-opus-4-7", "by effort"),
        ("claude-haiku-5-5", "by effort"),
        ("claude-mythos-preview", "by effort"),
        ("deepseek-v4", "by budget"),
        ("claude-latest", "by budget"),
    ],
)
def test_how_a_model_thinks_follows_from_its_version(model: str, thinks: str) -> None:
    assert abilities(model).thinks == thinks


@pytest.mark.parametrize(
    ("model", "unasked", "off", "forced", "samples"),
    [
        ("claude-opus-4-6", False, "disabled", True, True),
        ("claude-opus-4-8", False, "disabled", True, False),
        ("claude-opus-5", True, "disabled", True, False),
        ("claude-fable-5", True, "", True, False),
        ("claude-fable-5-1", True, "", False, False),
        ("claude-opus-5-5", True, "", False, False),
        ("claude-sonnet-5-5", True, "between_tools", False, False),
        ("claude-haiku-5-5", True, "disabled", False, False),
        ("claude-mythos-preview", True, "", True, False),
    ],
)
def test_newer_models_take_less(model: str, unasked: bool, off: str, forced: bool, samples: bool) -> None:
    can = abilities(model)
    assert (can.unasked, can.off, can.forced, can.samples) == (unasked, off, forced, samples)


def test_structured_output_came_with_4_5() -> None:
    assert not abilities("claude-opus-4-1").formats
    assert abilities("claude-haiku-4-5").formats
    assert not abilities("kimi-k2").formats


def test_degrees_came_one_after_another() -> None:
    assert abilities("claude-haiku-4-5").efforts == ()
    assert abilities("claude-opus-4-5").efforts == ("low", "medium", "high")
    assert abilities("claude-sonnet-4-6").efforts == ("low", "medium", "high", "max")
    assert abilities("claude-opus-4-7").efforts == ("low", "medium", "high", "xhigh", "max")
