"""`llmrouter budgets`, `llmrouter prices` and `llmrouter audit`, on a database of the test's own."""

import json
import sqlite3

import pytest

from tests.core.commands.conftest import Run


@pytest.fixture
def ann(run: Run) -> None:
    """An administrator."""
    assert run("users", "add", "--admin", "ann@example.com", "--password-stdin", stdin="hunter22\n").code == 0


def test_a_budget_is_set_changed_listed_and_removed(run: Run, ann: None):
    assert run("budgets", "list").out == "no budgets\n"
    assert run("budgets", "set", "user", "ann@example.com", "month", "2.50", "--hard").code == 0
    assert run("budgets", "set", "deployment", "day", "100", "--thresholds", "50,80").code == 0
    assert run("budgets", "set", "user", "ann@example.com", "month", "3", "--hard").code == 0
    rows = json.loads(run("budgets", "list", "--json").out)
    assert [(row["kind"], row["of"], row["period"], row["limit"], row["hard"]) for row in rows] == [
        ("user", "1", "month", "3", True),
        ("deployment", "", "day", "100", False),
    ]
    assert run("budgets", "remove", "deployment", "day").code == 0
    done = run("budgets", "remove", "deployment", "day")
    assert (done.code, done.err) == (1, "llmrouter: there is no such budget; `llmrouter budgets list` shows them\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("set", "deployment", "day"), "takes 2 words"),
        (("set", "deployment", "year", "5"), "'year' is no period"),
        (("set", "deployment", "day", "much"), "'much' is no amount"),
        (("set", "deployment", "day", "5", "--thresholds", "x"), "thresholds are percents"),
        (("set", "user", "bob@example.com", "day", "5"), "bob@example.com"),
    ],
)
def test_what_makes_no_sense_is_said(run: Run, ann: None, words: tuple[str, ...], says: str):
    done = run("budgets", *words)
    assert done.code == 1
    assert says in done.err


def test_an_audit_finds_a_difference(run: Run, ann: None):
    assert run("audit").out == "0 balances, 0 with a difference\n"
    database = sqlite3.connect("data/llmrouter.db")
    database.execute(
        "INSERT INTO balances (budget_id, scope_kind, scope_id, period, starts_at, settled_nanousd, leased_nanousd,"
        " recalls, updated_at) VALUES (1, 'deployment', '', 'total', 0, 7, 0, 0, 0)"
    )
    database.commit()
    done = run("audit", "--quiet")
    assert done.code == 1
    assert done.out.startswith("balance 1: 7 nano-dollars are settled and the entries add up to 0;")
    database.execute(
        "INSERT INTO ledger_entries (created_at, kind, balance_id, request_id, attempt, amount_nanousd, held_nanousd,"
        " price_source, token_source, estimated) VALUES (0, 'settlement', 1, 'r', 1, 7, 9, '', '', 0)"
    )
    database.commit()
    assert run("audit", "--quiet") == run("audit", "--quiet")
    assert run("audit").out == "1 balances, 0 with a difference\n"
    database.execute("UPDATE ledger_entries SET balance_id = 9")
    database.commit()
    database.close()
    assert "name a balance that does not exist" in run("audit").out


def test_a_price_is_set_listed_and_removed(run: Run, ann: None):
    assert run("prices", "set", "gpt-4o*", "2.50", "10", "--cached", "1.25", "--since", "2026-02-01").code == 0
    (row,) = json.loads(run("prices", "list", "--json").out)
    assert (row["provider"], row["model"], row["since"], row["input"], row["output"]) == (
        "*",
        "gpt-4o*",
        "2026-02-01",
        "2.5",
        "10",
    )
    assert "no amount" in run("prices", "set", "m", "cheap", "1").err
    assert run("prices", "remove", "1").code == 0
    assert run("prices", "list").out == "no prices of your own\n"
