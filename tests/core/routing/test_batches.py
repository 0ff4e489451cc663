"""Whose requests may be put into a batch."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from core.auth import NOBODY, Principal
from core.errors import Forbidden, Unpriced
from core.providers.objects import Body
from core.routing.batches import Batches
from core.routing.objects import Maker, Objects
from core.store import users
from tests.core.routing.conftest import Stage
from tests.support.objects_upstream import ObjectsUpstream
from tests.support.openai_upstream import listening
from tests.support.till import add_budget

DEPLOYMENT = ("deployment", "")
FORM = Body(b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n{}\r\n--b--', "x; boundary=b")


@dataclass
class Desk:
    """Where batches are handed in."""

    batches: Batches
    upstream: ObjectsUpstream
    who: Principal
    file: str

    async def create(self, **who: Any) -> str:
        text = f'{{"input_file_id": "{self.file}"}}'
        return await self.batches.create(Maker(replace(self.who, **who), "openai"), text)


@pytest.fixture
async def desk(stage: Stage) -> AsyncIterator[Desk]:
    async with stage.database.write() as connection:
        user = await users.add(
            connection, email="a@b.c", username="a", password_hash="", role="user", now=stage.clock.now()
        )
    async with listening(ObjectsUpstream()) as upstream:
        await stage.declare("upstream", type="openai", base_url=upstream.base_url)
        objects = Objects(stage.database, stage.clock, stage.catalog)
        who = replace(NOBODY, user_id=user.id)
        await objects.upload(Maker(who, "openai"), "", "batch", FORM)
        batches = Batches(stage.database, stage.clock, objects, stage.pipeline)
        yield Desk(batches, upstream, who, next(iter(upstream.files)))


async def test_a_hard_budget_refuses_a_batch_unless_the_key_may(stage: Stage, desk: Desk):
    await add_budget(stage.database, 1_000_000_000, scope=DEPLOYMENT, hard=True)
    with pytest.raises(Unpriced, match="not known before it is over"):
        await desk.create()
    assert desk.upstream.batches == {}
    await desk.create(allow_unpriced=True)
    assert len(desk.upstream.batches) == 1


async def test_a_budget_that_only_watches_refuses_nothing(stage: Stage, desk: Desk):
    await add_budget(stage.database, 1, scope=DEPLOYMENT, hard=False)
    await desk.create()
    assert len(desk.upstream.batches) == 1


@pytest.mark.parametrize("cap", ["max_output_tokens", "max_reasoning_tokens"])
async def test_a_key_whose_output_is_capped_has_no_batches(desk: Desk, cap: str):
    with pytest.raises(Forbidden):
        await desk.create(**{cap: 100})
    assert desk.upstream.batches == {}
