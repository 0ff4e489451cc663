"""Callers of the cost control surface: they bring an access token."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.support.core import PASSWORD, Person
from tests.support.facade import Site

Bearer = Callable[[Person], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def bearer(site: Site) -> Bearer:
    """Makes a client with a person's access token."""

    async def make(person: Person) -> httpx.AsyncClient:
        form = {"username": person.email, "password": PASSWORD}
        token = (await site.client.post("/api/auth/token", data=form)).json()["access_token"]
        return await site.open_client(headers={"Authorization": f"Bearer {token}"})

    return make
