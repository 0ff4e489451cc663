"""llmrouter.example.yaml is right, and explains every key there is."""

import re
from pathlib import Path

import pytest

from core import config_file
from core.config import limits, prices, providers, routes

EXAMPLE = Path(__file__).parents[3] / "llmrouter.example.yaml"
ENVIRON = {"OPENAI_API_KEY": "sk-sesame", "GROQ_API_KEY": "gsk_sesame"}


def test_the_example_is_good() -> None:
    found = config_file.load(EXAMPLE, ENVIRON)
    assert [provider.name for provider in found.providers] == ["openai", "groq", "gpu"]
    assert [provider.api_key for provider in found.providers] == ["sk-sesame", "gsk_sesame", ""]
    assert found.providers[2].models == ("qwen3-coder", "team/fine-tuned-qwen")
    assert [route.alias for route in found.routes] == ["fast", "coder"]
    assert len(found.prices) == 2
    assert [(limit.kind, limit.id) for limit in found.limits] == [
        ("deployment", ""),
        ("user", "*"),
        ("user", "ann@example.com"),
        ("model", "gpt-4o"),
    ]


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("", config_file.SECTIONS),
        ("providers", (*providers.KEYS, *providers.TIMEOUT_KEYS)),
        ("routes", (*routes.KEYS, *routes.TARGET_KEYS)),
        ("prices", prices.KEYS),
        ("limits", limits.KEYS),
    ],
)
def test_every_key_is_shown_with_its_explanation(section: str, keys: tuple[str, ...]) -> None:
    sections = re.split(r"^(\w+):$", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    texts = dict(zip(sections[1::2], sections[2::2], strict=True))
    for key in keys:
        if section:
            line = re.search(rf"^[ -]+{key}:.* # \S.*$", texts[section], re.MULTILINE)
            assert line is not None, f"{section}: {key} has no line with a comment"
        else:
            assert key in texts
