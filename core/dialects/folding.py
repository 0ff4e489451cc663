"""White space folded: a prompt is hashed without regard to how it is laid out.

`" ".join(text.split())` says what is meant, and takes a thousand times as long as the search for
two blanks. Most prompts are ASCII, where tables and searches of whole texts do the same.
"""

from typing import Final

# What str.split() parts words at, as far as it is ASCII.
_BLANKS: Final = b"\t\n\v\f\r\x1c\x1d\x1e\x1f"
_TO_SPACES: Final = bytes.maketrans(_BLANKS, b" " * len(_BLANKS))


def folded(text: str) -> bytes:
    """The words of a text with one space between each two, in UTF-8. Raises UnicodeEncodeError for half a character."""
    if not text.isascii():
        return " ".join(text.split()).encode()
    data = text.encode().translate(_TO_SPACES)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.strip(b" ")
