"""A facade in front of a core that can answer."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from facade.credentials import SESSION_COOKIE
from tests.support.facade import Site, serve_facade
from tests.support.inference import Inference


@dataclass(slots=True)
class Counter:
    """Where inference is asked for over HTTP."""

    site: Site
    inference: Inference
    key: str  # an API key of the administrator's

    @property
    def bearer(self) -> dict[str, str]:
        """The headers of an API client."""
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def cookie(self) -> dict[str, str]:
        """The headers of a browser that is signed in."""
        return {"Cookie": f"{SESSION_COOKIE}={self.inference.person.token}"}

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """Asks with the key unless `headers` say otherwise. body: JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.site.client.post(path, headers=self.bearer if headers is None else headers, content=content)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.site.client.get(path, headers=self.bearer if headers is None else headers)


@pytest.fixture
async def counter(inference: Inference) -> AsyncIterator[Counter]:
    async with serve_facade(inference.core) as site:
        key, _ = await inference.core.credential(inference.person.id)
        yield Counter(site, inference, key)
