"""The models that providers had, on both databases."""

import pytest
from sqlalchemy.exc import IntegrityError

from core.store import model_lists, providers
from core.store.database import Database
from core.store.model_lists import ModelList
from tests.support.clock import FakeClock

NOW = FakeClock().now()


async def test_the_last_list_of_a_provider_is_kept_until_it_goes(database: Database):
    async with database.write() as connection:
        row = await providers.add(
            connection, name="a", type="openai", base_url="http://a", enabled=True, source="api", now=NOW
        )
    for models in (("m", "n"), ("größer", "x" * 300), ()):
        pulled = ModelList("http://a", models, NOW)
        async with database.write() as connection:
            await model_lists.keep(connection, database, row.id, pulled)
        async with database.read() as connection:
            assert await model_lists.all_lists(connection) == {row.id: pulled}
    async with database.write() as connection:
        await providers.remove(connection, row.id)
        assert await model_lists.all_lists(connection) == {}


async def test_a_list_of_a_provider_that_is_gone_is_refused(database: Database):
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await model_lists.keep(connection, database, 77, ModelList("http://a", ("m",), NOW))
