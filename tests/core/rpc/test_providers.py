"""Providers through AdminService, with a catalog whose providers a test stocks."""

import asyncio
from collections.abc import AsyncIterator

import grpc.aio
import pytest
import sqlalchemy as sa
from google.protobuf.field_mask_pb2 import FieldMask

from core.routing.catalog import Catalog
from core.routing.health import Health
from core.store import changes, providers
from core.store.database import Database
from llmrouter.v1.admin_pb2 import (
    CreateModelEntryRequest,
    CreateProviderRequest,
    DeleteModelEntryRequest,
    DeleteProviderRequest,
    GetProviderRequest,
    ListProvidersRequest,
    ListProvidersResponse,
    Provider,
    ProviderTimeouts,
    RefreshProviderModelsRequest,
    UpdateProviderRequest,
)
from tests.support.clock import FakeClock
from tests.support.core import Core, CoreFactory, Person
from tests.support.database import on_sqlite
from tests.support.failures import failure_of
from tests.support.refusals import refused
from tests.support.upstreams import Shelf

KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def core(core_factory: CoreFactory, database: Database, shelf: Shelf) -> AsyncIterator[Core]:
    clock = FakeClock()
    catalog = Catalog(database, clock, Health(clock), shelf.make)
    async with core_factory(clock=clock, catalog=catalog) as core:
        yield core


@pytest.fixture
async def admin(core: Core) -> Person:
    return await core.admin()


async def create(core: Core, admin: Person, name: str = "main", kind: str = "openai", **fields: object) -> Provider:
    request = CreateProviderRequest(name=name, type=kind, **({"enabled": True} | fields))  # pyright: ignore[reportArgumentType] - fields of the message
    return (await core.administration.CreateProvider(request, metadata=admin.metadata)).provider


async def update(core: Core, admin: Person, provider_id: int, *paths: str, **fields: object) -> Provider:
    mask = FieldMask(paths=paths)
    request = UpdateProviderRequest(id=provider_id, update_mask=mask, **fields)  # pyright: ignore[reportArgumentType] - fields of the message
    return (await core.administration.UpdateProvider(request, metadata=admin.metadata)).provider


async def read(core: Core, admin: Person, provider_id: int) -> Provider:
    return (await core.administration.GetProvider(GetProviderRequest(id=provider_id), metadata=admin.metadata)).provider


async def list_all(core: Core, person: Person) -> ListProvidersResponse:
    return await core.administration.ListProviders(ListProvidersRequest(), metadata=person.metadata)


async def noted(core: Core) -> list[int]:
    """The providers that other processes will look at again."""
    async with core.deps.database.read() as connection:
        return [change.object_id for change in await changes.since(connection, 0) if change.kind == "provider"]


async def test_a_new_provider_answers_with_the_models_that_were_pulled(core: Core, admin: Person, shelf: Shelf):
    shelf.models["main"] = ["m1", "m2"]
    made = await create(core, admin, api_key=KEY, timeouts=ProviderTimeouts(idle_ms=9000))
    assert (made.name, made.type, made.base_url) == ("main", "openai", "https://api.openai.com/v1")
    assert (made.enabled, made.has_api_key, made.source) == (True, True, "api")
    assert (list(made.runtime_models), made.models_error) == (["m1", "m2"], "")
    assert made.timeouts == ProviderTimeouts(idle_ms=9000)
    now = core.clock.now()
    for moment in (made.created_at, made.updated_at, made.models_refreshed_at):
        assert moment.ToDatetime(now.tzinfo) == now
    assert await read(core, admin, made.id) == made
    assert await noted(core) == [made.id]


async def test_a_provider_whose_models_cannot_be_pulled_is_made_all_the_same(core: Core, admin: Person):
    made = await create(core, admin)
    assert (list(made.runtime_models), made.models_error) == ([], "nobody answers there")
    assert not made.HasField("models_refreshed_at")
    assert (await read(core, admin, made.id)).models_error == "nobody answers there"


async def test_a_disabled_provider_is_not_asked_for_its_models(core: Core, admin: Person, shelf: Shelf):
    shelf.models["main"] = ["m1"]
    made = await create(core, admin, enabled=False)
    assert (made.enabled, list(made.runtime_models), shelf.pulls) == (False, [], [])


async def test_the_key_is_stored_encrypted_and_no_answer_holds_it(core: Core, admin: Person):
    made = await create(core, admin, api_key=f" {KEY}\n")
    async with core.deps.database.read() as connection:
        row = await providers.get(connection, made.id)
    assert row is not None
    assert row.api_key is not None
    assert KEY.encode() not in row.api_key
    assert core.deps.cipher.decrypt(row.api_key) == KEY
    assert repr(row.api_key) not in repr(row)
    listed = await list_all(core, await core.user())
    assert listed.providers[0].has_api_key
    assert KEY.encode() not in made.SerializeToString() + listed.SerializeToString()


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "base_url", "stored"),
    [
        ("openai", "", ("openai", "https://api.openai.com/v1")),
        ("Claude", "", ("anthropic", "https://api.anthropic.com/v1")),
        ("google", "", ("gemini", "https://generativelanguage.googleapis.com/v1beta")),
        ("google", "https://g.internal/v1beta/openai", ("gemini", "https://g.internal/v1beta")),
        (
            "Azure OpenAI",
            "https://r.openai.azure.com?api-version=2024-10-21",
            ("azure", "https://r.openai.azure.com/openai/deployments?api-version=2024-10-21"),
        ),
        ("ollama", "http://10.0.0.7:11434", ("ollama", "http://10.0.0.7:11434/v1")),
        ("openai-compatible", "http://models.internal/v2/", ("openai-compatible", "http://models.internal/v2")),
        ("echo", "", ("echo", "")),
        ("ECHO", " ", ("echo", "")),
    ],
)
async def test_type_and_address_are_stored_in_their_canonical_form(
    core: Core, admin: Person, kind: str, base_url: str, stored: tuple[str, str]
):
    made = await create(core, admin, kind=kind, base_url=base_url)
    assert (made.type, made.base_url) == stored


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"name": ""}, "name", "1 to 100"),
        ({"name": "n" * 101}, "name", "1 to 100"),
        ({"name": "a/b"}, "name", "provider/model"),
        ({"name": "a\tb"}, "name", "control"),
        ({"name": "a\u200bb"}, "name", "printable"),
        ({"kind": "nobody"}, "type", "there are anthropic, "),
        ({"kind": ""}, "type", "openai, "),
        ({"kind": "openai-compatible"}, "base_url", "name yours"),
        ({"kind": "echo", "base_url": "http://localhost"}, "base_url", "no address"),
        ({"base_url": "ftp://models.internal"}, "base_url", "http://"),
        ({"base_url": "https://user:secret@models.internal"}, "base_url", "user name or password"),
        ({"base_url": "https://models.internal/v1?key=secret"}, "base_url", "query"),
        ({"base_url": "https://models.internal/" + "p" * 2000}, "base_url", "2000"),
        ({"api_key": "sk\r\nx-injected: 1"}, "api_key", "printable ASCII"),
        ({"api_key": "k" * 8193}, "api_key", "8192"),
        ({"timeouts": ProviderTimeouts(connect_ms=-1)}, "timeouts.connect_ms", "from 0"),
        ({"timeouts": ProviderTimeouts(first_byte_ms=2**40)}, "timeouts.first_byte_ms", "from 0"),
        ({"timeouts": ProviderTimeouts(idle_ms=86_400_001)}, "timeouts.idle_ms", "86400000"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_field_that_is_wrong(
    core: Core, admin: Person, fields: dict[str, object], field: str, says: str
):
    with refused("INVALID_ARGUMENT", field, says=says):
        await create(core, admin, **fields)  # pyright: ignore[reportArgumentType] - fields of the message
    assert await noted(core) == []


async def test_a_name_is_given_once_but_case_tells_names_apart(core: Core, admin: Person):
    await create(core, admin, "main")
    other = await create(core, admin, "Main")
    with refused("NAME_EXISTS", "name"):
        await create(core, admin, "main")
    with refused("NAME_EXISTS", "name"):
        await update(core, admin, other.id, name="main")
    assert (await read(core, admin, other.id)).name == "Main"


async def test_of_those_who_take_a_name_at_once_one_gets_it(core: Core, admin: Person):
    request = CreateProviderRequest(name="main", type="echo")
    calls = [core.administration.CreateProvider(request, metadata=admin.metadata) for _ in range(5)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    reasons = [failure_of(answer).reason for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert reasons == ["NAME_EXISTS"] * 4
    assert len((await list_all(core, admin)).providers) == 1


async def test_an_update_changes_what_its_mask_names_and_pulls_the_models_anew(core: Core, admin: Person, shelf: Shelf):
    made = await create(core, admin, api_key=KEY, timeouts=ProviderTimeouts(idle_ms=9000))
    shelf.models["other"] = ["m3"]
    core.clock.advance(60)
    changed = await update(core, admin, made.id, "name", name="other", type="groq", enabled=False)
    assert (changed.name, changed.type, changed.enabled, changed.has_api_key) == ("other", "openai", True, True)
    assert (list(changed.runtime_models), changed.models_error) == (["m3"], "")
    assert changed.timeouts == made.timeouts
    assert changed.created_at == made.created_at
    assert changed.updated_at.seconds == made.updated_at.seconds + 60
    assert await noted(core) == [made.id, made.id]


async def test_an_update_without_a_mask_changes_what_is_set(core: Core, admin: Person):
    made = await create(core, admin)
    changed = await update(
        core, admin, made.id, base_url="https://proxy.internal", timeouts=ProviderTimeouts(idle_ms=1)
    )
    assert (changed.base_url, changed.timeouts.idle_ms) == ("https://proxy.internal/v1", 1)
    assert (changed.name, changed.enabled) == ("main", True)


async def test_an_update_that_cannot_reach_the_provider_succeeds_and_says_so(core: Core, admin: Person, shelf: Shelf):
    shelf.models["main"] = ["m1"]
    made = await create(core, admin)
    del shelf.models["main"]
    changed = await update(core, admin, made.id, base_url="https://elsewhere.internal")
    assert (list(changed.runtime_models), changed.models_error) == ([], "nobody answers there")


async def test_disabling_clears_the_models_and_enabling_pulls_them(core: Core, admin: Person, shelf: Shelf):
    shelf.models["main"] = ["m1"]
    made = await create(core, admin)
    disabled = await update(core, admin, made.id, "enabled", enabled=False)
    assert (disabled.enabled, list(disabled.runtime_models)) == (False, [])
    enabled = await update(core, admin, made.id, "enabled", enabled=True)
    assert (enabled.enabled, list(enabled.runtime_models)) == (True, ["m1"])


async def test_an_empty_key_leaves_the_old_one(core: Core, admin: Person):
    made = await create(core, admin, api_key=KEY)
    changed = await update(core, admin, made.id, "api_key", "enabled", api_key=" ", enabled=True)
    assert changed.has_api_key
    await update(core, admin, made.id, "api_key", api_key="another")
    async with core.deps.database.read() as connection:
        row = await providers.get(connection, made.id)
    assert row is not None
    assert core.deps.cipher.decrypt(row.api_key or b"") == "another"


@on_sqlite
async def test_another_type_brings_its_own_address_unless_the_user_gave_one(core: Core, admin: Person):
    made = await create(core, admin)
    assert (await update(core, admin, made.id, type="groq")).base_url == "https://api.groq.com/openai/v1"
    given = "https://proxy.internal/openai"
    assert (await update(core, admin, made.id, base_url=given)).base_url == given
    assert (await update(core, admin, made.id, type="mistral")).base_url == given
    assert (await update(core, admin, made.id, "base_url")).base_url == "https://api.mistral.ai/v1"
    assert (await update(core, admin, made.id, type="echo")).base_url == ""
    assert (await update(core, admin, made.id, type="openai")).base_url == "https://api.openai.com/v1"


@on_sqlite
async def test_an_update_is_checked_like_a_creation(core: Core, admin: Person):
    made = await create(core, admin)
    with refused("INVALID_ARGUMENT", "name"):
        await update(core, admin, made.id, "name", name="")
    with refused("INVALID_ARGUMENT", "type"):
        await update(core, admin, made.id, type="nobody")
    with refused("INVALID_ARGUMENT", "base_url"):
        await update(core, admin, made.id, type="openai-compatible")
    with refused("INVALID_ARGUMENT", "timeouts.idle_ms"):
        await update(core, admin, made.id, timeouts=ProviderTimeouts(idle_ms=-1))
    with refused("INVALID_ARGUMENT", "update_mask"):
        await update(core, admin, made.id, "source")
    with refused("NO_CHANGES"):
        await update(core, admin, made.id)
    assert await read(core, admin, made.id) == made


async def test_a_refresh_pulls_the_models_and_tells_the_other_processes(core: Core, admin: Person, shelf: Shelf):
    made = await create(core, admin)
    shelf.models["main"] = ["m1"]
    request = RefreshProviderModelsRequest(id=made.id)
    answer = await core.administration.RefreshProviderModels(request, metadata=admin.metadata)
    assert (list(answer.provider.runtime_models), answer.provider.models_error) == (["m1"], "")
    assert await noted(core) == [made.id, made.id]


async def test_a_refresh_that_fails_says_so_and_keeps_the_models(core: Core, admin: Person, shelf: Shelf):
    shelf.models["main"] = ["m1"]
    made = await create(core, admin)
    del shelf.models["main"]
    with refused("REFRESH_FAILED", says="nobody answers there"):
        await core.administration.RefreshProviderModels(
            RefreshProviderModelsRequest(id=made.id), metadata=admin.metadata
        )
    now = await read(core, admin, made.id)
    assert (list(now.runtime_models), now.models_error) == (["m1"], "nobody answers there")


@on_sqlite
async def test_a_disabled_provider_cannot_be_refreshed(core: Core, admin: Person):
    made = await create(core, admin, enabled=False)
    with refused("REFRESH_FAILED", says="disabled"):
        await core.administration.RefreshProviderModels(
            RefreshProviderModelsRequest(id=made.id), metadata=admin.metadata
        )


async def test_a_provider_that_another_process_made_can_be_refreshed(
    core: Core, admin: Person, shelf: Shelf, core_factory: CoreFactory
):
    shelf.models["main"] = ["m1"]
    made = await create(core, admin)
    catalog = Catalog(core.deps.database, core.clock, Health(core.clock), shelf.make)
    async with core_factory(catalog=catalog) as other:
        request = RefreshProviderModelsRequest(id=made.id)
        answer = await other.administration.RefreshProviderModels(request, metadata=admin.metadata)
    assert list(answer.provider.runtime_models) == ["m1"]


async def test_a_removed_provider_is_gone_with_its_models(core: Core, admin: Person, shelf: Shelf):
    shelf.models["main"] = ["m1"]
    made = await create(core, admin)
    entry = CreateModelEntryRequest(provider_id=made.id, name="by-hand")
    await core.administration.CreateModelEntry(entry, metadata=admin.metadata)
    await core.administration.DeleteProvider(DeleteProviderRequest(id=made.id), metadata=admin.metadata)
    assert not (await list_all(core, admin)).providers
    assert not core.deps.catalog.models()
    async with core.deps.database.read() as connection:
        left = (await connection.execute(sa.text("SELECT count(*) FROM model_entries"))).scalar()
    assert left == 0
    assert await noted(core) == [made.id] * 3


@on_sqlite
async def test_what_is_not_there_is_not_found(core: Core, admin: Person):
    made = await create(core, admin)
    with refused("NOT_FOUND"):
        await read(core, admin, made.id + 1)
    with refused("NOT_FOUND"):
        await update(core, admin, made.id + 1, name="other")
    calls = core.administration
    with refused("NOT_FOUND"):
        await calls.DeleteProvider(DeleteProviderRequest(id=-1), metadata=admin.metadata)
    with refused("NOT_FOUND"):
        await calls.RefreshProviderModels(RefreshProviderModelsRequest(id=0), metadata=admin.metadata)
    with refused("NOT_FOUND"):
        await calls.CreateModelEntry(CreateModelEntryRequest(provider_id=2**62, name="m"), metadata=admin.metadata)
    with refused("NOT_FOUND"):
        await calls.DeleteModelEntry(DeleteModelEntryRequest(provider_id=made.id, id=7), metadata=admin.metadata)


async def test_models_are_added_and_removed_by_hand(core: Core, admin: Person):
    made, other = await create(core, admin), await create(core, admin, "other")
    request = CreateModelEntryRequest(provider_id=made.id, name="family/by-hand")
    entry = (await core.administration.CreateModelEntry(request, metadata=admin.metadata)).model
    assert (entry.provider_id, entry.name) == (made.id, "family/by-hand")
    assert [model.name for model in (await read(core, admin, made.id)).models] == ["family/by-hand"]
    assert [len(provider.models) for provider in (await list_all(core, admin)).providers] == [1, 0]
    assert "family/by-hand" in core.deps.catalog.models()
    with refused("NAME_EXISTS", "name"):
        await core.administration.CreateModelEntry(request, metadata=admin.metadata)
    with refused("NOT_FOUND"):
        await core.administration.DeleteModelEntry(
            DeleteModelEntryRequest(provider_id=other.id, id=entry.id), metadata=admin.metadata
        )
    removal = DeleteModelEntryRequest(provider_id=made.id, id=entry.id)
    await core.administration.DeleteModelEntry(removal, metadata=admin.metadata)
    assert not (await read(core, admin, made.id)).models
    assert "family/by-hand" not in core.deps.catalog.models()
    assert await noted(core) == [made.id, other.id, made.id, made.id]


@on_sqlite
@pytest.mark.parametrize("name", ["", "   ", "m" * 301, "a\nb"])
async def test_a_model_needs_a_name_that_can_be(core: Core, admin: Person, name: str):
    made = await create(core, admin)
    with refused("INVALID_ARGUMENT", "name"):
        await core.administration.CreateModelEntry(
            CreateModelEntryRequest(provider_id=made.id, name=name), metadata=admin.metadata
        )


async def test_the_list_comes_in_pages_in_the_order_of_numbers(core: Core, admin: Person):
    names = [f"p{number}" for number in range(5)]
    for name in names:
        await create(core, admin, name, enabled=False)
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = ListProvidersRequest(page_size=2, page_token=token)
        page = await core.administration.ListProviders(request, metadata=admin.metadata)
        found += [provider.name for provider in page.providers]
        token, pages = page.next_page_token, pages + 1
    assert (found, pages) == (names, 3)


@on_sqlite
async def test_a_bad_page_is_refused(core: Core, admin: Person):
    with refused("INVALID_ARGUMENT", "page_token"):
        await core.administration.ListProviders(ListProvidersRequest(page_token="?"), metadata=admin.metadata)
    with refused("INVALID_ARGUMENT", "page_size"):
        await core.administration.ListProviders(ListProvidersRequest(page_size=-1), metadata=admin.metadata)


@on_sqlite
async def test_users_list_providers_but_only_administrators_do_more(core: Core, admin: Person):
    made = await create(core, admin)
    user = await core.user()
    assert [provider.name for provider in (await list_all(core, user)).providers] == ["main"]
    with refused("FORBIDDEN"):
        await read(core, user, made.id)
    with refused("FORBIDDEN"):
        await create(core, user, "mine")
    with refused("FORBIDDEN"):
        await update(core, user, made.id, name="mine")
