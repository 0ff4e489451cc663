"""Who asks, as AWS wants to see it: a Bedrock API key as it is, or a signature of each request (SigV4).

A provider's key is one of three:

    ABSK…, bedrock-api-key-…       an API key of Bedrock's, shown in the Authorization header
    AKIA…:secret[:session token]   an access key, with which requests are signed
    nothing                        whoever this machine is, as AWS has it: environment, profile, container, instance

Signatures, and the search for credentials and their renewal, are botocore's, which is not installed with the rest
(core/decisions/0002-dependencies.md). It is loaded in a thread, with the first request that needs it, and where it
has to ask somebody for credentials it does so in a thread too.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from core.clock import Clock
from core.errors import ProviderError
from core.providers.bedrock import region
from core.providers.upstream import Target
from core.providers.wire import Headers

_ACCESS_KEY: Final = re.compile(r"(A[A-Z0-9]{15,127}):([^:\s]+)(?::(\S+))?")
_SERVICE: Final = "bedrock"
_SHOWN: Final = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
_TRY_EVERY: Final = 10.0  # seconds between two searches that find nothing: each may take seconds
_RENEW_EARLY: Final = 15 * 60  # seconds before credentials end

_Key = tuple[str, str, str | None]
"""Id, secret and session token of an access key."""


class AwsCredential:
    """What shows AWS who asks, for one provider."""

    def __init__(self, target: Target, environ: Mapping[str, str], clock: Clock) -> None:
        """environ: AWS's own variables, of which .env may have some that botocore would not see."""
        self._name = target.name
        self._clock = clock
        key = _ACCESS_KEY.fullmatch(target.api_key)
        self._key: _Key | None = (key[1], key[2], key[3]) if key else _key_in(environ)
        self._profile = environ.get("AWS_PROFILE") or None
        self._bearer: Headers = [("authorization", f"Bearer {target.api_key}")] if target.api_key and not key else ()
        host = urlsplit(target.base_url).hostname or ""
        self._region = region(host) or environ.get("AWS_REGION", "") or environ.get("AWS_DEFAULT_REGION", "")
        self._signer: _Signer | None = None
        self._loading = asyncio.Lock()
        self._failure = ""  # what the last search came to, and until when there is no other
        self._tries = 0.0

    async def headers(self, method: str, url: str, body: bytes) -> Headers:
        """The key's header, or those of a signature. Raises ProviderError where there is nothing to sign with."""
        if self._bearer:
            return self._bearer
        try:
            signer = self._signer or await self._load()
            return signer.sign(await signer.credentials(), method, url, body)
        except (OSError, ValueError, _Failed) as error:
            raise ProviderError(self._told(error)) from error

    async def _load(self) -> "_Signer":
        """The signer, made once. Raises ProviderError, and that at once where there was none a moment ago."""
        async with self._loading:
            if self._signer is not None:
                return self._signer
            if self._clock.monotonic() < self._tries:
                raise ProviderError(self._failure)
            try:
                self._signer = await asyncio.to_thread(_Signer, self._name, self._key, self._profile, self._region)
            except (ProviderError, ImportError, OSError, ValueError, _Failed) as error:
                self._failure = self._told(error)
                self._tries = self._clock.monotonic() + _TRY_EVERY
                raise ProviderError(self._failure) from error
            return self._signer

    def _told(self, error: Exception) -> str:
        """What is said of an error, to callers too."""
        if isinstance(error, ProviderError):
            return error.message
        if isinstance(error, ImportError):
            return (
                f"requests to the provider '{self._name}' must be signed, and the package for that is missing: "
                "install botocore, or give the provider a Bedrock API key"
            )
        return f"AWS gave the provider '{self._name}' no credentials"


def _key_in(environ: Mapping[str, str]) -> _Key | None:
    """The access key in the environment, which wins over all that botocore would look for."""
    id_, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    return (id_, secret, environ.get("AWS_SESSION_TOKEN") or None) if id_ and secret else None


class _Failed(Exception):
    """botocore found no credentials, or could not renew them."""


class _Signer:
    """The credentials of one provider, and what botocore does with them. Made in a thread."""

    def __init__(self, name: str, key: _Key | None, profile: str | None, region: str) -> None:
        """Raises ImportError, ProviderError, _Failed."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials, RefreshableCredentials
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session

        logging.getLogger("botocore").setLevel(logging.INFO)  # below, it writes down what it signs, tokens included
        self._make_auth: Any = SigV4Auth
        self._make_request: Any = AWSRequest
        self._refreshable: Any = RefreshableCredentials
        # Credentials that are still old when they were renewed are told by a RuntimeError.
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError, RuntimeError)
        try:
            session: Any = Session(profile=profile)
            self._region: str = region or session.get_config_variable("region") or ""
            self._credentials: Any = Credentials(*key) if key else session.get_credentials()
        except self._errors as error:
            raise _Failed from error
        if self._credentials is None:
            raise ProviderError(f"the provider '{name}' has no key, and this machine no AWS credentials")
        if not self._region:
            raise ProviderError(f"the base URL of the provider '{name}' names no AWS region, and AWS_REGION is not set")

    async def credentials(self) -> Any:
        """Those that are valid now. Raises _Failed."""
        held = self._credentials
        try:
            if isinstance(held, self._refreshable) and held.refresh_needed(_RENEW_EARLY):
                return await asyncio.to_thread(held.get_frozen_credentials)
            return held.get_frozen_credentials()
        except self._errors as error:
            raise _Failed from error

    def sign(self, credentials: Any, method: str, url: str, body: bytes) -> Headers:
        """The headers that sign a request: its host, path, query and body."""
        request: Any = self._make_request(method=method, url=url, data=body)
        self._make_auth(credentials, _SERVICE, self._region).add_auth(request)
        return [(name.lower(), request.headers[name]) for name in _SHOWN if name in request.headers]
