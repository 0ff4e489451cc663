"""An API key of the test's own, the clients that use it, and what the router has on record of it.

    def test_…(account: Account):
        account.client().chat.completions.create(…)
        (record,) = account.records(1)
        assert tokens_of(record) == tokens_in(completion.usage)

Records are read through UsageService.ListUsageRecords, as an operator reads them.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import openai
import pytest
from openai.types import CompletionUsage

from llmrouter.v1 import router_pb2, usage_pb2, usage_pb2_grpc
from tests.support.plain_http import PLAIN
from tests.support.service import Service

if TYPE_CHECKING:
    Stub = usage_pb2_grpc.UsageServiceStub

MOUNTS = ("/v1", "/api/v1")

# How long a record may take, in seconds, and how long between two looks.
_PATIENCE = 15.0
_STEP = 0.02

Tokens = tuple[int, int, int, int]
"""Input, output, and of these: cached and reasoning."""


def tokens_of(record: usage_pb2.UsageRecord) -> Tokens:
    """The tokens on record, which the provider must have reported."""
    tokens = record.tokens
    assert tokens.source == router_pb2.TOKEN_SOURCE_PROVIDER
    return tokens.input_tokens, tokens.output_tokens, tokens.cached_input_tokens, tokens.reasoning_tokens


def tokens_in(usage: CompletionUsage | None) -> Tokens:
    """The tokens in an answer."""
    assert usage is not None
    given, made = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = (given.cached_tokens if given else 0) or 0
    reasoning = (made.reasoning_tokens if made else 0) or 0
    return usage.prompt_tokens, usage.completion_tokens, cached, reasoning


@dataclass
class Account:
    """A key, and what is done with it."""

    service: Service
    key: str = field(repr=False)
    key_id: int
    usage: "Stub"
    _ending: ExitStack

    def client(
        self, mount: str = "/v1", *, api_key: str = "", max_retries: int = 0, timeout: float = 30.0
    ) -> openai.OpenAI:
        """OpenAI's client, as anybody would make it but for its retries, which would be further requests.

        api_key: another one than the account's; timeout: in seconds.
        """
        return self._ending.enter_context(
            openai.OpenAI(
                base_url=f"{self.service.base_url}{mount}",
                api_key=api_key or self.key,
                max_retries=max_retries,
                timeout=timeout,
                http_client=openai.DefaultHttpxClient(**PLAIN),
            )
        )

    def async_client(self, mount: str = "/v1") -> openai.AsyncOpenAI:
        """OpenAI's asynchronous client; use it in `async with`."""
        return openai.AsyncOpenAI(
            base_url=f"{self.service.base_url}{mount}",
            api_key=self.key,
            max_retries=0,
            timeout=30.0,
            http_client=openai.DefaultAsyncHttpxClient(**PLAIN),
        )

    def records(self, count: int) -> list[usage_pb2.UsageRecord]:
        """The records of this key, the oldest first: exactly so many, as soon as they are there.

        Call it in a thread from a test whose event loop still has to close a connection.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            self._pass_the_journal(deadline)
            found = self._found(credential_id=self.key_id)
            assert len(found) <= count, f"{len(found)} records of {count} requests: {found}"
            if len(found) == count:
                return found

    def record(self) -> usage_pb2.UsageRecord:
        """The one record of this key."""
        return self.records(1)[0]

    def _pass_the_journal(self, deadline: float) -> None:
        """Waits for the record of a request that is made now: in one journal, all before it are then there too."""
        headers = {"Authorization": f"Bearer {self.service.key}"}
        url, body = f"{self.service.base_url}/v1/embeddings", {"model": "no such model", "input": ""}
        with httpx.Client(**PLAIN, headers=headers, timeout=_PATIENCE) as client:
            request_id = client.post(url, json=body).headers["x-request-id"]
        while not self._found(request_id=request_id):
            assert time.monotonic() < deadline, "the usage records do not come"
            time.sleep(_STEP)

    def _found(self, **selection: Any) -> list[usage_pb2.UsageRecord]:
        request = usage_pb2.ListUsageRecordsRequest(page_size=1000, **selection)
        metadata = (("x-api-key", self.service.key),)
        return list(reversed(self.usage.ListUsageRecords(request, metadata=metadata, timeout=_PATIENCE).records))


@pytest.fixture(scope="session")
def usage_stub(service: Service) -> Iterator["Stub"]:
    """The way to the records."""
    with grpc.insecure_channel(service.grpc_target) as channel:
        yield usage_pb2_grpc.UsageServiceStub(channel)


@pytest.fixture
def account(service: Service, usage_stub: "Stub") -> Iterator[Account]:
    """A key with nothing on record."""
    with ExitStack() as ending:
        cookies = {"session": service.session}
        with httpx.Client(base_url=service.base_url, cookies=cookies, **PLAIN, timeout=20) as client:
            made = client.post("/api/keys", json={"name": "a test's own"}).raise_for_status().json()
        yield Account(service, made["value"], made["id"], usage_stub, ending)


@pytest.fixture(params=MOUNTS)
def mount(request: pytest.FixtureRequest) -> str:
    """Each place where OpenAI's API is mounted."""
    return request.param
