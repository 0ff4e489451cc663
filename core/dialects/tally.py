"""Counts what a stream says, in case its provider does not: blocks are kept aside, later their texts alone.

    blocks ─► aside, 32 kB at most ─► texts, 256 kB at most ─► a number

Memory per stream has a bound, and a block costs nothing until somebody asks or the bound is reached.
"""

import re
from collections.abc import Sequence

import msgspec

from core.dialects.counting import count_text

_ASIDE_BYTES = 32 * 1024
_TEXT_BYTES = 256 * 1024

_decode_text = msgspec.json.Decoder(str).decode


def texts_named(name: bytes) -> "re.Pattern[bytes]":
    """Finds what stands in a JSON field of this name; a literal at the beginning makes the search fast."""
    return re.compile(b'"' + name + rb'"\s?:\s?"([^"\\]*(?:\\.[^"\\]*)*)"')


class Tally:
    """The tokens of one stream so far."""

    __slots__ = ("_aside", "_aside_size", "_counted", "_events", "_patterns", "_texts", "_texts_size")

    def __init__(self, patterns: Sequence["re.Pattern[bytes]"]) -> None:
        """patterns: of the fields in which a model says something."""
        self._patterns = patterns
        self._aside: list[bytes] = []
        self._aside_size = 0
        self._texts: list[bytes] = []
        self._texts_size = 0
        self._counted = 0
        self._events = 0

    def add(self, block: bytes) -> None:
        """Takes note of some events."""
        self._aside.append(block)
        self._aside_size += len(block)
        if self._aside_size > _ASIDE_BYTES:
            self._take_texts()

    def tokens(self) -> int:
        """How many tokens were said."""
        self._take_texts()
        self._count()
        return self._counted

    def events(self) -> int:
        """How many events came, which is about how many tokens."""
        return self._events + sum(block.count(b"data:") for block in self._aside)

    def _take_texts(self) -> None:
        """Takes the texts out of what was kept aside, and lets the rest go."""
        aside, self._aside, self._aside_size = b"".join(self._aside), [], 0
        self._events += aside.count(b"data:")
        for pattern in self._patterns:
            text = b"".join(pattern.findall(aside))
            if text:
                self._texts.append(text)
                self._texts_size += len(text)
        if self._texts_size > _TEXT_BYTES:
            self._count()

    def _count(self) -> None:
        text, self._texts, self._texts_size = b"".join(self._texts), [], 0
        if not text:
            return
        try:
            plain = _decode_text(b'"%b"' % text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            plain = text.decode(errors="replace")
        self._counted += count_text(plain)
