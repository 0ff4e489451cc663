"""The decisions: numbered without a gap, and every dependency has its reason."""

import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "core" / "decisions"


def test_decisions_are_numbered_without_a_gap():
    numbers = sorted(int(path.name[:4]) for path in FOLDER.glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    for path in FOLDER.glob("[0-9]*.md"):
        assert path.read_text().startswith(f"# {int(path.name[:4])}. ")


def test_every_dependency_has_its_reason_and_no_other():
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    rows = re.findall(r"(?m)^\| ([a-z0-9, -]+) \| (?!why)", (FOLDER / "0002-dependencies.md").read_text())
    explained = [name for row in rows for name in row.split(", ") if not name.startswith("-") and name != "package"]
    assert sorted(explained) == sorted(Requirement(line).name for line in lines)
