"""`llmrouter limits`, on a database of the test's own."""

import json
from typing import Any

import pytest

from tests.core.commands.conftest import Run


def limits(run: Run) -> list[dict[str, Any]]:
    found = json.loads(run("limits", "list", "--json").out)
    return [{name: value for name, value in each.items() if value is not None} for each in found]


@pytest.fixture
def ann(run: Run) -> None:
    """A user."""
    assert run("users", "add", "ann@example.com", "--password-stdin", stdin="hunter22\n").code == 0


def test_limits_are_set_changed_listed_and_removed(run: Run, ann: None):
    assert run("limits", "list").out == "no limits\n"
    assert run("limits", "set", "deployment", "--rpm", "600").out == "limited deployment\n"
    assert run("limits", "set", "user", "ann@example.com", "--tpd", "500", "--rpm", "6").out == "limited user 1\n"
    assert run("limits", "set", "user", "1", "--concurrent", "2", "--rpm", "0").code == 0
    assert run("limits", "set", "user", "*", "--rpm", "60").code == 0
    assert limits(run) == [
        {"kind": "deployment", "id": "", "requests_per_minute": 600, "source": "api"},
        {"kind": "user", "id": "1", "tokens_per_day": 500, "concurrent_requests": 2, "source": "api"},
        {"kind": "user", "id": "*", "requests_per_minute": 60, "source": "api"},
    ]
    assert run("limits", "remove", "user", "ann@example.com").out == "removed the limits of user ann@example.com\n"
    assert [limit["id"] for limit in limits(run)] == ["", "*"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "user", "bob@example.com", "--rpm", "1"), "no user 'bob@example.com'"),
        (("set", "deployment"), "say what to limit"),
        (("set", "model", "--rpm", "1"), "scope_id must have"),
        (("set", "deployment", "x", "--rpm", "1"), "the deployment has no id"),
        (("set", "deployment", "--rpm", "-1"), "requests_per_minute must be"),
        (("remove", "deployment"), "there is no such limit"),
    ],
)
def test_what_can_t_be_is_said_in_one_line(run: Run, arguments: tuple[str, ...], says: str):
    done = run("limits", *arguments)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert says in done.err
