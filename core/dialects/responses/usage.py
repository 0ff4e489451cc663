"""The `usage` object of the Responses wire, and what of a whole answer the accounts need.

`input_tokens` includes what came from the cache and what was written to it, `output_tokens` the reasoning.
Searches of the provider's own are counted in `tool_usage`, else by the calls in the output.
"""

from typing import Any

import msgspec

from core.dialects.counting import count_text
from core.dialects.request import Request
from core.dialects.responses.request import prompt_tokens
from core.dialects.tokens import COUNTED, PROVIDER, Tokens, reported, says


class _InputDetails(msgspec.Struct):
    cached_tokens: int | float | None = 0
    cache_write_tokens: int | float | None = 0


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | float | None = 0


class Usage(msgspec.Struct):
    """What an answer reports."""

    input_tokens: int | float | None = 0
    output_tokens: int | float | None = 0
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None

    def tokens(self, searches: int = 0) -> Tokens | None:
        """The same in the terms that all dialects share; None where it does not say what was used."""
        if not says(self.input_tokens, self.output_tokens):
            return None
        given = self.input_tokens_details or _InputDetails()
        made = self.output_tokens_details or _OutputDetails()
        prompt = _whole(self.input_tokens)
        return Tokens(
            input=prompt,
            output=_whole(self.output_tokens),
            cached_input=min(prompt, _whole(given.cached_tokens)),
            cache_write=_whole(given.cache_write_tokens),
            reasoning=_whole(made.reasoning_tokens),
            web_searches=searches,
            source=PROVIDER,
        )


class _Searches(msgspec.Struct):
    num_requests: int | float | None = None


class _ToolUsage(msgspec.Struct):
    web_search: _Searches | None = None


class _Content(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Action(msgspec.Struct):
    type: str | None = None


class _Item(msgspec.Struct):
    type: str | None = None
    content: list[_Content] | None = None
    summary: list[_Content] | None = None
    arguments: str | None = None
    input: str | None = None
    action: _Action | None = None

    def said(self) -> str:
        parts = [*(self.content or ()), *(self.summary or ())]
        return (self.arguments or self.input or "") + "".join([part.text or part.refusal or "" for part in parts])


class Reported(msgspec.Struct):
    """A response object, as far as its accounts go."""

    usage: Usage | None = None
    output: msgspec.Raw = msgspec.Raw(b"null")
    tool_usage: _ToolUsage | None = None
    status: str | None = None
    error: Any = None

    def tokens(self) -> Tokens | None:
        """What it used, None where it does not say."""
        return self.usage.tokens(self._searches()) if self.usage is not None else None

    def counted(self, prompt: int) -> Tokens:
        """What it used, counted."""
        return Tokens(input=prompt, output=sum(count_text(item.said()) for item in self._items()), source=COUNTED)

    def _searches(self) -> int:
        told = self.tool_usage.web_search if self.tool_usage is not None else None
        if told is not None and told.num_requests is not None:
            return _whole(told.num_requests)
        if b'"web_search_call"' not in bytes(self.output):
            return 0
        calls = [item.action for item in self._items() if item.type == "web_search_call"]
        return sum(action is None or action.type in (None, "search") for action in calls)

    def _items(self) -> list[_Item]:
        try:
            return _decode_items(self.output) or []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []


_decode_reported = msgspec.json.Decoder(Reported).decode
_decode_items = msgspec.json.Decoder(list[_Item] | None).decode
_decode_loosely = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_reported(body: bytes | msgspec.Raw) -> Reported:
    """The accounts of a response object. Raises ValueError for what is no JSON object."""
    try:
        return _decode_reported(body)
    except (msgspec.ValidationError, RecursionError):
        return _loosely(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("not JSON") from None


def answer_tokens(request: Request, body: bytes) -> Tokens:
    """What a complete answer used: as it reports, else counted. Raises ValueError for what is no JSON object."""
    found = read_reported(body)
    return found.tokens() or found.counted(prompt_tokens(request))


def _loosely(body: bytes | msgspec.Raw) -> Reported:
    """The same of an object whose fields are not all what the document says."""
    try:
        fields = _decode_loosely(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("not a JSON object") from None
    found = Reported(output=fields.get("output", msgspec.Raw(b"null")))
    try:
        found.usage = msgspec.json.decode(fields.get("usage", b"null"), type=Usage | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found.usage = None
    return found


def _whole(number: float | None) -> int:
    """A reported count; one that is no whole number, as some send it, is cut."""
    return reported(int(number)) if number is not None and abs(number) < 1e18 else 0
