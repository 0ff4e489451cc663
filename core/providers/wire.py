"""How each wire format is spoken over HTTP: paths, the key's header, and what else belongs into a head.

A vendor's row (core/providers/vendors.py) names the wires that the vendor speaks; the first of them is
its own, in which its models are listed too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from multidict import CIMultiDict
from yarl import URL

from core.dialects.anthropic import messages as anthropic_messages
from core.dialects.openai import chat as openai_chat

Headers = Sequence[tuple[str, str]]
"""Names in lower case, and their values."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wire:
    """One wire format over HTTP."""

    paths: Mapping[str, str]  # operation → path below the base URL
    key_header: str
    key_prefix: str = ""
    passes: tuple[str, ...] = ()  # headers of the caller's that go on to the provider
    defaults: tuple[tuple[str, str], ...] = ()  # what is sent where the caller has none of them
    paged: bool = False  # lists of models come in pages
    versioned: bool = False  # base URLs may be given without the version, which is /v1

    def key(self, api_key: str) -> tuple[str, str]:
        """The header that shows a key."""
        return self.key_header, self.key_prefix + api_key

    def passed_on(self, headers: Headers) -> Headers:
        """Of the caller's headers those that go on, and the defaults for what is missing."""
        passed = [header for header in headers if header[0] in self.passes]
        names = {name for name, _ in passed}
        return [*passed, *(default for default in self.defaults if default[0] not in names)]


OPENAI = Wire(
    paths={
        openai_chat.CHAT: "/chat/completions",
        openai_chat.COMPLETION: "/completions",
        openai_chat.EMBEDDING: "/embeddings",
    },
    key_header="Authorization",
    key_prefix="Bearer ",
)
ANTHROPIC = Wire(
    paths={
        anthropic_messages.MESSAGES: "/messages",
        anthropic_messages.COUNT_TOKENS: "/messages/count_tokens",
    },
    key_header="x-api-key",
    passes=("anthropic-version", "anthropic-beta"),
    defaults=(("anthropic-version", "2023-06-01"),),
    paged=True,
    versioned=True,
)
ANTHROPIC_BY_BEARER = replace(ANTHROPIC, key_header="Authorization", key_prefix="Bearer ")
"""As servers have it that began with the OpenAI wire and know a key by that header alone."""


class Endpoint:
    """One operation of one provider: everything of its requests that never changes."""

    def __init__(self, url: URL, wire: Wire, headers: "CIMultiDict[str]", api_key: str) -> None:
        """headers: of every wire. api_key: "" for none."""
        self.url = url
        self.wire = wire
        self.headers = CIMultiDict(headers)
        if api_key:
            name, value = wire.key(api_key)
            self.headers[name] = value

    @property
    def paged(self) -> bool:
        return self.wire.paged

    def passed_on(self, headers: Headers) -> Headers:
        """The headers that a request has beside those."""
        return self.wire.passed_on(headers) if self.wire.passes else ()


PASSED = frozenset(name for wire in (OPENAI, ANTHROPIC) for name in wire.passes)
"""Every header of a caller's that some wire passes on."""


class _Page(msgspec.Struct):
    has_more: bool = False
    last_id: str | None = None


_PAGE_SIZE = "1000"
_decode_page = msgspec.json.Decoder(_Page).decode


def first_page(url: URL) -> URL:
    """Where a list of models that comes in pages begins."""
    return url.update_query(limit=_PAGE_SIZE)


def next_page(first: URL, body: bytes) -> URL | None:
    """Where such a list goes on after a page, None where it ends."""
    try:
        page = _decode_page(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return first.update_query(after_id=page.last_id) if page.has_more and page.last_id else None
