"""OpenAI's official client on files and batches, with a provider that keeps them behind the whole service."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import openai
import pytest

from core.store import providers
from llmrouter.v1 import admin_pb2
from llmrouter.v1 import router_pb2 as pb
from tests.support.inference import PROVIDER_KEY
from tests.support.objects_upstream import ObjectsUpstream
from tests.support.openai_upstream import PATIENCE, Gate, error, listening, raw, whole
from tests.support.router import Router, until

LINES = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
MOUNTS = ("/v1", "/api/v1", "/proxy/openai/v1")


@pytest.fixture
async def openai_upstream() -> AsyncIterator[ObjectsUpstream]:
    async with listening(ObjectsUpstream()) as upstream:
        yield upstream


@pytest.fixture
async def client(router: Router) -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(router, router.key) as client:
        yield client


@pytest.fixture
async def stranger(router: Router) -> AsyncIterator[openai.AsyncOpenAI]:
    """Somebody else's client."""
    person = await router.inference.core.user("stranger")
    key, _ = await router.inference.core.credential(person.id)
    async with client_of(router, key) as client:
        yield client


def client_of(router: Router, key: str, mount: str = "/v1") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{router.site.url}{mount}", api_key=key, max_retries=0, timeout=20)


async def upload(client: openai.AsyncOpenAI, content: bytes = LINES, **options: Any) -> str:
    return (await client.files.create(file=("requests.jsonl", content), purpose="batch", **options)).id


async def begin(client: openai.AsyncOpenAI, **fields: Any) -> Any:
    name = fields.pop("input_file_id", "") or await upload(client)
    return await client.batches.create(
        input_file_id=name, endpoint="/v1/chat/completions", completion_window="24h", **fields
    )


async def add_provider(router: Router, name: str, base_url: str, kind: str = "openai") -> None:
    deps = router.inference.core.deps
    async with deps.database.write() as connection:
        await providers.add(
            connection,
            name=name,
            type=kind,
            base_url=base_url,
            api_key=deps.cipher.encrypt("sk-another-key"),
            enabled=True,
            source="api",
            now=deps.clock.now(),
        )
    await deps.catalog.load()


@pytest.mark.parametrize("mount", MOUNTS)
async def test_a_file_is_uploaded_looked_at_read_and_deleted(
    router: Router, openai_upstream: ObjectsUpstream, mount: str
):
    content = b"--not-a-boundary\r\n\x00\xff" + LINES * 5000
    async with client_of(router, router.key, mount) as client:
        made = await client.files.create(
            file=('with "quotes".jsonl', content), purpose="batch", expires_after={"anchor": "created_at", "seconds": 1}
        )
        sent = await openai_upstream.received()
        assert (sent.method, sent.path) == ("POST", "/v1/files")
        assert sent.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
        for field in (b'name="expires_after[anchor]"\r\n\r\ncreated_at', b'name="purpose"\r\n\r\nbatch'):
            assert field in sent.body
        assert b'filename="with %22quotes%22.jsonl"' in sent.body
        assert openai_upstream.contents[made.id] == content
        assert (await client.files.retrieve(made.id)).bytes == len(content)
        assert (await client.files.content(made.id)).content == content
        assert [file.id async for file in client.files.list()] == [made.id]
        assert (await client.files.delete(made.id)).deleted
        assert [file.id async for file in client.files.list()] == []
        with pytest.raises(openai.NotFoundError):
            await client.files.retrieve(made.id)
    assert await router.inference.records() == []


async def test_a_large_file_comes_as_the_provider_sends_it(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    content = bytes(range(256)) * 8000
    name = await upload(client, content)
    async with client.files.with_streaming_response.content(name) as answer:
        assert b"".join([piece async for piece in answer.iter_bytes()]) == content
    openai_upstream.listing = whole(content, missing=100)
    with pytest.raises(openai.APIConnectionError):
        await client.files.content(name)


async def test_files_are_listed_in_pages_and_by_purpose(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    names: list[str] = []
    for _ in range(3):
        names.append(await upload(client))
        router.inference.core.clock.advance(1)
    assert [file.id async for file in client.files.list(limit=1)] == names[::-1]
    assert [file.id async for file in client.files.list(limit=2, order="asc")] == names
    assert [file.id async for file in client.files.list(purpose="fine-tune")] == []
    with pytest.raises(openai.BadRequestError):
        await client.files.list(after="file-nobody-has")


async def test_what_is_anothers_is_not_there(
    router: Router, client: openai.AsyncOpenAI, stranger: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    batch = await begin(client)
    name, asked = batch.input_file_id, len(openai_upstream.requests)
    for call in (
        stranger.files.retrieve(name),
        stranger.files.content(name),
        stranger.files.delete(name),
        stranger.files.retrieve("file-unknown"),
        stranger.batches.retrieve(batch.id),
        stranger.batches.cancel(batch.id),
    ):
        with pytest.raises(openai.NotFoundError) as refused:
            await call
        assert refused.value.code == "not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        await begin(stranger, input_file_id=name)
    assert refused.value.param == "input_file_id"
    assert [file async for file in stranger.files.list()] == []
    assert [each async for each in stranger.batches.list()] == []
    assert openai_upstream.looks == []
    assert len(openai_upstream.requests) == asked
    assert openai_upstream.deleted == []


async def test_a_file_that_is_anothers_already_is_not_given_away(
    client: openai.AsyncOpenAI, stranger: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    """A provider that takes equal files for one gives both their callers the same id."""
    openai_upstream.next_name = "file-same"
    assert await upload(client) == await upload(client) == "file-same"
    with pytest.raises(openai.InternalServerError, match="in use already"):
        await upload(stranger)
    with pytest.raises(openai.NotFoundError):
        await stranger.files.retrieve("file-same")


async def test_a_batch_is_carried_out_and_accounted_for_once(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    batch = await begin(client, metadata={"for": "tests"}, extra_body={"new": 1.0})
    sent = openai_upstream.requests[-1]
    assert b'"new":1.0' in sent.body
    assert sent.json["input_file_id"] == batch.input_file_id
    assert (await client.batches.retrieve(batch.id)).status == "validating"
    assert await router.inference.records() == []
    openai_upstream.finish(batch.id)
    for _ in range(2):
        await client.batches.retrieve(batch.id)
    done = await client.batches.retrieve(batch.id)
    assert done.output_file_id == f"out-{batch.id}"
    assert (await client.files.content(done.output_file_id or "")).text == '{"custom_id":"1"}\n'
    assert {file.id async for file in client.files.list()} == {batch.input_file_id, done.output_file_id}
    record = await router.record()
    assert (record.operation, record.outcome, record.provider) == ("batch", "answered", "upstream")
    assert (record.user_id, record.credential_id) == (router.inference.person.id, router.key_id)
    assert (record.input_tokens, record.cached_input_tokens) == (1000, 200)
    assert (record.output_tokens, record.reasoning_tokens) == (500, 100)
    assert (record.token_source, record.cost_nanousd) == ("provider", None)


async def test_batches_are_looked_after_when_nobody_asks(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    first, second = [(await begin(client)).id for _ in range(2)]
    batches, clock = router.inference.core.deps.batches, router.inference.core.clock
    assert await batches.look_after() == 0
    openai_upstream.finish(first)
    openai_upstream.finish(second, "failed")
    clock.advance(61)
    assert await batches.look_after() == 2
    assert sorted(record.outcome for record in await router.records(2)) == ["answered", "failed"]
    clock.advance(3600)
    assert await batches.look_after() == 0
    assert {batch.status async for batch in client.batches.list()} == {"completed", "failed"}


async def test_a_batch_whose_provider_is_gone_is_accounted_for_at_last(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    batch = await begin(client)
    deps, clock = router.inference.core.deps, router.inference.core.clock
    async with deps.database.write() as connection:
        (provider,) = [row for row in await providers.all_rows(connection) if row.name == "upstream"]
        await providers.remove(connection, provider.id)
    await deps.catalog.load()
    with pytest.raises(openai.NotFoundError):
        await client.batches.retrieve(batch.id)
    clock.advance(timedelta(days=7).total_seconds())
    assert await deps.batches.look_after() == 1
    assert await router.inference.records() == []
    clock.advance(timedelta(days=2).total_seconds())
    assert await deps.batches.look_after() == 1
    record = await router.record()
    assert (record.outcome, record.provider, record.cost_nanousd) == ("lost", "upstream", None)
    assert await deps.batches.look_after() == 0


async def test_batches_are_listed_as_they_are_now_and_cancelled(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    names: list[str] = []
    for _ in range(3):
        names.append((await begin(client)).id)
        router.inference.core.clock.advance(1)
    assert (await client.batches.cancel(names[0])).status == "cancelling"
    openai_upstream.finish(names[1])
    found = [(batch.id, batch.status) async for batch in client.batches.list(limit=2)]
    assert found == [(names[2], "validating"), (names[1], "completed"), (names[0], "cancelling")]
    openai_upstream.listing = raw(b"")
    assert [batch.id async for batch in client.batches.list()] == names[::-1]


async def test_the_calls_count_as_requests(router: Router, client: openai.AsyncOpenAI):
    inference = router.inference
    request = admin_pb2.CreateLimitRequest(scope=admin_pb2.LIMIT_SCOPE_USER, scope_id="*", requests_per_minute=2)
    await inference.core.administration.CreateLimit(request, metadata=inference.metadata)
    await upload(client)
    await client.batches.list()
    for call in (upload(client), client.files.list(), client.files.content("file-1"), begin(client)):
        with pytest.raises(openai.RateLimitError, match="2 requests per minute"):
            await call
    inference.core.clock.advance(121)
    await client.files.list()


@pytest.mark.parametrize(
    ("status", "raised"),
    [(400, openai.BadRequestError), (401, openai.AuthenticationError), (429, openai.RateLimitError)],
)
async def test_the_providers_errors_are_mirrored(
    client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream, status: int, raised: type[openai.APIStatusError]
):
    name = await upload(client)
    openai_upstream.script(*[error(status, retry_after="7")] * 3)
    openai_upstream.listing = error(status)
    for call in (upload(client), client.files.delete(name), begin(client, input_file_id=name)):
        with pytest.raises(raised, match="the provider's own words") as refused:
            await call
        assert refused.value.type == "provider_error"
        assert refused.value.response.headers.get("retry-after") == "7"
    for call in (client.files.retrieve(name), client.files.content(name)):
        with pytest.raises(raised, match="the provider's own words"):
            await call


@pytest.mark.parametrize("answer", [whole(b"[]"), whole(b'{"id": "../../models"}'), whole(b"no JSON"), raw(b"")])
async def test_an_answer_that_is_no_object_is_the_providers_fault(
    client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream, answer: Any
):
    openai_upstream.script(answer)
    with pytest.raises(openai.InternalServerError) as refused:
        await upload(client)
    assert refused.value.status_code == 502


async def test_the_provider_is_named_where_there_are_several(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    async with listening(ObjectsUpstream()) as other:
        other.next_name = "file-other"
        await add_provider(router, "other", other.base_url)
        with pytest.raises(openai.BadRequestError, match="x-llmrouter-provider"):
            await upload(client)
        assert await upload(client, extra_headers={"x-llmrouter-provider": "other"}) == "file-other"
        for name in ("echo", "nobody"):
            with pytest.raises(openai.BadRequestError, match="keeps no files"):
                await upload(client, extra_headers={"x-llmrouter-provider": name})
        batch = await begin(client, input_file_id="file-other")
        assert list(other.batches) == [batch.id]
        assert openai_upstream.requests == []


async def test_a_provider_without_files_is_not_asked(router: Router, client: openai.AsyncOpenAI):
    deps = router.inference.core.deps
    async with deps.database.write() as connection:
        (row,) = [row for row in await providers.all_rows(connection) if row.name == "upstream"]
        await providers.change(connection, row.id, {"type": "openai-compatible"}, now=deps.clock.now())
    await deps.catalog.load()
    with pytest.raises(openai.BadRequestError, match="no provider here keeps files"):
        await upload(client)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"input_file_id": 1}',
        b"{}",
        b'{"input_file_id": "file-1", "input_blob": "https://example.com"}',
    ],
)
async def test_a_batch_that_can_not_be_read_is_refused(router: Router, client: openai.AsyncOpenAI, body: bytes):
    await upload(client)
    status, said = await router.answer("/v1/batches", body)
    assert (status, json.loads(said)["error"]["type"]) == (400, "invalid_request_error")
    assert len(router.upstream.requests) == 1


async def test_a_field_that_is_there_twice_means_one_thing(router: Router, client: openai.AsyncOpenAI):
    await upload(client)
    status, _ = await router.answer("/v1/batches", b'{"input_file_id": "file-anothers", "input_file_id": "file-1"}')
    assert status == 200
    assert router.upstream.requests[-1].body == b'{"input_file_id":"file-1"}'


async def test_who_is_nobody_is_told_so_first(router: Router):
    async with client_of(router, "sk_wrong") as nobody:
        for call in (upload(nobody), nobody.files.list(), nobody.files.content("file-1"), nobody.batches.list()):
            with pytest.raises(openai.AuthenticationError):
                await call
    assert router.upstream.requests == []


async def test_a_caller_who_goes_away_leaves_no_batch_unknown(
    router: Router, client: openai.AsyncOpenAI, openai_upstream: ObjectsUpstream
):
    name, gate = await upload(client), Gate()
    batch = openai_upstream.begin({"input_file_id": name})
    openai_upstream.script(whole(json.dumps(batch).encode(), gate=gate))
    call = router.inference.router.CreateBatch(
        pb.CreateBatchRequest(batch_json=json.dumps({"input_file_id": name})), metadata=router.inference.metadata
    )
    await until(lambda: gate.waiting == 1)
    call.cancel()
    gate.open()
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while not found:
            found = [each.id async for each in client.batches.list()]
    assert found == [batch["id"]]
