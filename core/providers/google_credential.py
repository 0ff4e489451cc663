"""Google's access tokens: of a service account, whose JSON is the provider's key, or of where the router runs.

A token is asked for in a thread, by the first request, and again by one that comes in the last quarter of its
life, which goes out with the old one meanwhile. So a request waits for a token only where none had come for long.

The package google-auth is loaded with the first provider that needs it.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, cast

import msgspec

from core.clock import Clock
from core.errors import ProviderError
from core.providers.upstream import Target
from core.providers.wire import Headers

log = logging.getLogger(__name__)

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_TRY_EVERY: Final = 10.0  # seconds between two attempts to renew a token that is still good
_UNSPOKEN_LIFE: Final = timedelta(minutes=5)  # of a token that does not say when it ends


class _Credentials(Protocol):
    """What we use of Google's."""

    expiry: datetime | None  # in UTC, without saying so

    def refresh(self, request: object) -> None: ...

    def apply(self, headers: dict[str, str]) -> None: ...


class GoogleCredential:
    """The tokens of one provider."""

    def __init__(self, target: Target, environ: Mapping[str, str], clock: Clock) -> None:
        """Raises ValueError for a key that is no service account's."""
        del environ  # Google's package looks for the default credentials itself, in many places
        self._name = target.name
        self._clock = clock
        self._credentials = _service_account(target.api_key) if target.api_key else None
        self._shown: Headers = ()
        self._renews = self._ends = self._tries = 0.0  # on the monotonic clock
        self._renewal: asyncio.Task[None] | None = None

    async def headers(self, method: str, url: str, body: bytes) -> Headers:
        """The token's header. Raises ProviderError where there is no token."""
        now = self._clock.monotonic()
        if now >= self._ends:
            await asyncio.shield(self._renewed())
        elif now >= self._renews and now >= self._tries:
            self._renewed()
        return self._shown

    def _renewed(self) -> "asyncio.Task[None]":
        """The renewal under way, for all that wait for it."""
        if self._renewal is None or self._renewal.done():
            self._tries = self._clock.monotonic() + _TRY_EVERY
            self._renewal = asyncio.get_running_loop().create_task(self._renew())
            self._renewal.add_done_callback(_heard)
        return self._renewal

    async def _renew(self) -> None:
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

        began = self._clock.monotonic()
        try:
            shown, life = await asyncio.to_thread(self._ask)
        except DefaultCredentialsError as error:
            raise ProviderError(f"the provider '{self._name}' has no key, and this machine no credentials") from error
        except (GoogleAuthError, OSError, ValueError) as error:
            log.warning("provider '%s': Google gave no access token (%s)", self._name, type(error).__name__)
            raise ProviderError(f"Google gave the provider '{self._name}' no access token") from error
        self._shown = shown
        self._ends = began + life.total_seconds()
        self._renews = began + life.total_seconds() * 0.75

    def _ask(self) -> tuple[Headers, timedelta]:
        """In a thread: a new token, and how long it lives."""
        import google.auth
        from google.auth.transport.requests import Request

        if self._credentials is None:
            found, _ = google.auth.default(scopes=_SCOPES)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped
            self._credentials = cast("_Credentials", found)
        self._credentials.refresh(Request())
        headers: dict[str, str] = {}
        self._credentials.apply(headers)
        expiry = self._credentials.expiry
        life = _UNSPOKEN_LIFE if expiry is None else expiry.replace(tzinfo=UTC) - self._clock.now()
        return [(name.lower(), value) for name, value in headers.items()], life


def _service_account(key: str) -> _Credentials:
    """The credentials in the JSON of a service account. Raises ValueError, which repeats nothing of it."""
    from google.oauth2.service_account import Credentials

    with suppress(ValueError):
        info = msgspec.json.decode(key, type=dict[str, Any])
        made = Credentials.from_service_account_info(info, scopes=_SCOPES)  # pyright: ignore[reportUnknownMemberType] - untyped
        return cast("_Credentials", made)
    raise ValueError("its key is not the JSON of a Google service account, as a downloaded key file has it")


def _heard(renewal: "asyncio.Task[None]") -> None:
    """Takes note of a failure for which nobody waits: it is in the log."""
    if not renewal.cancelled():
        renewal.exception()
