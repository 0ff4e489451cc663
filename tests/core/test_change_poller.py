"""What one process changes, another hears of."""

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import sqlalchemy as sa

from core.auth import Authenticator
from core.change_poller import ChangePoller
from core.errors import DatabaseError
from core.store import changes, credentials, users
from core.store.tables import changes as changes_table
from core.store.tables import credentials as credentials_table
from tests.support.clock import FakeClock
from tests.support.database import FlakyDatabase, on_postgres, on_sqlite


@dataclass
class Office:
    """A poller, and what it told."""

    database: FlakyDatabase
    clock: FakeClock = field(default_factory=FakeClock)
    forgotten: list[str] = field(default_factory=list[str])
    providers: list[int] = field(default_factory=list[int])
    reloads: int = 0

    def __post_init__(self) -> None:
        office = self

        class Listening(Authenticator):
            def forget(self) -> None:
                office.forgotten.append("everybody")

            def forget_user(self, user_id: int) -> None:
                office.forgotten.append(f"user {user_id}")

            def forget_credential(self, credential_id: int) -> None:
                office.forgotten.append(f"credential {credential_id}")

        self.authenticator = Listening(self.database, self.clock)
        self.poller = self.make()

    def make(self) -> ChangePoller:
        return ChangePoller(
            self.database, self.clock, self.authenticator, self.provider_changed, self.reload, self.sleep
        )

    async def provider_changed(self, provider_id: int) -> None:
        self.providers.append(provider_id)

    async def reload(self) -> None:
        self.reloads += 1

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    async def note(self, kind: str, object_id: int, number: int | None = None) -> None:
        """Notes a change, under a number where a test wants to say which."""
        async with self.database.write() as connection:
            if number is None:
                await changes.note(connection, kind, object_id, self.clock.now())
            else:
                await connection.execute(
                    sa.insert(changes_table).values(
                        id=number, kind=kind, object_id=object_id, created_at=self.clock.now()
                    )
                )

    async def look(self) -> list[str]:
        """Looks once; what was forgotten for it."""
        self.forgotten.clear()
        await self.poller.look()
        await asyncio.sleep(0)  # providers are told of in tasks
        return list(self.forgotten)


@pytest.fixture
async def office(flaky_database: FlakyDatabase) -> Office:
    office = Office(flaky_database)
    await office.look()
    return office


async def test_each_change_is_told_once_and_in_order(office: Office):
    await office.note("user", 7)
    await office.note("credential", 8)
    await office.note("provider", 9)
    assert await office.look() == ["user 7", "credential 8"]
    assert office.providers == [9]
    assert await office.look() == []
    await office.note("user", 7)
    assert await office.look() == ["user 7"]


async def test_the_first_look_starts_anew_and_tells_nothing_old(flaky_database: FlakyDatabase):
    office = Office(flaky_database)
    await office.note("provider", 9)
    assert await office.look() == ["everybody"]
    assert (office.providers, office.reloads) == ([], 1)
    assert await office.look() == []


async def test_a_lower_number_that_appears_later_is_told(office: Office):
    await office.note("user", 1, 10)
    await office.note("user", 2, 13)
    assert await office.look() == ["user 1", "user 2"]
    await office.note("user", 3, 12)
    await office.note("user", 4, 14)
    assert await office.look() == ["user 3", "user 4"]
    await office.note("user", 5, 11)
    assert await office.look() == ["user 5"]
    assert await office.look() == []


async def test_a_lower_number_that_appears_after_the_start_is_told(flaky_database: FlakyDatabase):
    office = Office(flaky_database)
    await office.note("user", 1, 50)
    await office.look()
    await office.note("user", 2, 49)
    assert await office.look() == ["user 2"]


@on_postgres
async def test_a_transaction_that_commits_after_a_later_one_is_heard(office: Office):
    async with office.database.write() as slow:
        await changes.note(slow, "user", 1, office.clock.now())
        await office.note("user", 2)
        assert await office.look() == ["user 2"]
    assert await office.look() == ["user 1"]


async def test_a_number_that_nobody_uses_is_not_watched_for_ever(office: Office):
    await office.note("user", 1, 10)
    await office.note("user", 2, 5_000_000)
    assert await office.look() == ["user 1", "user 2"]
    assert len(office.poller._gaps) == 1000  # pyright: ignore[reportPrivateUsage] - to count them
    office.clock.advance(121)
    await office.look()
    assert office.poller._gaps == {}  # pyright: ignore[reportPrivateUsage] - to count them


async def test_an_outage_is_logged_once_and_survived(office: Office, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "core.change_poller"):
        office.database.down = True
        for _ in range(3):
            assert await office.look() == []
        office.database.down = False
        await office.note("user", 7)
        assert await office.look() == ["user 7"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@on_sqlite
async def test_a_fault_is_logged_once_and_survived(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_args: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(changes, "since", broken)
        for _ in range(3):
            assert await office.look() == []
    assert caplog.text.count("RuntimeError: broken") == 1
    await office.note("user", 7)
    assert await office.look() == ["user 7"]


async def test_a_process_that_starts_in_an_outage_catches_up(flaky_database: FlakyDatabase):
    office = Office(flaky_database)
    office.database.down = True
    assert await office.look() == []
    office.database.down = False
    assert await office.look() == ["everybody"]


@on_sqlite
async def test_a_process_that_was_away_for_long_starts_anew(office: Office):
    office.clock.advance(13 * 3600)
    await office.note("user", 7)
    assert await office.look() == ["everybody"]
    assert office.reloads == 2


@on_sqlite
async def test_changes_of_a_provider_that_come_while_it_is_read_are_told_once_more(office: Office):
    go, told = asyncio.Event(), asyncio.Event()
    heard: list[int] = []

    async def slow(provider_id: int) -> None:
        heard.append(provider_id)
        await go.wait()
        told.set()

    office.provider_changed = slow  # type: ignore[method-assign] - a slower one
    office.poller = office.make()
    await office.look()
    for _ in range(3):
        await office.note("provider", 9)
        await office.note("user", 1)
        assert await office.look() == ["user 1"]  # nobody waits for a provider
    assert heard == [9]
    go.set()
    await told.wait()
    await asyncio.sleep(0)
    assert heard == [9, 9]


@on_sqlite
async def test_a_provider_that_could_not_be_read_is_told_again(office: Office):
    heard: list[int] = []
    told = asyncio.Event()

    async def failing(provider_id: int) -> None:
        heard.append(provider_id)
        if len(heard) < 3:
            raise DatabaseError
        told.set()

    office.provider_changed = failing  # type: ignore[method-assign] - one that fails
    office.poller = office.make()
    await office.look()
    await office.note("provider", 9)
    await office.look()
    await told.wait()
    assert heard == [9, 9, 9]


@on_sqlite
async def test_a_fault_in_a_callback_is_logged_and_survived(office: Office, caplog: pytest.LogCaptureFixture):
    async def broken(provider_id: int) -> None:
        raise RuntimeError("broken")

    office.provider_changed = broken  # type: ignore[method-assign] - one that fails
    office.poller = office.make()
    await office.look()
    await office.note("provider", 9)
    await office.look()
    await asyncio.sleep(0)
    assert "a fault while a provider was read anew" in caplog.text
    await office.note("user", 1)
    assert await office.look() == ["user 1"]


async def test_old_notes_and_ended_sessions_are_removed_now_and_then(office: Office):
    now = office.clock.now()
    async with office.database.write() as connection:
        user = await users.add(connection, email="a@b", username="a@b", password_hash="x", role="user", now=now)
        for kind, expires_at in (("session", now), ("session", None), ("api_key", now)):
            await credentials.add(
                connection,
                kind=kind,
                secret_hash=f"{kind}{expires_at}".encode(),
                prefix="",
                user_id=user.id,
                scopes="",
                now=now,
                expires_at=expires_at,
            )
    await office.note("user", 1)
    for _ in range(5):
        office.clock.advance(6 * 3600)
        await office.look()
    async with office.database.read() as connection:
        kept = sa.select(credentials_table.c.kind).order_by(credentials_table.c.id)
        assert (await connection.execute(kept)).scalars().all() == ["session", "api_key"]
        assert await changes.last_id(connection) == 0
    await office.note("user", 2)
    assert await office.look() == ["user 2"]


@on_sqlite
async def test_it_looks_four_times_a_second_until_it_is_cancelled(office: Office):
    looked_at: list[float] = []

    async def look() -> None:
        looked_at.append(office.clock.monotonic())

    office.poller.look = look  # type: ignore[method-assign] - to hear of it
    task = asyncio.create_task(office.poller.run())
    while len(looked_at) < 5:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [later - earlier for earlier, later in pairwise(looked_at)][:4] == [0.25] * 4
