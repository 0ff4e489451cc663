"""The providers that the end-to-end suites run against, behind one whole service.

    async def test_…(provider: Provider):     once against the fake one, and once against a real model server

The fake one is always there. The real one is llama.cpp's own server with a tiny model; tests with it carry the
mark `real`, which `make e2e-real` selects and `make test` does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.fake import server, wire
from tests.e2e.fake.process import FakeProvider, running_fake_provider
from tests.e2e.real.model_server import running_model_server
from tests.e2e.real.tiny_gguf import ANSWER_PIECES, STRING_VALUE
from tests.support.database import in_thread
from tests.support.service import Service


@dataclass(frozen=True, slots=True)
class Provider:
    """What is known beforehand of a provider and of what it answers."""

    name: str  # as it is registered
    chat_model: str
    embedding_model: str
    pieces: tuple[str, ...]  # of every answer to a chat; each is a token, and comes in an event of its own
    sample: str  # a text that a schema asks for, a tool's argument for example
    dimensions: int  # of an embedding

    @property
    def answer(self) -> str:
        """What every chat is answered."""
        return "".join(self.pieces)


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeProvider]:
    """The fake provider's process."""
    with running_fake_provider() as running:
        yield running


@pytest.fixture(scope="session")
def fake_provider(service: Service, fake: FakeProvider) -> Provider:
    """The fake provider, registered with the service."""
    in_thread(service.add_provider(fake.base_url, name="fake", api_key=server.KEY))
    return Provider("fake", wire.CHAT_MODEL, wire.EMBEDDING_MODEL, wire.PIECES, wire.SAMPLE, wire.DIMENSIONS)


@pytest.fixture(scope="session")
def real_provider(service: Service) -> Iterator[Provider]:
    """A real model server, registered with the service."""
    with running_model_server(api_key="sk-real-provider") as running:
        registered = in_thread(
            service.add_provider(running.base_url, name="real", type="llamacpp", api_key=running.api_key)
        )
        assert registered["runtime_models"] == [running.chat_model]
        yield Provider(
            "real",
            running.chat_model,
            running.embedding_model,
            ANSWER_PIECES,
            STRING_VALUE,
            running.embedding_dimensions,
        )


@pytest.fixture(scope="session", params=["fake", pytest.param("real", marks=pytest.mark.real)])
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each of them."""
    return request.getfixturevalue(f"{request.param}_provider")
