"""The lock files: they hold what pyproject.toml asks for, with hashes, and say nothing of where they were made."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# lock → the extras in it
LOCKS = {
    "requirements.lock": ("build",),
    "requirements-dev.lock": ("build", "bedrock", "dev"),
    "requirements-e2e.lock": ("build", "bedrock", "dev", "e2e"),
    "requirements-sdks.lock": ("build", "bedrock", "dev", "sdks"),
}
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


def wanted(lock: str) -> dict[str, Requirement]:
    """What pyproject.toml asks for, by name."""
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for extra in LOCKS[lock] for line in extras[extra])]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def entries(lock: str) -> list[str]:
    """One text for each package in the lock."""
    return [entry for entry in re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text()) if PIN.match(entry)]


def pins(lock: str) -> dict[str, set[Version]]:
    """The versions of each package; there can be several, for several versions of Python."""
    found: dict[str, set[Version]] = {}
    for name, version in PIN.findall((ROOT / lock).read_text()):
        found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_the_project_asks_for(lock: str):
    locked = pins(lock)
    for name, requirement in wanted(lock).items():
        assert name in locked, f"{name} is missing: run `make lock`"
        assert all(version in requirement.specifier for version in locked[name]), f"{name}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_nothing_that_the_project_no_longer_asks_for(lock: str):
    direct = {
        canonicalize_name(PIN.findall(entry)[0][0]) for entry in entries(lock) if "llmrouter (pyproject.toml)" in entry
    }
    assert direct == wanted(lock).keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_its_hashes(lock: str):
    assert entries(lock)
    for entry in entries(lock):
        assert "--hash=sha256:" in entry


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_place(lock: str):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|\s/\w|\S@\S", text)


def test_one_package_has_one_version_in_all_locks():
    dev = pins("requirements-dev.lock")
    larger = [pins(lock) for lock in ("requirements-e2e.lock", "requirements-sdks.lock")]
    for name, versions in pins("requirements.lock").items():
        assert versions == dev[name]
    for name, versions in dev.items():
        assert all(versions == each[name] for each in larger)
