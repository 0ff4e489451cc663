"""Hashes of passwords."""

import asyncio
from collections.abc import Callable
from threading import Event

import pytest

from core.errors import InvalidArgument, PasswordTooShort, Unavailable
from core.passwords import Argon2Hasher, check_new
from tests.support.core import cheap_hasher


async def test_a_hash_matches_its_password_alone():
    hasher = cheap_hasher()
    made = await hasher.hash("correct horse")
    assert made.startswith("$argon2id$")
    assert "correct horse" not in made
    assert await hasher.verify(made, "correct horse")
    assert not await hasher.verify(made, "battery staple")
    assert await hasher.hash("correct horse") != made


@pytest.mark.parametrize("kept", ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$broken"])
async def test_what_is_no_hash_matches_nothing(kept: str):
    assert not await cheap_hasher().verify(kept, "anything")


async def test_an_account_that_does_not_exist_is_as_much_work(monkeypatch: pytest.MonkeyPatch):
    hasher = Argon2Hasher(time_cost=2, memory_kib=16, parallelism=1)
    made = await hasher.hash("correct horse")
    worked_on: list[str] = []
    matches = hasher._matches  # pyright: ignore[reportPrivateUsage] - to see what is computed

    def watch(password_hash: str, password: str) -> bool:
        worked_on.append(password_hash)
        return matches(password_hash, password)

    monkeypatch.setattr(hasher, "_matches", watch)
    assert not await hasher.verify(None, "anything")
    assert not await hasher.verify(made, "anything")
    nobody, somebody = (each.split("$") for each in worked_on)
    assert nobody[:4] == somebody[:4]  # the same algorithm, version and parameters
    assert [len(part) for part in nobody] == [len(part) for part in somebody]


async def test_a_hash_with_other_parameters_is_outdated():
    made = await cheap_hasher().hash("correct horse")
    assert not cheap_hasher().outdated(made)
    assert Argon2Hasher().outdated(made)
    assert await Argon2Hasher(time_cost=2, memory_kib=16).verify(made, "correct horse")


def test_the_parameters_are_those_of_rfc_9106():
    hasher = Argon2Hasher()
    assert not hasher.outdated("$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43)


def wait_for(go: Event) -> Callable[[str, str], bool]:
    """A check of a password that takes until a test says so."""
    return lambda _hash, _password: go.wait(10)


async def test_only_so_many_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch):
    hasher = cheap_hasher()
    go = Event()
    monkeypatch.setattr(hasher, "_matches", wait_for(go))
    waiting = [asyncio.create_task(hasher.verify("x", "y")) for _ in range(64)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await hasher.verify("x", "y")
    assert caught.value.retry_after == 1
    go.set()
    assert all(await asyncio.gather(*waiting))
    assert await hasher.verify("x", "y")


async def test_who_goes_away_while_waiting_leaves_the_place_to_others(monkeypatch: pytest.MonkeyPatch):
    hasher = cheap_hasher()
    go = Event()
    monkeypatch.setattr(hasher, "_matches", wait_for(go))
    at_work = [asyncio.create_task(hasher.verify("x", "y")) for _ in range(2)]
    queued = [asyncio.create_task(hasher.verify("x", "y")) for _ in range(62)]
    await asyncio.sleep(0)
    for task in queued:
        task.cancel()
    await asyncio.gather(*queued, return_exceptions=True)
    go.set()
    assert await hasher.verify("x", "y")
    assert all(await asyncio.gather(*at_work))


def test_new_passwords_have_bounds():
    check_new("123456")
    check_new("x" * 1024)
    with pytest.raises(PasswordTooShort):
        check_new("12345")
    with pytest.raises(InvalidArgument, match="at most 1024") as caught:
        check_new("x" * 1025, "new_password")
    assert caught.value.field == "new_password"
