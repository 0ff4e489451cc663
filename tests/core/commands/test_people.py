"""`llmrouter users` and `llmrouter keys`, on a database of the test's own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from core.auth import Authenticator, Secrets
from core.clock import SystemClock
from core.errors import Unauthenticated
from core.store import changes, virtual_keys
from core.store.database import Database
from core.store.virtual_keys import VirtualKey
from tests.core.commands.conftest import Run
from tests.support.database import in_thread

URL = "sqlite+aiosqlite:///data/llmrouter.db"


@pytest.fixture
def ann(run: Run) -> None:
    """An administrator."""
    done = run("users", "add", "--admin", "Ann@Example.com", "--name", "Ann", "--password-stdin", stdin="hunter22\n")
    assert (done.code, done.err) == (0, "")
    assert done.out == "made administrator ann@example.com (number 1)\n"


def people(run: Run) -> list[dict[str, Any]]:
    return json.loads(run("users", "list", "--json").out)


def noted() -> list[tuple[str, int]]:
    """What running cores are told to look at again."""

    async def read() -> list[tuple[str, int]]:
        database = Database(URL)
        async with database.read() as connection:
            found = await changes.since(connection, 0)
        await database.close()
        return [(change.kind, change.object_id) for change in found]

    return in_thread(read())


def accepted(key: str) -> bool:
    """Whether a core lets a key in."""

    async def look() -> bool:
        database = Database(URL)
        try:
            await Authenticator(database, SystemClock()).authenticate(Secrets(api_key=key))
        except Unauthenticated:
            return False
        finally:
            await database.close()
        return True

    return in_thread(look())


def virtual_keys_stored() -> Sequence[VirtualKey]:
    async def read() -> Sequence[VirtualKey]:
        database = Database(URL)
        async with database.read() as connection:
            found = await virtual_keys.page(connection, user_id=None, after_id=0, limit=10)
        await database.close()
        return found

    return in_thread(read())


def test_the_first_command_makes_the_database(run: Run):
    done = run("users", "list")
    assert done.code == 0
    assert "llmrouter users add --admin" in done.out
    assert Path("data/llmrouter.db").exists()


@pytest.mark.usefixtures("ann")
def test_users_are_listed(run: Run):
    run("users", "add", "bob@example.com", "--password-stdin", stdin="hunter22\n")
    table = run("users", "list").out.splitlines()
    assert table[0].split() == ["ID", "EMAIL", "USERNAME", "NAME", "ROLE", "DISABLED", "CREATED"]
    assert table[1].split()[:6] == ["1", "ann@example.com", "ann@example.com", "Ann", "admin", "no"]
    assert table[2].split()[:6] == ["2", "bob@example.com", "bob@example.com", "-", "user", "no"]
    assert [(user["email"], user["role"], user["disabled"]) for user in people(run)] == [
        ("ann@example.com", "admin", False),
        ("bob@example.com", "user", False),
    ]


@pytest.mark.usefixtures("ann")
def test_a_second_user_of_one_address_is_refused(run: Run):
    done = run("users", "add", "ann@example.com", "--password-stdin", stdin="hunter22\n")
    assert (done.code, done.out) == (1, "")
    assert "exists already" in done.err


@pytest.mark.parametrize(
    ("email", "stdin", "said"),
    [
        ("ann@example.com", "short\n", "6 characters"),
        ("ann@example.com", "", "stdin is empty"),
        ("ann", "hunter22\n", "e-mail address"),
    ],
)
def test_a_user_who_cannot_be_made_is_explained(run: Run, email: str, stdin: str, said: str):
    done = run("users", "add", email, "--password-stdin", stdin=stdin)
    assert done.code in (1, 2)
    assert said in done.err
    assert people(run) == []


def test_a_password_is_never_an_argument(run: Run):
    done = run("users", "add", "ann@example.com", stdin="hunter22\n")
    assert done.code == 2
    assert "use --password-stdin" in done.err


def test_a_password_is_asked_for_twice_on_a_terminal(run: Run):
    done = run("users", "add", "ann@example.com", typed=["hunter22", "hunter23"])
    assert (done.code, done.err) == (1, "llmrouter: the two are not the same\n")
    assert run("users", "add", "ann@example.com", typed=["hunter22", "hunter22"]).code == 0


@pytest.mark.usefixtures("ann")
def test_a_user_is_changed_and_running_cores_hear_of_it(run: Run):
    run("users", "add", "bob@example.com", "--password-stdin", stdin="hunter22\n")
    assert run("users", "role", "bob@example.com", "admin").out == "bob@example.com has the role admin\n"
    assert run("users", "disable", "1").out == "ann@example.com is disabled\n"
    assert [(user["role"], user["disabled"]) for user in people(run)] == [("admin", True), ("admin", False)]
    assert run("users", "enable", "ANN@example.com").out == "ann@example.com is enabled\n"
    assert run("users", "passwd", "2", "--password-stdin", stdin="hunter33\n").out.startswith("bob@example.com has")
    assert noted() == [("user", 2), ("user", 1), ("user", 1), ("user", 2)]


@pytest.mark.usefixtures("ann")
def test_the_last_administrator_stays(run: Run):
    for change in (["role", "1", "user"], ["disable", "1"]):
        done = run("users", *change)
        assert done.code == 1
        assert "make another one first" in done.err
    assert [(user["role"], user["disabled"]) for user in people(run)] == [("admin", False)]


@pytest.mark.parametrize("command", [["users", "disable"], ["keys", "list"]])
def test_somebody_who_is_not_there_is_said_so(run: Run, command: list[str]):
    done = run(*command, "7")
    assert (done.code, done.err) == (1, "llmrouter: there is no user '7'; `llmrouter users list` shows them all\n")


@pytest.mark.usefixtures("ann")
def test_a_key_works_until_it_is_revoked(run: Run):
    key = run("keys", "create", "ann@example.com", "--name", "laptop").out.strip()
    assert key.startswith("sk_")
    assert accepted(key)
    prefix = key.rpartition("_")[0]
    assert run("keys", "revoke", "1", prefix).out == f"revoked {prefix} (laptop)\n"
    assert not accepted(key)
    assert ("credential", 1) in noted()


@pytest.mark.usefixtures("ann")
def test_keys_are_listed_without_their_secrets(run: Run):
    made = [run("keys", "create", "1", "--name", name, "--expires", "90d").out.strip() for name in ("one", "two")]
    table, listed = run("keys", "list", "1").out, json.loads(run("keys", "list", "1", "--json").out)
    assert [row["name"] for row in listed] == ["one", "two"]
    assert all(row["expires"] > row["created"] for row in listed)
    assert all(key not in table for key in made)


@pytest.mark.usefixtures("ann")
def test_a_virtual_key_has_its_caps_and_is_revoked_like_any_other(run: Run):
    options = ("--budget", "12.50", "--max-tokens", "100", "--max-reasoning-tokens", "10", "--project", "hiring")
    key = run("keys", "create", "1", "--name", "HR bot", "--virtual", *options, "--allow-unpriced").out.strip()
    assert key.startswith("vk_")
    assert accepted(key)
    (made,) = virtual_keys_stored()
    assert (made.monthly_cap_nanousd, made.max_output_tokens, made.max_reasoning_tokens) == (12_500_000_000, 100, 10)
    assert (made.project, made.allow_unpriced, made.user_id) == ("hiring", True, 1)
    (listed,) = json.loads(run("keys", "list", "1", "--json").out)
    assert (listed["kind"], listed["name"], listed["active"]) == ("virtual", "HR bot", True)
    prefix = key.rpartition("_")[0]
    assert run("keys", "revoke", "1", prefix).out == f"revoked {prefix} (HR bot)\n"
    assert not accepted(key)
    assert run("keys", "list", "1").out == "no keys\n"
    assert [each.usable for each in virtual_keys_stored()] == [False]


@pytest.mark.usefixtures("ann")
def test_caps_are_for_virtual_keys_and_are_numbers(run: Run):
    done = run("keys", "create", "1", "--name", "x", "--max-tokens", "5")
    assert (done.code, done.err) == (2, "llmrouter: --max-tokens is for virtual keys: add --virtual\n")
    for amount in ("-1", "many", "nan", "inf"):
        assert run("keys", "create", "1", "--name", "x", "--virtual", f"--budget={amount}").code == 2
    assert run("keys", "create", "1", "--name", "x", "--virtual", "--max-tokens=-1").code == 1


@pytest.mark.usefixtures("ann")
def test_a_whole_key_that_was_pasted_is_revoked_and_not_repeated(run: Run):
    key = run("keys", "create", "1", "--name", "leaked").out.strip()
    done = run("keys", "revoke", "1", key)
    assert done.code == 0
    assert key not in done.out
    done = run("keys", "revoke", "1", key)
    assert done.code == 1
    assert key not in done.err


@pytest.mark.usefixtures("ann")
def test_a_span_of_time_that_is_none_is_refused(run: Run):
    for span in ("90", "d", "0d", "-1d", "1000000000000d", "9y"):
        assert run("keys", "create", "1", "--name", "x", f"--expires={span}").code == 2


@pytest.mark.usefixtures("ann")
def test_older_tables_are_left_to_the_operator(run: Run):
    async def pretend() -> None:
        engine = create_async_engine(URL)
        async with engine.begin() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
        await engine.dispose()

    in_thread(pretend())
    done = run("users", "list")
    assert (done.code, done.err.count("\n")) == (78, 1)
    assert "run `llmrouter migrate`" in done.err
