"""Batches: requests in a file, which a provider carries out within a day.

    create ─► the provider of the input file ─► looked at once a minute ─► over: one usage record, files noted

What a batch uses is known when it is over, so a hard budget refuses it; and nobody knows what it costs, for the
price list has no prices of batches.
https://platform.openai.com/docs/api-reference/batch
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy.exc import IntegrityError

from core.clock import Clock, micros
from core.dialects.tokens import NO_TOKENS, PROVIDER, Tokens, reported
from core.errors import (
    Cancelled,
    DatabaseError,
    Forbidden,
    InvalidArgument,
    NotFound,
    ProviderError,
    RouterError,
    Unavailable,
)
from core.ledger.record import ANSWERED, CANCELLED, FAILED, LOST, UsageRecord
from core.providers.objects import BATCHES, FILES, Body
from core.routing.objects import Maker, Objects, Place, id_of, text_of
from core.routing.run import Pipeline
from core.store import provider_objects as store
from core.store.database import Database
from core.store.provider_objects import BATCH, FILE, ProviderObject

log = logging.getLogger(__name__)

OPERATION: Final = "batch"

_INPUT: Final = "input_file_id"
_ELSEWHERE: Final = ("input_blob", "output_folder")  # of Azure's: places that are reached in the account's name
_LOOK_EVERY: Final = timedelta(minutes=1)
_LOST_AFTER: Final = timedelta(days=8)  # the longest that a provider takes is a week
_AT_ONCE: Final = 8
_ROUND: Final = 100
_LONGEST_MODEL: Final = 300
# How a batch ends: outcome and status of its record.
_ENDS: Final = {
    "completed": (ANSWERED, 200),
    "failed": (FAILED, 400),
    "expired": (FAILED, 504),
    "cancelled": (CANCELLED, 499),
}
_REASONS: Final = {FAILED: ProviderError.reason, CANCELLED: Cancelled.reason, LOST: Unavailable.reason}


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None

    def tokens(self) -> Tokens:
        before, after = self.input_tokens_details, self.output_tokens_details
        return Tokens(
            input=reported(self.input_tokens),
            output=reported(self.output_tokens),
            cached_input=reported(before.cached_tokens if before else 0),
            reasoning=reported(after.reasoning_tokens if after else 0),
            source=PROVIDER,
        )


class _Batch(msgspec.Struct):
    """What is read of a batch."""

    id: str
    status: str = ""
    model: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    usage: _Usage | None = None


class Batches:
    """The users' batches."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        objects: Objects,
        pipeline: Pipeline,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._clock = clock
        self._objects = objects
        self._pipeline = pipeline
        self._sleep = sleep

    async def create(self, maker: Maker, text: str) -> str:
        """Creates a batch; its JSON. Raises InvalidArgument, Forbidden, Unpriced, ProviderError, DatabaseError."""
        if maker.principal.max_output_tokens or maker.principal.max_reasoning_tokens:
            raise Forbidden("this key's requests have a maximum of output, to which nobody holds those of a batch")
        fields = _fields(text)
        try:
            _, place = await self._objects.at(maker.principal.user_id, FILE, _input_of(fields))
        except NotFound:
            raise InvalidArgument(f"{_INPUT}: there is no such file", field=_INPUT) from None
        if BATCHES not in place.objects.paths:
            raise InvalidArgument(f"{_INPUT}: its provider has no batches", field=_INPUT)
        await self._pipeline.pay_later(maker.principal)
        # Encoded anew, for readers differ about a field that is there twice.
        return await self._objects.whole(self._created(maker, place, Body(msgspec.json.encode(fields))))

    async def look(self, user_id: int, name: str) -> str:
        """A batch's JSON, as it is now. Raises NotFound, ProviderError."""
        row, place = await self._objects.at(user_id, BATCH, name)
        return await self._looked(row, place)

    async def cancel(self, user_id: int, name: str) -> str:
        """Asks for a batch to be ended; its JSON. Raises NotFound, ProviderError."""
        row, place = await self._objects.at(user_id, BATCH, name)
        text = text_of(await place.objects.ask("POST", f"{BATCHES}/{row.id}/cancel", {}))
        await self._seen(row, place, text)
        return text

    async def page(self, user_id: int, *, after: str, size: int) -> tuple[Sequence[str], bool]:
        """The JSON of a page of batches, and whether there are more; what is not over is looked at.

        Raises InvalidArgument.
        """
        rows, more = await self._objects.page(user_id, BATCH, after=after, size=size)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def now(row: ProviderObject) -> str:
            place = self._objects.place_of(row)
            if row.due_at is not None and place is not None:
                with suppress(ProviderError):  # then as it was
                    async with gate:
                        return await self._looked(row, place)
            return row.body

        return await asyncio.gather(*map(now, rows)), more

    async def run(self) -> None:
        """Looks after batches that are not over, for ever. One process of an installation is enough for it."""
        while True:
            await self._sleep(_LOOK_EVERY.total_seconds() / 2)
            with suppress(DatabaseError):
                while await self.look_after() == _ROUND:
                    pass

    async def look_after(self) -> int:
        """Looks at those whose time has come, some at a time; returns how many. Raises DatabaseError."""
        now = self._clock.now()
        async with self._database.write() as connection:
            rows = await store.take_due(connection, now, now + _LOOK_EVERY, limit=_ROUND)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(row: ProviderObject) -> None:
            async with gate:
                await self._look_after(row)

        await asyncio.gather(*map(look, rows))
        return len(rows)

    async def _look_after(self, row: ProviderObject) -> None:
        place = self._objects.place_of(row)
        try:
            if place is not None:
                row = row._replace(body=await self._looked(row, place))
        except RouterError as error:
            log.info("a batch can't be looked at: %s", error.message, extra={"batch": row.id, "provider": row.provider})
        if self._clock.now() - row.created_at > _LOST_AFTER:
            await self._give_up(row)

    async def _created(self, maker: Maker, place: Place, body: Body) -> str:
        text = text_of(await place.objects.ask("POST", BATCHES, {}, body))
        try:
            await self._objects.keep(maker, place, BATCH, text, due_at=self._clock.now() + _LOOK_EVERY)
        except RouterError as error:  # it must not run where nobody accounts for it
            with suppress(ProviderError):
                await place.objects.ask("POST", f"{BATCHES}/{id_of(text, BATCH)}/cancel", {})
            raise Unavailable("the batch could not be noted and was cancelled; try again") from error
        return text

    async def _looked(self, row: ProviderObject, place: Place) -> str:
        text = text_of(await place.objects.ask("GET", f"{BATCHES}/{row.id}", {}))
        await self._seen(row, place, text)
        return text

    async def _seen(self, row: ProviderObject, place: Place, text: str) -> None:
        """Notes how a batch looks now; where it is over that is its usage record, and the files that it made."""
        batch = _read(text)
        over = batch.status in _ENDS
        if over and row.due_at is not None:
            outcome, status = _ENDS[batch.status]
            tokens = batch.usage.tokens() if batch.usage is not None else NO_TOKENS
            self._pipeline.account(_record(row, micros(self._clock.now()), batch.model or "", outcome, status, tokens))
        files = [await self._made(row, place, name) for name in (batch.output_file_id, batch.error_file_id) if name]
        due_at = None if over else self._clock.now() + _LOOK_EVERY
        with suppress(IntegrityError):  # its user is gone just now
            async with self._database.write() as connection:
                for file in files:
                    if file is not None:
                        await store.add_new(connection, self._database, file)
                await store.see(connection, row, text, due_at)

    async def _made(self, row: ProviderObject, place: Place, name: str) -> ProviderObject | None:
        """A file that a batch made, as its user's; None where that is noted, or it can't be looked at."""
        with suppress(RouterError):
            try:
                await self._objects.at(row.user_id, FILE, name)
            except NotFound:
                text = text_of(await place.objects.ask("GET", f"{FILES}/{id_of_name(name)}", {}))
                if id_of(text, FILE) == name:
                    made = row._replace(id=name, kind=FILE, purpose="batch_output", due_at=None, body=text)
                    return made._replace(created_at=self._clock.now())
        return None

    async def _give_up(self, row: ProviderObject) -> None:
        """A batch whose end nobody will hear of has its record all the same."""
        batch = _read(row.body)
        if batch.status not in _ENDS:
            now = micros(self._clock.now())
            self._pipeline.account(_record(row, now, batch.model or "", LOST, 504, NO_TOKENS))
            async with self._database.write() as connection:
                await store.see(connection, row, row.body, None)


def id_of_name(name: str) -> str:
    """A name that a provider gave, where it can be an id. Raises ProviderError."""
    return id_of(msgspec.json.encode({"id": name}).decode(), FILE)


def _read(text: str) -> _Batch:
    try:
        return msgspec.json.decode(text, type=_Batch)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProviderError("the provider's answer is no batch") from error


def _fields(text: str) -> dict[str, msgspec.Raw]:
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise InvalidArgument("invalid payload: the body must be a JSON object") from None
    for name in _ELSEWHERE:
        if name in fields:
            raise InvalidArgument(f"{name}: can't be used here", field=name)
    return fields


def _input_of(fields: dict[str, msgspec.Raw]) -> str:
    try:
        return msgspec.json.decode(fields.get(_INPUT, msgspec.Raw(b"null")), type=str)
    except msgspec.DecodeError:
        raise InvalidArgument(f"{_INPUT} must be the id of a file", field=_INPUT) from None


def _record(row: ProviderObject, now: int, model: str, outcome: str, status: int, tokens: Tokens) -> UsageRecord:
    """The record of a batch. Its id is the batch's, so that it is kept once, whoever saw the end too."""
    model = model[:_LONGEST_MODEL]
    return UsageRecord(
        request_id=f"{row.provider_id}:{row.id}",
        created_at=now,
        user_id=row.user_id,
        credential_id=row.credential_id,
        surface=row.surface,
        operation=OPERATION,
        requested_model=model,
        provider=row.provider,
        model=model,
        status_code=status,
        outcome=outcome,
        error_reason=_REASONS.get(outcome, ""),
        streamed=False,
        attempts=1,
        latency_us=0,  # hours would drown what others waited
        ttft_us=None,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_input_tokens=tokens.cached_input,
        cache_write_tokens=0,
        reasoning_tokens=tokens.reasoning,
        audio_input_tokens=0,
        audio_output_tokens=0,
        token_source=tokens.source,
        cost_nanousd=None,
        price_source="",
        messages=0,
        prompt_hash="",
        project=row.project,
    )
