"""Answers that a server has compressed although it was asked not to."""

import zlib
from collections.abc import Callable

from core.errors import ProviderError, StreamInterrupted
from core.providers.connection import DirectReply
from core.providers.upstream import MAX_ANSWER_BYTES

IDENTITY = frozenset({b"", b"identity"})
_ZLIB = frozenset({b"gzip", b"x-gzip", b"deflate"})
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # finds out by the first bytes


class Inflated:
    """A reply, unpacked as it comes."""

    def __init__(self, reply: DirectReply, encoding: bytes) -> None:
        """Raises ProviderError for an encoding that we don't know."""
        if encoding not in _ZLIB:
            reply.close()
            raise ProviderError("the provider answered in a content encoding that it was not asked for")
        self._reply = reply
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._size = 0
        self._half = False  # what was packed has begun and not ended
        self.status = reply.status
        self.content_type = reply.content_type
        self.headers = reply.headers
        self.retry_after = reply.retry_after

    async def read(self) -> bytes:
        data = await self._reply.read()
        try:
            plain = self._inflate(data) if data else b""
            self._refuse_half()
        except StreamInterrupted as error:
            raise ProviderError("the provider's answer could not be unpacked") from error
        return plain

    @property
    def over(self) -> bool:
        return self._reply.over and not self._half

    def arrived(self) -> bytes:
        data = self._reply.arrived()
        if data:
            return self._inflate(data)
        self._refuse_half()
        return b""

    async def more(self) -> None:
        await self._reply.more()

    def notify(self, tell: Callable[[], None]) -> None:
        self._reply.notify(tell)

    def close(self) -> None:
        self._reply.close()

    def _inflate(self, data: bytes) -> bytes:
        """Unpacks what came. Raises StreamInterrupted where it can't be, or is too much."""
        try:
            plain = self._inflater.decompress(data, MAX_ANSWER_BYTES)
        except zlib.error as error:
            raise StreamInterrupted from error
        self._size += len(plain)
        self._half = not self._inflater.eof
        if self._inflater.unconsumed_tail or self._size > MAX_ANSWER_BYTES:
            raise StreamInterrupted
        return plain

    def _refuse_half(self) -> None:
        """Raises StreamInterrupted where the body has ended and what was packed in it has not."""
        if self._half and self._reply.over:
            raise StreamInterrupted
