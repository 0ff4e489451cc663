"""The conversations of the Responses API: kept by the router, whoever answered.

    request ─prepared─► Request with the whole conversation in it, and a Keeping
    its answer ─Keeping─► in memory before its last byte goes out, in the database a moment later

A provider is never told of an earlier response: it may be another one that had it, or another key. What is not
the user's is not there. A request with `store: false` that refers to nothing touches neither memory nor database.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
from sqlalchemy.exc import IntegrityError

from core.clock import Clock
from core.dialects.request import Request
from core.dialects.responses import state
from core.dialects.responses.request import PREVIOUS
from core.errors import DatabaseError, InvalidArgument, TooLarge
from core.ids import NewId
from core.routing.keeping import Keeping, usable
from core.store import responses as store
from core.store.database import Database
from core.store.responses import StoredResponse

log = logging.getLogger(__name__)

_LARGEST: Final = 8 * 1024 * 1024  # bytes of one response with what was asked; more is not kept
_MOST_WAITING: Final = 64 * 1024 * 1024  # bytes that wait for the database
_BATCH: Final = 50
_AGAIN: Final = 1.0  # seconds until a database that is away is tried again
_PATIENCE: Final = (0.02, 0.05, 0.1, 0.2, 0.4)  # seconds between looks for what another process may still write


class Responses:
    """Keeps responses and looks them up."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        new_id: NewId,
        *,
        days: int,
        largest: int,
        alone: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """days: how long they are kept, 0 for not at all; largest: bytes that a request may grow to;

        alone: no other process keeps responses, so that what is not here is nowhere.
        """
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._days = days
        self._largest = largest
        self._patience = () if alone else _PATIENCE
        self._sleep = sleep
        self._waiting: dict[tuple[int, str], StoredResponse] = {}
        self._size = 0
        self._came = asyncio.Event()
        self._writing = asyncio.Lock()

    def refers(self, request: Request) -> bool:
        """Whether something must be looked up for a request. Raises InvalidArgument."""
        return bool(state.previous_of(request.fields)) or state.has_references(request)

    async def prepared(self, user_id: int, request: Request) -> tuple[Request, Keeping | None]:
        """The request with the whole conversation in it, and what is to be done with its answer.

        Raises InvalidArgument for what is not kept, and DatabaseError.
        """
        previous_id = state.previous_of(request.fields)
        wanted = bytes(request.fields.get("store", b"true")) != b"false"
        kept = wanted and bool(self._days) and len(request.body) <= _LARGEST
        if wanted and not kept:  # what the response says is what is done
            request.fields["store"] = msgspec.Raw(b"false")
        request = msgspec.structs.replace(request, answer_id=self._new_id("resp"))
        refers = self.refers(request)
        if not kept and not refers:
            return request, None
        own = state.own_items(request)
        keeping = Keeping(self.keep, user_id, previous_id, own, store=kept)
        if refers:
            before = await self._before(user_id, previous_id) if previous_id else []
            own = [await self._resolved(user_id, number, item) for number, item in enumerate(own)]
            items = [*before, *own]
            if sum(map(len, items)) > self._largest:
                raise TooLarge(f"the conversation may have {self._largest} bytes", field=PREVIOUS)
            keeping = Keeping(self.keep, user_id, previous_id, own, store=kept)
            store_field = request.fields.get("store")
            request = state.with_items(request, items)
            if store_field is not None:
                request.fields["store"] = store_field
        return request, keeping

    def keep(self, user_id: int, name: str, previous_id: str, asked: str, response: str, items: Sequence[str]) -> None:
        """Keeps a response: at once for who asks here, a moment later in the database."""
        row = StoredResponse(user_id, name, previous_id, self._clock.now(), asked, response, items)
        size = _size(row)
        if size > 2 * _LARGEST or self._size + size > _MOST_WAITING:
            log.warning("a response was not kept: it is too large, or too many wait for the database")
            return
        before = self._waiting.pop((user_id, name), None)
        self._size += size - (_size(before) if before is not None else 0)
        self._waiting[user_id, name] = row
        self._came.set()

    async def find(self, user_id: int, name: str) -> StoredResponse | None:
        """A response; None where the user has none of that id. Raises DatabaseError."""
        async for _ in self._looks(name):
            if (row := self._waiting.get((user_id, name))) is not None:
                return row
            async with self._database.read() as connection:
                if (row := await store.find(connection, user_id, name)) is not None:
                    return row
        return None

    async def remove(self, user_id: int, name: str) -> bool:
        """Removes a response; false where the user has none of that id. Raises DatabaseError."""
        if not usable(name):
            return False
        async with self._writing:
            row = self._waiting.pop((user_id, name), None)
            self._size -= _size(row) if row is not None else 0
            async with self._database.write() as connection:
                return await store.remove(connection, user_id, name) or row is not None

    async def run(self) -> None:
        """Writes what is kept to the database, for ever."""
        while True:
            await self._came.wait()
            self._came.clear()
            try:
                await self.write()
            except DatabaseError:
                await self._sleep(_AGAIN)
                self._came.set()

    async def write(self) -> None:
        """Writes what waits. Raises DatabaseError."""
        while self._waiting:
            async with self._writing:
                batch = list(self._waiting.items())[:_BATCH]
                try:
                    async with self._database.write() as connection:
                        for _, row in batch:
                            await store.keep(connection, self._database, row)
                except IntegrityError:  # one of them can't be: its user is gone
                    await self._write_each(batch)
                for key, row in batch:
                    if self._waiting.get(key) is row:
                        del self._waiting[key]
                        self._size -= _size(row)

    async def _write_each(self, batch: Sequence[tuple[tuple[int, str], StoredResponse]]) -> None:
        for _, row in batch:
            try:
                async with self._database.write() as connection:
                    await store.keep(connection, self._database, row)
            except IntegrityError:
                log.info("a response was not kept: its user is gone")

    async def _before(self, user_id: int, name: str) -> list[msgspec.Raw]:
        """The items of a conversation up to and with a response, in their order."""
        turns = await self._turns(user_id, name)
        if not turns:
            raise InvalidArgument(f"{PREVIOUS}: there is no response '{name[:200]}'{self._why()}", field=PREVIOUS)
        if turns[-1].previous_id or len(turns) > store.MOST_TURNS:
            raise InvalidArgument(f"{PREVIOUS}: the beginning of the conversation is no longer kept", field=PREVIOUS)
        items: list[msgspec.Raw] = []
        for turn in reversed(turns):
            items += msgspec.json.decode(turn.input, type=list[msgspec.Raw])
            items += state.output_of(turn.response)[1]
        return items

    async def _turns(self, user_id: int, name: str) -> list[StoredResponse]:
        """The responses of a conversation, the last first."""
        turns: list[StoredResponse] = []
        async for _ in self._looks(name):
            turns, wanted = [], name
            while wanted and (row := self._waiting.get((user_id, wanted))) is not None:
                turns.append(row)
                wanted = row.previous_id
            if wanted:
                async with self._database.read() as connection:
                    turns += await store.conversation(connection, user_id, wanted)
            if turns and not turns[-1].previous_id:
                break
        return turns

    async def _resolved(self, user_id: int, number: int, item: msgspec.Raw) -> msgspec.Raw:
        """The item itself, in place of a reference to it."""
        reference = state.named(item)
        if reference.type != "item_reference" or not reference.id:
            return item
        async for _ in self._looks(reference.id):
            for row in [row for (owner, _), row in self._waiting.items() if owner == user_id]:
                if reference.id in row.items:
                    return _item_of(row, reference.id)
            async with self._database.read() as connection:
                row = await store.of_item(connection, user_id, reference.id)
            if row is not None:
                return _item_of(row, reference.id)
        place = f"input[{number}]"
        raise InvalidArgument(f"{place}: there is no item '{reference.id[:200]}'{self._why()}", field=place)

    async def _looks(self, name: str):
        """One look, and more where another process may be about to write what is not there yet."""
        if not usable(name):
            return
        yield
        for pause in self._patience:
            await self._sleep(pause)
            yield

    def _why(self) -> str:
        return f"; responses are kept for {self._days} days" if self._days else "; no responses are kept here"


def _item_of(row: StoredResponse, name: str) -> msgspec.Raw:
    return next(item for item in state.output_of(row.response)[1] if state.named(item).id == name)


def _size(row: StoredResponse) -> int:
    return len(row.input) + len(row.response)
