"""What shows a provider who asks, where a key in a header that never changes does not do: tokens and signatures.

headers of the wire ─┐
Credential.headers() ┴─► core/providers/ways.py puts both into the request's head
"""

from typing import Protocol

from core.providers.wire import Headers


class Credential(Protocol):
    """The means of one provider to show who asks."""

    async def headers(self, method: str, url: str, body: bytes) -> Headers:
        """Shows who asks, for one request.

        url: absolute, and as it is sent, percent-encoded. Raises ProviderError, whose message is fit for callers,
        where there is nothing to show.
        """
        ...
