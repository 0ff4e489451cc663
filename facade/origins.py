"""Which web pages may call: protection against cross-site requests, and CORS.

A browser sends its cookies along with what a foreign page makes it send. So a call that changes
something, and whose only credential is the cookie, is refused where the browser says that another
site made it. Programs send neither `Origin` nor `Sec-Fetch-Site` and are not concerned.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from facade.settings import FacadeSettings

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_EXPOSED = (
    "X-Request-Id, Retry-After, X-LLMRouter-Provider, X-LLMRouter-Model, X-LLMRouter-Cost-USD, X-LLMRouter-Error-Detail"
)
_HEADERS = "Authorization, Content-Type, X-API-Key, X-Goog-Api-Key, X-Virtual-Key"
_MAX_AGE = "600"  # seconds for which a browser remembers a preflight's answer
_MAX_REQUESTED_HEADERS = 2048


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class Origins:
    """Knows this service's own pages and those that may call it from elsewhere."""

    def __init__(self, settings: FacadeSettings) -> None:
        self._own = _origin(settings.public_url)
        self._allowed = frozenset(_origin(origin) for origin in settings.cors_origins if origin != "*")
        self._anyone = "*" in settings.cors_origins
        self.cors = bool(settings.cors_origins)

    def foreign(self, headers: Mapping[str, str]) -> bool:
        """Whether a browser says that a page of another site made this request."""
        origin = headers.get("Origin", "").lower()
        if origin == self._own or origin in self._allowed:
            return False
        if headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
            return True
        return bool(origin) and origin.partition("://")[2] != headers.get("Host", "").lower()

    def answer_headers(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """What lets the page that made this request read the answer; nothing where it may not."""
        origin = headers.get("Origin", "")
        if not origin:
            return (("Vary", "Origin"),)
        if origin.lower() in self._allowed:
            return (
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Credentials", "true"),
                ("Access-Control-Expose-Headers", _EXPOSED),
                ("Vary", "Origin"),
            )
        if self._anyone:  # without credentials: a cookie must not work for everybody's pages
            return (
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Expose-Headers", _EXPOSED),
                ("Vary", "Origin"),
            )
        return (("Vary", "Origin"),)

    def preflight_headers(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """What a preflight is answered with beside `answer_headers`; nothing where the page may not call."""
        origin = headers.get("Origin", "").lower()
        if not (self._anyone or origin in self._allowed):
            return ()
        requested = headers.get("Access-Control-Request-Headers", "")
        if len(requested) > _MAX_REQUESTED_HEADERS or not (requested.isascii() and requested.isprintable()):
            requested = ""
        return (
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", requested or _HEADERS),
            ("Access-Control-Max-Age", _MAX_AGE),
        )
