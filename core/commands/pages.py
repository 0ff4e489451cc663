"""Lists that come page by page, whole."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")


class _Page(Protocol):
    """The answer of a List method; it is a protobuf message too."""

    @property
    def next_page_token(self) -> str: ...


_P = TypeVar("_P", bound=_Page)


async def every(
    ask: Callable[[Any, Any], Awaitable[_P]], request: Any, rows_of: Callable[[_P], Iterable[_T]]
) -> list[_T]:
    """All rows of a List method. request: is changed; rows_of: the rows of a page."""
    found: list[_T] = []
    while True:
        page = await ask(request, None)
        found += rows_of(page)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token
