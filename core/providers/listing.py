"""How the wires list a provider's models: one page or several, and what a page says.

first(url) ─► GET ─► names(page), following(first, page) ─► GET … ─► None
"""

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec
from yarl import URL

from core.errors import RefreshFailed

_LONGEST_NAME = 300
_NO_OPENAI = "the provider's list of models is not what the OpenAI API describes"
_NO_GEMINI = "the provider's list of models is not what the Gemini API describes"


class Listing(Protocol):
    """A list of models on one wire."""

    def first(self, url: URL) -> URL:
        """Where the list begins that is at this address."""
        ...

    def names(self, body: bytes) -> list[str]:
        """The models on a page. Raises RefreshFailed for what is no such page."""
        ...

    def following(self, first: URL, body: bytes) -> URL | None:
        """Where the list goes on after a page; None where it ends."""
        ...


class _Listed(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Page(msgspec.Struct):
    data: list[_Listed] | None = None
    models: list[_Listed] | None = None


_decode_page = msgspec.json.Decoder(_Page | list[_Listed]).decode


class OpenAIList:
    """`{"data": […]}`, or a bare array as some vendors have it; always whole."""

    def first(self, url: URL) -> URL:
        return url

    def names(self, body: bytes) -> list[str]:
        try:
            page: _Page | list[_Listed] = _decode_page(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefreshFailed(_NO_OPENAI) from error
        listed = page if isinstance(page, list) else page.data if page.data is not None else page.models
        if listed is None:  # an error in a good answer's clothes, say, must not pass for a provider without models
            raise RefreshFailed(_NO_OPENAI)
        return named(model.id or model.name for model in listed)

    def following(self, first: URL, body: bytes) -> URL | None:
        del first, body
        return None


class _Cursor(msgspec.Struct):
    has_more: bool = False
    last_id: str | None = None


_decode_cursor = msgspec.json.Decoder(_Cursor).decode


class AnthropicList(OpenAIList):
    """The same in pages, each of which names the last of its models."""

    def first(self, url: URL) -> URL:
        return url.update_query(limit="1000")

    def following(self, first: URL, body: bytes) -> URL | None:
        try:
            cursor = _decode_cursor(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return first.update_query(after_id=cursor.last_id) if cursor.has_more and cursor.last_id else None


class _GeminiModel(msgspec.Struct, rename="camel"):
    name: str = ""
    supported_generation_methods: list[str] | None = None


class _GeminiPage(msgspec.Struct, rename="camel"):
    models: list[_GeminiModel] | None = None
    next_page_token: str = ""
    error: msgspec.Raw | None = None


_decode_gemini = msgspec.json.Decoder(_GeminiPage).decode
_CALLED = frozenset({"generateContent", "embedContent", "batchEmbedContents"})


class GeminiList:
    """`{"models": [{"name": "models/…"}], "nextPageToken"}`, of which those are ours that do what we call.

    Wire: https://ai.google.dev/api/models
    """

    def first(self, url: URL) -> URL:
        return url.update_query(pageSize="1000")

    def names(self, body: bytes) -> list[str]:
        page = self._page(body)
        return named(
            model.name.removeprefix("models/")
            for model in page.models or ()
            if model.supported_generation_methods is None or not _CALLED.isdisjoint(model.supported_generation_methods)
        )

    def following(self, first: URL, body: bytes) -> URL | None:
        token = self._page(body).next_page_token
        return first.update_query(pageToken=token) if token else None

    def _page(self, body: bytes) -> _GeminiPage:
        try:
            page = _decode_gemini(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefreshFailed(_NO_GEMINI) from error
        if page.error is not None or (page.models is None and not page.next_page_token and body.strip() != b"{}"):
            raise RefreshFailed(_NO_GEMINI)  # of an empty list nothing at all is sent
        return page


def named(names: Iterable[str]) -> list[str]:
    """The names that can be ones, each once."""
    return [name for name in dict.fromkeys(names) if 0 < len(name) <= _LONGEST_NAME]


OPENAI_LIST: Final = OpenAIList()
ANTHROPIC_LIST: Final = AnthropicList()
GEMINI_LIST: Final = GeminiList()
