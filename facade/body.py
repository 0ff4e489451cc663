"""Reads the body of a request within bounds of size and time."""

import asyncio

from aiohttp import web
from aiohttp.http import HttpProcessingError

from facade.problem import Problem

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# How much may wait to be read, so that a large body is not read in many small steps.
_CHUNK = 1024 * 1024


async def read_body(request: web.BaseRequest, limit: int, timeout: float) -> bytes:
    """The whole body, unpacked where it came compressed.

    limit: bytes; timeout: seconds for all of it. Raises Problem: TOO_LARGE, before anything is read
    where the length was announced; REQUEST_TIMEOUT; INVALID_ARGUMENT for a broken encoding.
    """
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    content = request.content
    try:
        if content.is_eof():  # it came together with the head, as small ones do
            data = content.read_nowait()
        else:
            async with asyncio.timeout(timeout):
                data = await _read_on(request, limit)
    except TimeoutError:
        raise Problem("REQUEST_TIMEOUT", "the request's body did not come in time") from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise Problem("INVALID_ARGUMENT", "the request's body is not encoded as its headers say") from None
    if len(data) > limit:
        raise _too_large(limit)
    return data


async def _read_on(request: web.BaseRequest, limit: int) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
    request.content.set_read_chunk_size(min(limit, _CHUNK))
    parts: list[bytes] = []
    size = 0
    while part := await request.content.readany():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> Problem:
    return Problem("TOO_LARGE", f"the request's body is larger than {limit} bytes")
