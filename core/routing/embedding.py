"""A request for embeddings on its way to a provider of another wire, and back: as core/routing/passage.py says."""

from typing import Final

import msgspec

from core.dialects.counting import count_text
from core.dialects.dialect import Meter
from core.dialects.losses import Losses
from core.dialects.reported_error import status_of
from core.dialects.request import Request
from core.dialects.sides import ErrorAnswer, Unreadable
from core.dialects.table import EMBEDDING_CALLERS, EMBEDDING_PROVIDERS
from core.dialects.tokens import COUNTED, Tokens
from core.errors import ProviderError
from core.routing.lookup import Candidate

_NOT_EMBEDDINGS: Final = "the provider's answer was not what its API describes; check its base URL"


def embedding_operation(candidate: Candidate) -> str:
    """What the candidate is asked for where embeddings are translated, "" where it makes none."""
    return next((operation for operation in EMBEDDING_PROVIDERS if operation in candidate.upstream.operations), "")


class TranslatedEmbedding:
    """The provider makes embeddings on another wire."""

    stream_type = event_type = ""
    content_type = "application/json"

    def __init__(self, candidate: Candidate, request: Request, *, drop: bool) -> None:
        """drop: leave out what can't be done. Raises InvalidArgument for what can't be said to the provider."""
        self.operation = embedding_operation(candidate)
        self._caller = EMBEDDING_CALLERS[request.operation]
        self._provider = EMBEDDING_PROVIDERS[self.operation]
        self._asked = self._caller.read_embed(request)
        losses = Losses(self._caller.names, candidate.upstream.target.name, drop=drop)
        for name in self._asked.others:
            losses.lose(name)
        asked = msgspec.structs.replace(self._asked, model=candidate.model)
        self.body = self._provider.write_embed(asked, losses)
        self.dropped = losses.dropped
        self.told: tuple[tuple[str, str], ...] = ()

    def whole(self, body: bytes) -> tuple[bytes, Tokens]:
        try:
            found = self._provider.read_embedded(body)
        except Unreadable as error:
            raise ProviderError(_NOT_EMBEDDINGS) from error
        if len(found.vectors) != len(self._asked.texts):
            raise ProviderError(_NOT_EMBEDDINGS)
        tokens = found.tokens
        if tokens is None:
            tokens = found.tokens = Tokens(input=sum(map(count_text, self._asked.texts)), source=COUNTED)
        found.model = found.model or self._asked.model
        return self._caller.write_embedded(found, self._asked), tokens

    def meter(self) -> Meter:
        raise ProviderError(_NOT_EMBEDDINGS)  # embeddings never stream

    def error(self, status: int, body: bytes, retry_after: float | None) -> ErrorAnswer:
        fault = self._provider.read_fault(status, body)
        if retry_after is not None:
            fault = msgspec.structs.replace(fault, retry_after=retry_after)
        return ErrorAnswer(fault.status, self._caller.write_fault(fault), fault.retry_after)

    def reported(self, body: bytes) -> ErrorAnswer | None:
        status = status_of(body, self._provider.read_fault)
        return None if status is None else self.error(status, body, None)

    def streamed(self, body: bytes) -> None:
        del body  # embeddings never stream

    def first_failure(self, first: bytes, meter: Meter) -> ErrorAnswer | None:
        del first, meter
        return None
