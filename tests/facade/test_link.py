"""The link to the core, seen from the facade: what it says where the core does not take it."""

import asyncio
import logging

import pytest

from core.rpc import server
from facade import relay_call
from facade.relay_call import open_relay
from tests.support.core import CoreFactory
from tests.support.database import on_sqlite
from tests.support.facade import SiteFactory

pytestmark = on_sqlite

PATIENCE = 10.0


class Told(logging.Handler):
    """Hears what the link says, and wakes who waits for so many attempts of it."""

    def __init__(self, attempts: int) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.enough = asyncio.Event()
        self._left = attempts

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "facade.relay":
            self.messages.append(record.getMessage())
        elif "Relay" in str(getattr(record, "method", "")):  # the core's own line for each attempt
            self._left -= 1
            if not self._left:
                self.enough.set()


async def test_a_facade_with_another_secret_key_says_so_once(site_factory: SiteFactory):
    told, root = Told(attempts=3), logging.getLogger()
    level = root.level
    root.addHandler(told)
    root.setLevel(logging.INFO)
    try:
        async with site_factory(internal_token="of another secret key"), asyncio.timeout(PATIENCE):
            await told.enough.wait()
    finally:
        root.removeHandler(told)
        root.setLevel(level)
    (said,) = told.messages
    assert "LLMROUTER_SECRET_KEY" in said


async def test_an_idle_link_over_tcp_is_kept_up_by_pings_and_the_core_takes_them(
    core_factory: CoreFactory, monkeypatch: pytest.MonkeyPatch
):
    assert relay_call._PING_EVERY * 1000 > server._OFTEN_ENOUGH_MS  # pyright: ignore[reportPrivateUsage] - else it hangs up
    monkeypatch.setattr(relay_call, "_PING_EVERY", 0.02)
    monkeypatch.setattr(server, "_OFTEN_ENOUGH_MS", 1)
    async with core_factory() as core:
        call = await open_relay(core.target, core.as_facade, lambda _: None, PATIENCE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(call.over), 0.2)
        call.reset()
        await asyncio.wait_for(call.over, PATIENCE)
