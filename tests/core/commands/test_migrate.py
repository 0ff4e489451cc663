"""`llmrouter migrate`, on both databases."""

import pytest

from core.store.migrate import HEAD
from tests.core.commands.conftest import Run


def test_an_empty_database_gets_its_tables_and_can_lose_them(run: Run, empty_database_url: str):
    database = {"LLMROUTER_DATABASE_URL": empty_database_url}
    assert run("migrate", "--current", **database).out == f"no tables (this version wants {HEAD})\n"

    up = run("migrate", **database)
    assert (up.code, up.err) == (0, "")
    assert up.out.splitlines()[0].startswith("up to 0001: ")
    assert up.out.splitlines()[-1] == f"now at {HEAD}"

    assert run("migrate", **database).out == f"already at {HEAD}\n"

    down = run("migrate", "--down", "base", **database)
    assert down.code == 0
    assert down.out.splitlines()[-1] == "now at no tables"


@pytest.mark.parametrize("direction", ["--to", "--down"])
def test_a_revision_that_does_not_exist_changes_nothing(run: Run, direction: str):
    run("migrate")
    done = run("migrate", direction, "nothing")
    assert (done.code, done.err.count("\n")) == (78, 1)
    assert "nothing was changed" in done.err
    assert run("migrate", "--current").out.startswith(HEAD)
