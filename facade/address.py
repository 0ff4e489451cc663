"""Where a call comes from, behind proxies or not."""

import ipaddress
from collections.abc import Sequence

from aiohttp import web

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Nobody chains more proxies than this.
_MAX_HOPS = 32


class ClientAddresses:
    """Tells the client's address. `X-Forwarded-For` is believed only as far as trusted proxies wrote it."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        """trusted_proxies: addresses and networks ("10.0.0.0/8"). Raises ValueError for anything else."""
        self._trusted: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(each, strict=False) for each in trusted_proxies
        )

    def of(self, request: web.BaseRequest) -> str:
        """The address, or "" for a caller on a Unix socket."""
        peer = request.remote or ""
        if not self._trusted or not self._trusts(peer):
            return peer
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")[-_MAX_HOPS:]
        client = peer
        for hop in reversed(hops):
            address = _parsed(hop.strip())
            if address is None:
                break  # whoever wrote this was not to be believed
            client = str(address)
            if not self._trusts(client):
                break
        return client

    def _trusts(self, text: str) -> bool:
        address = _parsed(text)
        return address is not None and any(address in network for network in self._trusted)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as proxies write it: bare, in brackets, or with a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
