"""Files that lie at providers, each its user's: who may see which is known here, what is in them there.

    upload ─► the only provider that keeps files, or the one that the caller names ─► its id, noted with the user
    look at, delete, read ─► the user's own? ─► that provider

Ids are the provider's own, so that they mean the same wherever its API takes one.
https://platform.openai.com/docs/api-reference/files
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from sqlalchemy.exc import IntegrityError

from core.auth import Principal
from core.clock import Clock
from core.errors import InvalidArgument, NotFound, ProviderError, UpstreamStatus
from core.providers.objects import FILES, Body, Content, ProviderObjects
from core.providers.upstream import Target
from core.routing.catalog import Catalog
from core.store import provider_objects as store
from core.store.database import Database
from core.store.provider_objects import FILE, ProviderObject

_T = TypeVar("_T")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")
_GONE: Final = 404


class Maker(NamedTuple):
    """Who makes an object, and by which surface."""

    principal: Principal
    surface: str


class Place(NamedTuple):
    """A provider that keeps objects."""

    target: Target
    objects: ProviderObjects


class _Named(msgspec.Struct):
    """What is read of an object."""

    id: str


class Objects:
    """The users' files, and what batches need of the same."""

    def __init__(self, database: Database, clock: Clock, catalog: Catalog) -> None:
        self._database = database
        self._clock = clock
        self._catalog = catalog
        self._working: set[asyncio.Task[Any]] = set()

    async def upload(self, maker: Maker, provider: str, purpose: str, form: Body) -> tuple[str, str]:
        """Uploads a file; its JSON, and the provider's name. Raises InvalidArgument, ProviderError.

        provider: a name, "" where only one can be meant.
        """
        place = self._place_for(provider, FILES)

        async def upload() -> str:
            answer = text_of(await place.objects.ask("POST", FILES, {}, form))
            await self.keep(maker, place, FILE, answer, purpose=purpose)
            return answer

        return await self.whole(upload()), place.target.name

    async def look(self, user_id: int, name: str) -> str:
        """A file's JSON, as it is now. Raises NotFound, ProviderError."""
        row, place = await self.at(user_id, FILE, name)
        text = text_of(await place.objects.ask("GET", f"{FILES}/{row.id}", {}))
        if text != row.body:
            async with self._database.write() as connection:
                await store.see(connection, row, text, None)
        return text

    async def delete(self, user_id: int, name: str) -> str:
        """Deletes a file; what its provider says to that. Raises NotFound, ProviderError."""
        row, place = await self.at(user_id, FILE, name)

        async def delete() -> str:
            try:
                said = text_of(await place.objects.ask("DELETE", f"{FILES}/{row.id}", {}))
            except UpstreamStatus as error:
                if error.status != _GONE:
                    raise
                await self._forget(row)
                raise NotFound("there is no such file any more") from error
            await self._forget(row)
            return said

        return await self.whole(delete())

    @asynccontextmanager
    async def read(self, user_id: int, name: str) -> AsyncGenerator[Content]:
        """What is in a file. Raises NotFound, ProviderError."""
        row, place = await self.at(user_id, FILE, name)
        async with place.objects.read(f"{FILES}/{row.id}/content") as content:
            yield content

    async def page(
        self, user_id: int, kind: str, *, after: str, size: int, ascending: bool = False, purpose: str = ""
    ) -> tuple[Sequence[ProviderObject], bool]:
        """A page of a user's objects, and whether there are more. Raises InvalidArgument."""
        async with self._database.read() as connection:
            last = await store.find(connection, user_id, kind, after) if _usable(after) else None
            if after and last is None:
                raise InvalidArgument(f"there is no such {kind}", field="after")
            rows = await store.page(
                connection, user_id, kind, after=last, ascending=ascending, purpose=purpose, limit=size + 1
            )
        return rows[:size], len(rows) > size

    async def files(
        self, user_id: int, *, after: str, size: int, ascending: bool, purpose: str
    ) -> tuple[Sequence[str], bool]:
        """The JSON of a page of files, as last seen, and whether there are more. Raises InvalidArgument."""
        rows, more = await self.page(user_id, FILE, after=after, size=size, ascending=ascending, purpose=purpose)
        return [row.body for row in rows], more

    async def at(self, user_id: int, kind: str, name: str) -> tuple[ProviderObject, Place]:
        """A user's object, and where it is. Raises NotFound."""
        row = None
        if _usable(name):
            async with self._database.read() as connection:
                row = await store.find(connection, user_id, kind, name)
        place = self.place_of(row) if row is not None else None
        if row is None or place is None:
            raise NotFound(f"there is no such {kind}")
        return row, place

    def place_of(self, row: ProviderObject) -> Place | None:
        """The provider of an object; None where it is gone, disabled or keeps none any more."""
        return next((place for place in self._places() if place.target.id == row.provider_id), None)

    async def keep(
        self,
        maker: Maker,
        place: Place,
        kind: str,
        text: str,
        *,
        purpose: str = "",
        due_at: datetime | None = None,
    ) -> None:
        """Notes whose an object is. Raises ProviderError, DatabaseError."""
        row = ProviderObject(
            user_id=maker.principal.user_id,
            id=id_of(text, kind),
            kind=kind,
            provider_id=place.target.id,
            provider=place.target.name,
            purpose=purpose,
            credential_id=maker.principal.credential_id,
            surface=maker.surface,
            project=maker.principal.project,
            created_at=self._clock.now(),
            due_at=due_at,
            body=text,
        )
        try:
            async with self._database.write() as connection:
                kept = await store.add(connection, self._database, row)
        except IntegrityError:
            kept = False
        if not kept:  # one account for two, in which equal files are one, say
            raise ProviderError(f"the provider gave the {kind} an id that is in use already")

    async def whole(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Does what must not stop half-way, though its caller goes away: else nobody knew whose an object is."""
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it is told; nobody may do so any more

    async def _forget(self, row: ProviderObject) -> None:
        async with self._database.write() as connection:
            await store.remove(connection, row)

    def _places(self) -> list[Place]:
        upstreams = self._catalog.upstreams()
        return [Place(each.target, each.objects) for each in upstreams if each.objects is not None]

    def _place_for(self, provider: str, path: str) -> Place:
        """The provider of a name, or the only one. Raises InvalidArgument."""
        places = [place for place in self._places() if path in place.objects.paths]
        if provider:
            places = [place for place in places if place.target.name == provider]
            if not places:
                raise InvalidArgument("there is no such provider, or it keeps no files", field="x-llmrouter-provider")
        if not places:
            raise InvalidArgument("no provider here keeps files")
        if len(places) > 1:
            raise InvalidArgument(
                "several providers keep files: name one in the header x-llmrouter-provider",
                field="x-llmrouter-provider",
            )
        return places[0]


def text_of(answer: bytes) -> str:
    """A provider's answer that is a JSON object. Raises ProviderError."""
    try:
        msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
        return answer.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderError("the provider's answer is not what it should be") from error


def id_of(text: str, kind: str) -> str:
    """The id in an object's JSON. Raises ProviderError."""
    try:
        name = msgspec.json.decode(text, type=_Named).id
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProviderError(f"the provider's answer is no {kind}") from error
    if not _usable(name):
        raise ProviderError(f"the provider's answer is no {kind}")
    return name


def _usable(name: str) -> bool:
    """Whether it may be an id: what is in none need not be looked for."""
    return _ID.fullmatch(name) is not None
