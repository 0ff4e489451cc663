"""Where the requests of one operation go, and everything of them that never changes.

"/chat/completions"                        ─► Fixed   the same address for every request
ByModel("/models/{model}:generateContent") ─► Named   the model is in it, and perhaps whether the answer streams
"""

from typing import Protocol
from urllib.parse import quote

from multidict import CIMultiDict
from yarl import URL

from core.errors import InvalidArgument
from core.providers.wire import ByModel, Headers, Wire


class Endpoint(Protocol):
    """One operation of one provider: everything of its requests that never changes, and where they go."""

    wire: Wire
    headers: CIMultiDict[str]

    def target(self, model: str, *, streamed: bool) -> bytes:
        """Path and query of a request, as they stand in its first line. Raises InvalidArgument."""
        ...

    def passed_on(self, headers: Headers) -> Headers:
        """The headers that a request has beside those."""
        ...


class Fixed:
    """The same address for every request."""

    __slots__ = ("_target", "headers", "wire")

    def __init__(self, url: URL, wire: Wire, headers: CIMultiDict[str]) -> None:
        self.wire = wire
        self.headers = headers
        self._target = url.raw_path_qs.encode()

    def target(self, model: str, *, streamed: bool) -> bytes:
        del model, streamed
        return self._target

    def passed_on(self, headers: Headers) -> Headers:
        return self.wire.passed_on(headers) if self.wire.passes else ()


class Named:
    """An address that has the model in it."""

    __slots__ = ("_plain", "_streamed", "headers", "wire")

    def __init__(self, plain: URL, streamed: URL, wire: Wire, headers: CIMultiDict[str]) -> None:
        """plain and streamed: made by `address`, with a mark where the model goes."""
        self.wire = wire
        self.headers = headers
        self._plain = _halves(plain)
        self._streamed = _halves(streamed)

    def target(self, model: str, *, streamed: bool) -> bytes:
        if model in (".", ".."):  # steps of a path, however they are written
            raise InvalidArgument("there is no such model", field="model")
        before, after = self._streamed if streamed else self._plain
        return b"".join((before, quote(model, safe="").encode(), after))

    def passed_on(self, headers: Headers) -> Headers:
        return self.wire.passed_on(headers) if self.wire.passes else ()


_MODEL_MARK = "_model.goes.here_"


def endpoint(base_url: str, path: str | ByModel, wire: Wire, headers: CIMultiDict[str]) -> Endpoint:
    """The endpoint at a path below a base URL. headers: all that never change."""
    if isinstance(path, str):
        return Fixed(address(base_url, path), wire, headers)
    plain, streamed = address(base_url, path.path), address(base_url, path.streamed or path.path)
    return Named(plain, streamed, wire, headers)


def address(base_url: str, path: str) -> URL:
    """A path below a base URL; each may have a query."""
    base, _, base_query = base_url.partition("?")
    below, _, own_query = path.replace("{model}", _MODEL_MARK).partition("?")
    query = "&".join(filter(None, (own_query, base_query)))
    return URL(base + below + ("?" + query if query else ""))


def _halves(url: URL) -> tuple[bytes, bytes]:
    before, _, after = url.raw_path_qs.partition(_MODEL_MARK)
    return before.encode(), after.encode()
