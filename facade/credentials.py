"""Finds the credentials in a request; whether they count is the core's business."""

from dataclasses import dataclass

from aiohttp import web

SESSION_COOKIE = "session"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the request brought, each "" where it did not."""

    authorization: str
    api_key: str
    virtual_key: str
    session: str

    @property
    def by_cookie_alone(self) -> bool:
        """Whether a browser may have sent this without its user's doing."""
        return bool(self.session) and not (self.authorization or self.api_key or self.virtual_key)

    def metadata(self) -> list[tuple[str, str]]:
        """The same as gRPC metadata."""
        pairs = (
            ("authorization", self.authorization),
            ("x-api-key", self.api_key),
            ("x-virtual-key", self.virtual_key),
            ("x-llmrouter-session", self.session),
        )
        return [(name, value) for name, value in pairs if value]


def credentials_of(request: web.BaseRequest, query_key: str = "") -> Credentials:
    """The credentials of a request. query_key: the parameter of its query that may bear an API key, "" for none."""
    headers = request.headers
    api_key = headers.get("X-API-Key") or headers.get("x-goog-api-key", "")
    if query_key and not api_key:
        api_key = request.query.get(query_key, "")
    return Credentials(
        authorization=_carried(headers.get("Authorization", "")),
        api_key=_carried(api_key),
        virtual_key=_carried(headers.get("X-Virtual-Key", "")),
        session=_carried(request.cookies.get(SESSION_COOKIE, "")) if "Cookie" in headers else "",
    )


def _carried(value: str) -> str:
    """A credential as gRPC can carry it; one that it can't is wrong in any case."""
    return value if value.isascii() and value.isprintable() else "invalid"
