"""The files that people copy: .env.example says what the settings say."""

import re
from dataclasses import fields
from enum import Enum
from pathlib import Path

import pytest

from core.settings import VARIABLES, Settings, load

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
LINE = re.compile(r"#(LLMROUTER_[A-Z_]+)=(.*)")


def shown() -> dict[str, str]:
    """variable → the default that the file shows."""
    lines = filter(None, map(LINE.fullmatch, EXAMPLE.read_text().splitlines()))
    found = [(match[1], match[2]) for match in lines]
    assert len(found) == len(dict(found))
    return dict(found)


def test_it_shows_every_setting_and_no_other():
    assert shown().keys() == VARIABLES.keys()


@pytest.mark.parametrize("variable", VARIABLES)
def test_it_shows_the_default(variable: str):
    defaults = {field.name: getattr(Settings(), field.name) for field in fields(Settings)}
    default = defaults[VARIABLES[variable][0]]
    if isinstance(default, Enum):
        default = default.value
    if isinstance(default, bool | float):
        default = int(default)
    assert shown()[variable] == ("" if default in ((), None) else str(default))


def test_it_changes_nothing_as_it_is():
    assert load({}, EXAMPLE) == Settings()


def test_it_is_a_good_file_with_every_setting_taken_in(tmp_path: Path):
    taken_in = tmp_path / ".env"
    taken_in.write_text(re.sub(r"(?m)^#(?=[A-Z_]+=)", "", EXAMPLE.read_text()))
    settings, default = load({}, taken_in), Settings()
    changed = [name for name, _ in VARIABLES.values() if getattr(settings, name) != getattr(default, name)]
    assert changed == []
