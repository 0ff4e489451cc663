"""Providers called from the command line: whether one answers, and how fast."""

import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from core.auth import NOBODY
from core.bootstrap import upstreams
from core.clock import Clock
from core.commands.failure import Failure
from core.commands.offline import opened
from core.commands.output import models
from core.deps import Deps
from core.dialects.openai.chat import CHAT
from core.dialects.table import DIALECTS
from core.errors import RefreshFailed, RouterError, UpstreamStatus
from core.ids import new_id
from core.providers.session import Session
from core.providers.upstream import Upstream
from core.routing.attempt import Whole, attempt
from core.routing.lookup import Candidate
from core.routing.reply import Ask
from core.secrets import Cipher
from core.settings import Settings
from core.store.providers import ProviderRow

_MAX_SHOWN = 500


MakeUpstream = Callable[[ProviderRow], Upstream]


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[tuple[Deps, MakeUpstream]]:
    """The parts of a core (core/commands/offline.py) that can call providers, and what makes the way to one."""
    made: list[MakeUpstream] = []
    async with Session() as session:

        def connect(settings: Settings, cipher: Cipher, clock: Clock) -> MakeUpstream:
            made.append(upstreams(settings, cipher, session, clock, new_id))
            return made[0]

        async with opened(settings, connect) as deps:
            yield deps, made[0]


async def test(make: MakeUpstream, row: ProviderRow, model: str) -> int:
    """Asks a provider, disabled or not, for its models, and a model for a word where one is named.

    Returns the exit code. Raises Failure where the provider's key can't be read.
    """
    try:
        upstream = make(row)
    except ValueError as error:
        raise Failure(f"{row.name}: {error}") from None
    began = time.monotonic()
    try:
        found = await upstream.models()
    except RefreshFailed as error:
        print(f"✗ {row.name}: {error}")
        if not model:
            return 1
    else:
        print(f"✓ {row.name} lists {models(len(found))} ({_took(began)})")
    return await _ask(upstream, model) if model else 0


async def _ask(upstream: Upstream, model: str) -> int:
    """Asks a model for a word, on the wire that its provider speaks."""
    said = {"model": model, "messages": [{"role": "user", "content": "Say OK."}], "max_completion_tokens": 16}
    body = json.dumps(said).encode()
    request = DIALECTS[CHAT].read_request(CHAT, body)
    ask = Ask(new_id("req"), CHAT, "", NOBODY, body)
    began = time.monotonic()
    status, answer = 0, b""
    try:
        found = await attempt(Candidate(upstream, model), request, ask, int(time.time()))
        assert isinstance(found, Whole)  # as it was not asked for a stream
        status, answer = found.status, found.body
    except UpstreamStatus as error:
        status, answer = error.status, error.body
    except RouterError as error:
        print(f"✗ {model}: {error}")
        return 1
    if status == 200:
        print(f"✓ {model} answers ({_took(began)})")
        return 0
    print(f"✗ {model}: status {status}: {answer[:_MAX_SHOWN].decode(errors='replace')}")
    return 1


def _took(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
