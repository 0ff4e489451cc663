"""The overview over HTTP, as documented."""

from datetime import timedelta
from typing import Any

import pytest

from core.ledger.summing import Summing
from core.store import usage
from tests.facade.surfaces.cost_control.conftest import Bearer
from tests.support.database import on_sqlite
from tests.support.facade import Site
from tests.support.records import START, usage_record

pytestmark = on_sqlite

PATH = "/api/metrics/overview"


async def test_the_overview_is_as_documented(site: Site, bearer: Bearer):
    user, admin = await site.core.user(), await bearer(await site.core.admin())
    answered: dict[str, Any] = {"user_id": user.id, "project": "AI Chatbot", "prompt_hash": "a" * 64}
    database = site.core.deps.database
    async with database.write() as connection:
        await usage.insert_records(
            connection,
            database,
            [
                usage_record("a", cost_nanousd=12_500_000_000, input_tokens=1000, output_tokens=250, **answered),
                usage_record("b", cost_nanousd=250_000_000, **answered),
                usage_record("c", at=START - timedelta(days=1), cost_nanousd=1_000_000_000),
            ],
        )
    await Summing(database).add()
    response = await admin.get(PATH)
    found = response.json()
    assert (response.status_code, found["cost"].pop("forecasted_month_end")) == (200, pytest.approx(377.94, abs=0.01))
    assert found == {
        "cost": {
            "spend_today": 12.75,
            "spend_mtd": 13.75,
            "spend_ytd": 13.75,
            "total_requests": 3,
            "total_tokens": 1250,
        },
        "top_users": [{"user_email": user.email, "total_cost": 12.75, "request_count": 2}],
        "top_projects": [{"project_name": "AI Chatbot", "total_cost": 12.75, "request_count": 2}],
        "waste": {
            "repeated_prompts_count": 1,
            "estimated_waste": 0.25,
            "top_repeated_hashes": [{"hash": "a" * 64, "count": 1, "estimated_waste": 0.25}],
        },
    }
    own = (await (await bearer(await site.core.user("other"))).get(PATH)).json()
    assert own["cost"]["total_requests"] == 0
    assert own["top_users"] == own["top_projects"] == own["waste"]["top_repeated_hashes"] == []


async def test_the_overview_is_for_people(site: Site):
    key, _ = await site.core.credential((await site.core.admin()).id)
    for headers in ({}, {"X-API-Key": key}):
        response = await site.client.get(PATH, headers=headers)
        assert response.status_code == 401
        assert list(response.json()) == ["detail"]
