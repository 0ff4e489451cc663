"""Checks of what callers send: text, e-mail addresses, user names. Each raises InvalidArgument naming the field."""

import re

from core.errors import InvalidArgument

MAX_EMAIL = 320
MAX_USERNAME = 100

# One @ with something before and after it. Whether mail arrives there, only sending some would tell.
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_USERNAME = re.compile(r"[^@\s]{1,100}")


def line(text: str, field: str, *, least: int = 0, most: int) -> str:
    """One line of text without space around it, of so many characters."""
    text = text.strip()
    if not least <= len(text) <= most:
        wanted = f"at most {most}" if least == 0 else f"{least} to {most}"
        raise InvalidArgument(f"{field} must have {wanted} characters", field=field)
    if has_control(text):
        raise InvalidArgument(f"{field} must not have control characters", field=field)
    return text


def passage(text: str, field: str, *, least: int = 0, most: int) -> str:
    """A text of several lines, as it is, of so many characters."""
    if not least <= len(text) <= most:
        wanted = f"at most {most}" if least == 0 else f"{least} to {most}"
        raise InvalidArgument(f"{field} must have {wanted} characters", field=field)
    if "\0" in text:
        raise InvalidArgument(f"{field} must not have the control character 0", field=field)
    return text


def email(text: str, field: str = "email") -> str:
    """An e-mail address, in lower case."""
    text = text.strip().lower()
    if len(text) > MAX_EMAIL or not _EMAIL.fullmatch(text) or has_control(text):
        raise InvalidArgument(f"{field} must be an e-mail address", field=field)
    return text


def username(text: str, own_email: str, field: str = "username") -> str:
    """A user name in lower case; one with an @ can only be the user's own e-mail address."""
    text = text.strip().lower()
    if text == own_email:
        return text
    if not _USERNAME.fullmatch(text) or has_control(text):
        wanted = f"1 to {MAX_USERNAME} characters without @ and space, or your e-mail address"
        raise InvalidArgument(f"{field} must have {wanted}", field=field)
    return text


def has_control(text: str) -> bool:
    """Whether there are control characters; PostgreSQL can't even keep the one with the number 0."""
    return any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)
