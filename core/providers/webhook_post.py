"""Sends one message to an address that an administrator chose.

No redirect is followed and nothing of the answer is kept but its status, so that an address can't be used to
look around in the network that the router is in.
"""

from collections.abc import Mapping

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)


class WebhookFailed(Exception):
    """It was not taken; the message says why, without an address."""


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Posts JSON. Raises WebhookFailed where no status of 2xx comes back."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise WebhookFailed(type(error).__name__) from error
    if not 200 <= status < 300:
        raise WebhookFailed(f"HTTP status {status}")
