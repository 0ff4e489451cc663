"""The half of AdminService that is about providers: where models come from.

    request ─► checked ─► provider's row and a note of the change ─► catalog: reads it anew, pulls its models
                          └─ one transaction ──────────────────┘     └─► answer

Whoever may list providers sees where they are; nobody sees a key.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.deps import Deps
from core.errors import NameExists, NoChanges, NotFound
from core.providers import fields
from core.rpc import paging
from core.rpc.masks import fields_to_change
from core.rpc.provider_message import CHANGEABLE, changed, entry_message, provider_message, waits
from core.store import changes, model_entries, providers
from core.store.database import violated
from llmrouter.v1 import admin_pb2

_PAGE = 1000


class ProviderAdministration:
    """Providers, and the models that are added to them by hand."""

    deps: Deps

    async def ListProviders(
        self, request: admin_pb2.ListProvidersRequest, context: Any
    ) -> admin_pb2.ListProvidersResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_PAGE)
        (after_id,) = paging.decode(request.page_token, 0)
        async with self.deps.database.read() as connection:
            found = await providers.page(connection, after_id=after_id, limit=size + 1)
            rows, more = paging.cut(found, size)
            entries = await model_entries.of_providers(connection, [row.id for row in rows])
        runtime = self.deps.catalog.runtime
        return admin_pb2.ListProvidersResponse(
            providers=[provider_message(row, entries.get(row.id, []), runtime(row.id)) for row in rows],
            next_page_token=paging.encode(rows[-1].id) if more else "",
        )

    async def GetProvider(self, request: admin_pb2.GetProviderRequest, context: Any) -> admin_pb2.GetProviderResponse:
        return admin_pb2.GetProviderResponse(provider=await self._read(request.id))

    async def CreateProvider(
        self, request: admin_pb2.CreateProviderRequest, context: Any
    ) -> admin_pb2.CreateProviderResponse:
        kind = fields.checked_type(request.type)
        api_key = fields.checked_key(request.api_key)
        connect_ms, first_byte_ms, idle_ms = waits(request.timeouts)
        now = self.deps.clock.now()
        async with self._changing() as connection:
            row = await providers.add(
                connection,
                name=fields.checked_name(request.name),
                type=kind,
                base_url=fields.checked_base_url(kind, request.base_url),
                api_key=self.deps.cipher.encrypt(api_key) if api_key else None,
                enabled=request.enabled,
                source="api",
                connect_ms=connect_ms,
                first_byte_ms=first_byte_ms,
                idle_ms=idle_ms,
                now=now,
            )
            await changes.note(connection, "provider", row.id, now)
        return admin_pb2.CreateProviderResponse(provider=await self._pulled(row.id))

    async def UpdateProvider(
        self, request: admin_pb2.UpdateProviderRequest, context: Any
    ) -> admin_pb2.UpdateProviderResponse:
        names = fields_to_change(request, CHANGEABLE)
        if not names:
            raise NoChanges
        now = self.deps.clock.now()
        async with self._changing() as connection:
            before = await providers.lock(connection, request.id)
            if before is None:
                raise NotFound
            values = changed(before, request, names, self.deps.cipher.encrypt)
            await providers.change(connection, before.id, values, now)
            await changes.note(connection, "provider", before.id, now)
        return admin_pb2.UpdateProviderResponse(provider=await self._pulled(request.id))

    async def DeleteProvider(
        self, request: admin_pb2.DeleteProviderRequest, context: Any
    ) -> admin_pb2.DeleteProviderResponse:
        async with self._changing() as connection:
            if not await providers.remove(connection, request.id):
                raise NotFound
            await changes.note(connection, "provider", request.id, self.deps.clock.now())
        await self.deps.catalog.provider_changed(request.id)
        return admin_pb2.DeleteProviderResponse()

    async def RefreshProviderModels(
        self, request: admin_pb2.RefreshProviderModelsRequest, context: Any
    ) -> admin_pb2.RefreshProviderModelsResponse:
        await self._read(request.id)
        try:
            await self.deps.catalog.refresh(request.id)
        except NotFound:  # another process made it a moment ago, and this one has not heard of it yet
            await self.deps.catalog.provider_changed(request.id)
            await self.deps.catalog.refresh(request.id)
        async with self._changing() as connection:  # for the other processes to pull them too
            await changes.note(connection, "provider", request.id, self.deps.clock.now())
        return admin_pb2.RefreshProviderModelsResponse(provider=await self._read(request.id))

    async def CreateModelEntry(
        self, request: admin_pb2.CreateModelEntryRequest, context: Any
    ) -> admin_pb2.CreateModelEntryResponse:
        name, now = fields.checked_model(request.name), self.deps.clock.now()
        async with self._changing() as connection:
            if await providers.lock(connection, request.provider_id) is None:
                raise NotFound
            entry = await model_entries.add(connection, request.provider_id, name, now)
            await changes.note(connection, "provider", request.provider_id, now)
        await self.deps.catalog.provider_changed(request.provider_id)
        return admin_pb2.CreateModelEntryResponse(model=entry_message(entry))

    async def DeleteModelEntry(
        self, request: admin_pb2.DeleteModelEntryRequest, context: Any
    ) -> admin_pb2.DeleteModelEntryResponse:
        async with self._changing() as connection:
            if not await model_entries.remove(connection, request.id, request.provider_id):
                raise NotFound
            await changes.note(connection, "provider", request.provider_id, self.deps.clock.now())
        await self.deps.catalog.provider_changed(request.provider_id)
        return admin_pb2.DeleteModelEntryResponse()

    @asynccontextmanager
    async def _changing(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that writes. Raises NameExists where a name is taken."""
        try:
            async with self.deps.database.write() as connection:
                yield connection
        except IntegrityError as error:
            if violated(error, "providers.name"):
                raise NameExists(field="name") from error
            if violated(error, "model_entries.provider_id_name") or violated(error, "model_entries.name"):
                raise NameExists("the provider has this model already", field="name") from error
            raise

    async def _read(self, provider_id: int) -> admin_pb2.Provider:
        """A provider as callers see it. Raises NotFound."""
        async with self.deps.database.read() as connection:
            row = await providers.get(connection, provider_id)
            if row is None:
                raise NotFound
            entries = await model_entries.of_provider(connection, provider_id)
        return provider_message(row, entries, self.deps.catalog.runtime(provider_id))

    async def _pulled(self, provider_id: int) -> admin_pb2.Provider:
        """A provider after a change that is committed, with the models that it has now. Raises NotFound."""
        await self.deps.catalog.provider_changed(provider_id)
        return await self._read(provider_id)
