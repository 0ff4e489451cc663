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


def texts_after(name: bytes) -> "re.Pattern[bytes]":
    """Finds what stands in the JSON fields whose names end so, as it stands between its quotation marks.

    One pattern for each: a literal at the beginning is what makes the search fast.
    """
    return re.compile(name + rb'"\s?:\s?"([^"\\]*(?:\\.[^"\\]*)*)"')


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

    def add(self, block: bytes) -> bytes:
        """Takes note of some events; returns what is let go with them, b"" while all is kept."""
        self.keep(block)
        return self.let_go() if self._aside_size > _ASIDE_BYTES else b""

    def keep(self, block: bytes) -> None:
        """The same for the last of a stream, whatever its size."""
        self._aside.append(block)
        self._aside_size += len(block)

    def kept(self) -> bytes:
        """What is kept aside."""
        return b"".join(self._aside)

    def let_go(self) -> bytes:
        """Takes the texts out of what is kept aside, and lets the rest go; returns what that was."""
        aside, self._aside, self._aside_size = self.kept(), [], 0
        if not aside:
            return b""
        self._events += aside.count(b"data:")
        for pattern in self._patterns:
            text = b"".join(pattern.findall(aside))
            if text:
                self._texts.append(text)
                self._texts_size += len(text)
        if self._texts_size > _TEXT_BYTES:
            self._count()
        return aside

    def tokens(self) -> int:
        """How many tokens were said."""
        self.let_go()
        self._count()
        return self._counted

    def events(self) -> int:
        """How many events came, which is about how many tokens."""
        return self._events + sum(block.count(b"data:") for block in self._aside)

    def _count(self) -> None:
        text, self._texts, self._texts_size = b"".join(self._texts), [], 0
        if not text:
            return
        try:
            plain = _decode_text(b'"%b"' % text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            plain = text.decode(errors="replace")
        self._counted += count_text(plain)
