"""Limits that the configuration file declares, brought into the database."""

import logging

import pytest

from core import config_file
from core.config.problems import ConfigurationError
from core.configured_limits import bring_in_line
from core.store import changes, limits
from core.store.database import Database
from core.store.limits import LimitRow
from tests.support.core import Core
from tests.support.database import on_sqlite

FILE = """
limits:
  - {scope: deployment, requests_per_minute: 600}
  - {scope: user, id: "*", tokens_per_day: 1_000}
  - {scope: user, id: Admin@example.com, concurrent_requests: 5}
"""


async def declare(core: Core, text: str) -> list[str]:
    """Brings a file in line; the limits that are there then."""
    await bring_in_line(core.deps, config_file.parse(text, {}).limits)
    return [shown(row) for row in await rows(core.deps.database)]


async def rows(database: Database) -> list[LimitRow]:
    async with database.read() as connection:
        return list(await limits.all_rows(connection))


def shown(row: LimitRow) -> str:
    numbers = (row.requests_per_minute, row.tokens_per_day, row.concurrent_requests)
    return f"{row.scope_kind} {row.scope_id} {numbers} {row.source}"


async def test_what_is_declared_is_there_and_what_is_not_any_more_is_gone(core: Core):
    admin = await core.admin()
    assert await declare(core, FILE) == [
        "deployment  (600, 0, 0) config",
        "user * (0, 1000, 0) config",
        f"user {admin.id} (0, 0, 5) config",
    ]
    async with core.deps.database.read() as connection:
        before = await changes.last_id(connection)
    await declare(core, FILE)
    async with core.deps.database.read() as connection:
        assert not await changes.since(connection, before)
    less = 'limits: [{scope: user, id: "*", requests_per_minute: 7}]'
    assert await declare(core, less) == ["user * (7, 0, 0) config"]
    await core.hear()
    assert core.deps.limits.any
    assert await declare(core, "limits: []") == []


@on_sqlite
async def test_a_limit_that_the_api_made_is_left_alone(core: Core, caplog: pytest.LogCaptureFixture):
    async with core.deps.database.write() as connection:
        await limits.add(connection, "deployment", "", {"requests_per_minute": 1}, "api", core.clock.now())
    with caplog.at_level(logging.WARNING):
        found = await declare(core, FILE)
    assert found == ["deployment  (1, 0, 0) api", "user * (0, 1000, 0) config"]
    assert "was made by the API and is left alone" in caplog.text
    assert "there is no such user" in caplog.text
    assert (await declare(core, ""))[0] == "deployment  (1, 0, 0) api"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{requests_per_minute: 1}", "limits[0].scope: is missing"),
        ("{scope: team, id: a, requests_per_minute: 1}", "must be one of credential, user"),
        ("{scope: user, requests_per_minute: 1}", "limits[0].id: is missing"),
        ("{scope: deployment, id: a, requests_per_minute: 1}", "the deployment has no id"),
        ("{scope: deployment}", "another number that limits something"),
        ("{scope: deployment, requests_per_minute: 0}", "must be a whole number of 1"),
        ("{scope: deployment, requests_per_minute: 1.5}", "must be a whole number of 1"),
        ("{scope: deployment, rpm: 1}", "unknown key"),
    ],
)
def test_what_is_wrong_with_a_limit_is_said(text: str, says: str):
    with pytest.raises(ConfigurationError) as caught:
        config_file.parse(f"limits: [{text}]", {})
    assert any(says in str(problem) for problem in caught.value.problems)


def test_a_scope_is_declared_once():
    with pytest.raises(ConfigurationError) as caught:
        config_file.parse(FILE + "  - {scope: deployment, requests_per_minute: 3}\n", {})
    assert "line 3 has limits for the same already" in str(caught.value.problems[0])
