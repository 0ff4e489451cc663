"""`llmrouter providers`: the same use cases as the API's, and the rotation of the secret key."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.secrets import Cipher
from core.store import changes, providers
from core.store.database import Database
from tests.core.commands.conftest import Run
from tests.support.database import in_thread

URL = "sqlite+aiosqlite:///data/llmrouter.db"
NOWHERE = "http://127.0.0.1:1/v1"
OLD, NEW = "the-old-secret-key", "the-new-secret-key"
ECHO = {"LLMROUTER_ECHO": "1"}


def listed(run: Run) -> list[dict[str, Any]]:
    return json.loads(run("providers", "list", "--json").out)


def stored() -> list[tuple[bytes | None, int]]:
    """Each provider's key as it is kept, and how often running cores were told to look at it again."""

    async def read() -> list[tuple[bytes | None, int]]:
        database = Database(URL)
        async with database.read() as connection:
            rows = await providers.all_rows(connection)
            notes = [change.object_id for change in await changes.since(connection, 0) if change.kind == "provider"]
        await database.close()
        return [(row.api_key, notes.count(row.id)) for row in rows]

    return in_thread(read())


def add(run: Run, name: str = "gpu", *, key: str = "", **environ: str) -> None:
    options = ["--key-stdin"] if key else []
    done = run("providers", "add", name, "vllm", "--base-url", NOWHERE, *options, stdin=key, **environ)
    assert (done.code, done.err) == (0, "")


def test_a_provider_is_added_though_it_cannot_be_reached(run: Run):
    done = run("providers", "add", "gpu", "vllm", "--base-url", "http://127.0.0.1:1")
    assert done.code == 0
    assert done.out.startswith("added gpu (number 1): http://127.0.0.1:1/v1, but its models can't be pulled: ")
    assert done.err == ""
    [row] = listed(run)
    assert (row["name"], row["type"], row["base_url"], row["enabled"], row["key"], row["source"]) == (
        "gpu",
        "vllm",
        NOWHERE,
        True,
        False,
        "api",
    )


def test_the_built_in_provider_is_added_and_tested(run: Run):
    assert run("providers", "add", "echo", "echo", **ECHO).out == "added echo (number 1): echo, 2 models\n"
    done = run("providers", "test", "echo", "--model", "echo", **ECHO)
    assert done.code == 0
    assert [line[0] for line in done.out.splitlines()] == ["✓", "✓"]
    assert run("providers", "refresh", "echo", **ECHO).out.split() == ["echo:", "2", "models", "echo", "echo-embedding"]


def test_a_provider_that_cannot_be_reached_fails_its_test(run: Run):
    add(run)
    done = run("providers", "test", "gpu", "--model", "m")
    assert done.code == 1
    assert [line[0] for line in done.out.splitlines()] == ["✗", "✗"]
    assert run("providers", "refresh", "gpu").code == 1


def test_a_provider_is_disabled_enabled_and_removed(run: Run):
    add(run)
    assert run("providers", "disable", "gpu").out == "gpu is disabled, its models are not offered\n"
    assert [row["enabled"] for row in listed(run)] == [False]
    assert run("providers", "enable", "1").out.startswith("gpu is enabled")
    assert [row["enabled"] for row in listed(run)] == [True]
    assert stored() == [(None, 3)]
    assert run("providers", "remove", "gpu").out == "removed gpu\n"
    assert "llmrouter providers add" in run("providers", "list").out


def test_a_key_is_asked_for_where_the_vendor_needs_one(run: Run):
    done = run("providers", "add", "openai", "openai", "--base-url", NOWHERE)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--key-stdin or --no-key" in done.err
    assert run("providers", "add", "openai", "openai", "--base-url", NOWHERE, typed=["sk-upstream"]).code == 0
    assert [row["key"] for row in listed(run)] == [True]


def test_a_key_is_kept_encrypted(run: Run):
    add(run, key="sk-upstream")
    [(kept, _)] = stored()
    assert kept is not None
    assert b"sk-upstream" not in kept
    assert Cipher(Path("data/secret.key").read_text().strip()).decrypt(kept) == "sk-upstream"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "x/y", "vllm", "--base-url", NOWHERE], "'/'"),
        (["add", "x", "nobody", "--no-key"], "no such provider type"),
        (["add", "x", "openai-compatible"], "has no address of its own"),
        (["remove", "x"], "there is no provider 'x'"),
    ],
)
def test_a_mistake_is_explained(run: Run, arguments: list[str], said: str):
    done = run("providers", *arguments)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert said in done.err


def test_a_name_that_is_taken_is_explained(run: Run):
    add(run)
    done = run("providers", "add", "gpu", "vllm", "--base-url", NOWHERE)
    assert (done.code, done.err) == (1, "llmrouter: the name is taken; choose another\n")


def test_rotation_makes_the_old_secret_key_superfluous(run: Run):
    add(run, "one", key="sk-one", LLMROUTER_SECRET_KEY=OLD)
    add(run, "none", LLMROUTER_SECRET_KEY=OLD)
    add(run, "two", key="sk-two", LLMROUTER_SECRET_KEY=OLD)

    done = run("providers", "rotate", LLMROUTER_SECRET_KEY=NEW, LLMROUTER_SECRET_KEYS_OLD=OLD)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == ["[1/2] one", "[2/2] two", "2 of 2 keys are encrypted with the current secret key"]

    cipher = Cipher(NEW)
    assert [cipher.decrypt(key) for key, _ in stored() if key] == ["sk-one", "sk-two"]
    assert [notes for _, notes in stored()] == [2, 1, 2]


def test_a_key_that_nobody_can_read_is_said_so_and_left_alone(run: Run):
    add(run, key="sk-one", LLMROUTER_SECRET_KEY=OLD)
    before = stored()
    done = run("providers", "rotate", LLMROUTER_SECRET_KEY=NEW)
    assert done.code == 1
    assert "[1/1] gpu: its key was encrypted with a secret key that is not here" in done.err
    assert stored() == before
    done = run("providers", "test", "gpu", LLMROUTER_SECRET_KEY=NEW)
    assert done.code == 1
    assert done.err.startswith("llmrouter: gpu: its key was encrypted with another secret key")
