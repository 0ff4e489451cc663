"""Slows down who guesses passwords.

    attempt ─► counted for the account and for the address ─► right: no longer counted
                                                          └─► wrong: stays counted for 15 minutes

After 5 failures of an account, or 20 of an address, each further attempt has to wait for twice as
long as the one before. An attempt is counted before its password is checked, so that a thousand at
once are no way round it. What is known is kept in this process's memory, and is bounded.
"""

import ipaddress
from collections import OrderedDict, deque
from urllib.parse import unquote

from core.clock import Clock
from core.errors import RateLimited

_WINDOW = 15 * 60.0
_ACCOUNT_FAILURES = 5
_ADDRESS_FAILURES = 20
# The wait after the first failure too many, in seconds, and the longest.
_FIRST_WAIT = 15.0
_LONGEST_WAIT = 15 * 60.0
# Beyond so many failures too many the wait does not grow, so no more of them are kept.
_KEPT_BEYOND = 8
# How many accounts and addresses are remembered; the longest unused are forgotten first.
_MEMORY = 50_000


class LoginThrottle:
    """Counts failures per account and per address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts = _Failures(_ACCOUNT_FAILURES)
        self._addresses = _Failures(_ADDRESS_FAILURES)

    def begin(self, account: str, address: str) -> None:
        """Counts an attempt. Raises RateLimited, and counts nothing, where it comes too early.

        account: any name for it; address: as in Caller.client_address, "" where there is none.
        """
        now = self._clock.monotonic()
        source = _source(address)
        wait = max(self._accounts.wait(account, now), self._addresses.wait(source, now) if source else 0.0)
        if wait > 0:
            raise RateLimited("too many failed attempts; come back later", retry_after=wait)
        self._accounts.count(account, now)
        if source:
            self._addresses.count(source, now)

    def succeeded(self, account: str, address: str) -> None:
        """Forgets the account's failures, and that this attempt was counted for the address."""
        self._accounts.forget(account)
        self._addresses.uncount(_source(address))

    def undecided(self, account: str, address: str) -> None:
        """Takes an attempt back of which nobody found out whether it was right."""
        self._accounts.uncount(account)
        self._addresses.uncount(_source(address))


class _Failures:
    """When each key failed of late, oldest first."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """How many seconds the key has to wait yet."""
        times = self._times.get(key)
        if times is None:
            return 0.0
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        if not times:
            del self._times[key]
        excess = len(times) - self._allowed
        if excess < 0:
            return 0.0
        return max(0.0, times[-1] + min(_FIRST_WAIT * 2**excess, _LONGEST_WAIT) - now)

    def count(self, key: str, now: float) -> None:
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque(maxlen=self._allowed + _KEPT_BEYOND)
        times.append(now)
        self._times.move_to_end(key)
        while len(self._times) > _MEMORY:
            self._times.popitem(last=False)

    def uncount(self, key: str) -> None:
        times = self._times.get(key)
        if times:
            times.pop()
            if not times:
                del self._times[key]

    def forget(self, key: str) -> None:
        self._times.pop(key, None)


def _source(address: str) -> str:
    """Whom an address stands for: without its port, and of IPv6 the /64 network that one household has.

    Takes a bare address, or a gRPC peer such as "ipv4:10.0.0.1:4711" and "ipv6:[::1]:4711". A Unix
    socket is no address: there are many people behind it.
    """
    if address.startswith("unix:"):
        return ""
    if address.startswith(("ipv4:", "ipv6:")):
        address = unquote(address.partition(":")[2]).rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)
