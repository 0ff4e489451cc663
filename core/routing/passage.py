"""How one request goes to one provider and its answer back: as it is, or translated from wire to wire.

the provider speaks the caller's wire ─► Unchanged    bytes pass, but for the model's name
it speaks another                     ─► Translated   through core/dialects/translation.py
                                         Typed        the same, for a caller without a wire (core/routing/typed.py)
                                         TranslatedEmbedding   core/routing/embedding.py, where embeddings are asked for
"""

import re
from collections.abc import Sequence
from typing import Final, Protocol

from core.dialects.canonical import Fault
from core.dialects.dialect import Meter
from core.dialects.openai.chat import CHAT
from core.dialects.reported_error import status_of
from core.dialects.request import Request, encode, fields_of
from core.dialects.responses.request import RESPONSES
from core.dialects.sides import CallerSide, ErrorAnswer, Manner, Unreadable
from core.dialects.table import CALLERS, COUNTERS, DIALECTS, EMBEDDING_CALLERS, EMBEDDING_PROVIDERS, PROVIDERS
from core.dialects.tokens import Tokens
from core.dialects.translation import TranslatedMeter, Translation
from core.errors import InvalidArgument, ProviderError
from core.providers.output_limits import most_output, refused_above
from core.providers.vendors import output_field
from core.routing.embedding import TranslatedEmbedding, embedding_operation
from core.routing.lookup import Candidate
from core.routing.reply import Ask
from core.routing.scrubbing import scrubbing, secret_of
from core.routing.typed import TypedChat

DROP_UNSUPPORTED: Final = "x-llmrouter-drop-unsupported"
"""A caller's header: leave out what the provider can't do, instead of refusing the request."""
_DROPPED = "x-llmrouter-dropped"
_NO_ANSWER: Final = "the provider's answer was not what its API describes; check its base URL"
# A response that failed is an object of its wire, with its error in it.
_RESPONSE: Final = re.compile(rb'"object"\s*:\s*"response"')


class Passage(Protocol):
    """One request's way to one provider."""

    operation: str  # what the provider is asked for
    body: bytes  # with what
    stream_type: str  # the media type of its streams; "" where any good answer is passed on as it comes
    content_type: str  # of answers for the caller; "" for the provider's own
    event_type: str  # of streams for the caller; "" likewise
    told: tuple[tuple[str, str], ...]  # headers for the caller about the way itself

    def whole(self, body: bytes) -> tuple[bytes, Tokens]:
        """A good answer as the caller shall have it, and what it used. Raises ProviderError for what is none."""
        ...

    def meter(self) -> Meter:
        """Follows a stream."""
        ...

    def error(self, status: int, body: bytes, retry_after: float | None) -> ErrorAnswer:
        """An error answer as the caller shall have it. body: b"" for what is no JSON.

        retry_after: seconds, where its headers say it.
        """
        ...

    def reported(self, body: bytes) -> ErrorAnswer | None:
        """The error that came under a status of 200, as the answer that it would have been; None for an answer."""
        ...

    def streamed(self, body: bytes) -> tuple[bytes, Meter] | None:
        """A whole answer as the stream that the caller asked for, and its meter, which has seen all of it.

        None where it can't be made into one.
        """
        ...

    def first_failure(self, first: bytes, meter: Meter) -> ErrorAnswer | None:
        """The error that a stream begins with, as the answer that it would have been; None where it does not."""
        ...


class Unchanged:
    """The provider speaks the caller's wire."""

    content_type = event_type = ""
    told: tuple[tuple[str, str], ...] = ()

    __slots__ = (
        "_ask",
        "_candidate",
        "_created",
        "_dialect",
        "_hide_usage",
        "_request",
        "body",
        "operation",
        "stream_type",
    )

    def __init__(self, candidate: Candidate, request: Request, ask: Ask, created: int) -> None:
        upstream = candidate.upstream
        self._candidate, self._ask, self._created = candidate, ask, created
        self.operation = request.operation
        self._request = request
        self._dialect = DIALECTS[request.operation]
        if self._dialect.without_foreign is not None:
            request = self._dialect.without_foreign(request, upstream.target.type)
        self.stream_type = self._dialect.stream_type
        ask_usage = upstream.asks_usage and request.streamed
        self._hide_usage = ask_usage and not request.wants_usage
        self.body = self._dialect.upstream_body(request, candidate.model, ask_usage=ask_usage)
        if request.output_limit and self._dialect.with_limit is not None:
            self.body = self._dialect.with_limit(request, self.body, output_field(upstream.target.type))

    def whole(self, body: bytes) -> tuple[bytes, Tokens]:
        try:
            return body, self._dialect.answer_tokens(self._request, body)
        except ValueError as error:
            raise ProviderError("the provider's answer was not JSON; check its base URL") from error

    def meter(self) -> Meter:
        meter = self._dialect.meter(hide_usage=self._hide_usage)
        return scrubbing(meter, self._candidate.upstream.target.api_key)

    def error(self, status: int, body: bytes, retry_after: float | None) -> ErrorAnswer:
        if not body and status >= 400:
            body = _caller(self.operation).write_fault(Fault(status, f"the provider answered {status}"))
            return ErrorAnswer(status, body, retry_after, "application/json")
        if status == 400 and self.operation in PROVIDERS:  # as which some report a wrong key, which is not the caller's
            status = PROVIDERS[self.operation].read_fault(status, body).status
        return ErrorAnswer(status, body, _retry_after(self.operation, status, body, retry_after))

    def reported(self, body: bytes) -> ErrorAnswer | None:
        side = PROVIDERS.get(self.operation) or EMBEDDING_PROVIDERS.get(self.operation) or PROVIDERS[CHAT]
        status = status_of(body, side.read_fault)
        if status is None or (self.operation == RESPONSES and _RESPONSE.search(body) is not None):
            return None
        return self.error(status, body, None)

    def streamed(self, body: bytes) -> tuple[bytes, Meter] | None:
        operation = self.operation
        if operation not in CALLERS or operation not in PROVIDERS:
            return None
        try:
            return _translation(
                self._candidate, self._request, self._ask, self._created, CALLERS[operation], operation, drop=True
            ).streamed(body)
        except (InvalidArgument, Unreadable):  # the caller may know what it is
            return None

    def first_failure(self, first: bytes, meter: Meter) -> ErrorAnswer | None:
        del meter
        failure = self._dialect.first_failure(first)
        return failure and ErrorAnswer(*failure, _retry_after(self.operation, *failure, None))


class Translated:
    """The provider speaks another wire."""

    content_type = "application/json"
    event_type = "text/event-stream; charset=utf-8"

    def __init__(
        self, candidate: Candidate, request: Request, ask: Ask, created: int, caller: CallerSide | None = None
    ) -> None:
        """created: seconds since 1970; caller: where it is not that of the request's wire.

        Raises InvalidArgument for what can't be said to the provider.
        """
        self.operation = candidate.upstream.translates_to
        self.stream_type = PROVIDERS[self.operation].stream_type
        caller = caller or CALLERS[request.operation]
        self._translation = _translation(candidate, request, ask, created, caller, self.operation, drop=_drops(ask))
        self.body = self._translation.body
        self.told = _told(self._translation.dropped)

    def whole(self, body: bytes) -> tuple[bytes, Tokens]:
        try:
            return self._translation.answer(body)
        except Unreadable as error:
            raise ProviderError(_NO_ANSWER) from error

    def meter(self) -> TranslatedMeter:
        return self._translation.meter()

    def error(self, status: int, body: bytes, retry_after: float | None) -> ErrorAnswer:
        return self._translation.fault(status, body, retry_after)

    def reported(self, body: bytes) -> ErrorAnswer | None:
        return self._translation.reported(body)

    def streamed(self, body: bytes) -> tuple[bytes, Meter] | None:
        try:
            return self._translation.streamed(body)
        except Unreadable as error:
            raise ProviderError(_NO_ANSWER) from error

    def first_failure(self, first: bytes, meter: Meter) -> ErrorAnswer | None:
        assert isinstance(meter, TranslatedMeter)
        return self._translation.failure(meter)


class Typed(Translated):
    """The caller takes objects; the provider's bytes stay what they are, for a caller who wants those too."""

    def __init__(self, candidate: Candidate, request: Request, ask: Ask, created: int, typed: TypedChat) -> None:
        chat, names = typed.read()
        others = {}
        if candidate.upstream.translates_to == CHAT:  # whose fields these are, by their names
            others = {name: raw for name, raw in chat.others.items() if name in request.fields}
            chat.others = {name: raw for name, raw in chat.others.items() if name not in others}
        super().__init__(candidate, request, ask, created, typed.side(chat, names))
        if others:
            self.body = encode({**fields_of(self.body), **others})
        typed.dropped = self._translation.dropped

    def whole(self, body: bytes) -> tuple[bytes, Tokens]:
        _, tokens = super().whole(body)
        return body, tokens


def passage(candidate: Candidate, request: Request, ask: Ask, created: int) -> Passage:
    """The way of a request to a candidate. created: seconds since 1970. Raises InvalidArgument."""
    if ask.typed is not None:
        ask.typed.begin()
        if ask.typed.beyond or request.operation not in candidate.upstream.operations:
            return Typed(candidate, request, ask, created, ask.typed)
    if request.operation in candidate.upstream.operations:
        return Unchanged(candidate, request, ask, created)
    if request.operation in EMBEDDING_CALLERS and embedding_operation(candidate):
        way = TranslatedEmbedding(candidate, request, drop=_drops(ask))
        way.told = _told(way.dropped)
        return way
    if not can_translate(candidate, request.operation):
        raise InvalidArgument("the model's provider does not speak this API", field="model")
    return Translated(candidate, request, ask, created)


def can_translate(candidate: Candidate, operation: str) -> bool:
    """Whether a request of another wire can be put for the candidate, or answered here in its place."""
    if operation in EMBEDDING_CALLERS:
        return bool(embedding_operation(candidate))
    return (operation in CALLERS or operation in COUNTERS) and candidate.upstream.translates_to in PROVIDERS


def _translation(
    candidate: Candidate,
    request: Request,
    ask: Ask,
    created: int,
    caller: CallerSide,
    operation: str,
    *,
    drop: bool,
) -> Translation:
    """A request put for a candidate that is asked for `operation`. Raises InvalidArgument."""
    upstream = candidate.upstream
    return Translation(
        request,
        caller,
        PROVIDERS[operation],
        Manner(
            vendor=upstream.target.type,
            output_field=output_field(upstream.target.type),
            most_output=most_output(candidate.model),
        ),
        provider_name=upstream.target.name,
        model=candidate.model,
        request_id=ask.request_id,
        created=created,
        drop=drop,
        ask_usage=upstream.asks_usage and request.streamed,
        count_prompt=lambda: DIALECTS[request.operation].prompt_tokens(request),
        output_limit=request.output_limit,
        refused_above=refused_above(candidate.model),
        most_reasoning=ask.principal.max_reasoning_tokens,
        secret=secret_of(upstream.target.api_key),
    )


def _caller(operation: str) -> CallerSide:
    """A wire's caller's side, for its errors; OpenAI's for those that have none."""
    dialect = DIALECTS[operation]
    return CALLERS.get(operation) or next(
        (side for other, side in CALLERS.items() if DIALECTS[other] is dialect), CALLERS[CHAT]
    )


def _retry_after(operation: str, status: int, body: bytes, retry_after: float | None) -> float | None:
    """When to come back, in seconds: as the headers of an error answer say, else as its body does."""
    side = PROVIDERS.get(operation) or EMBEDDING_PROVIDERS.get(operation)
    return side.read_fault(status, body).retry_after if retry_after is None and side is not None else retry_after


def _drops(ask: Ask) -> bool:
    """Whether the caller allows that what a provider can't do is left out."""
    if ask.typed is not None and ask.typed.drop:
        return True
    return any(name == DROP_UNSUPPORTED and value.lower() == "true" for name, value in ask.headers)


def _told(dropped: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The header that says what was left out."""
    return ((_DROPPED, ", ".join(dropped)),) if dropped else ()


def counted(candidate: Candidate, request: Request) -> bytes | None:
    """The answer to a request that its provider need not be asked for, and could not be: None for all others.

    Raises InvalidArgument.
    """
    count = COUNTERS.get(request.operation)
    return None if count is None or request.operation in candidate.upstream.operations else count(request)
