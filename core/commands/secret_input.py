"""Passwords and keys: asked for on the terminal or read from stdin, never an argument that `ps` shows."""

import sys
from getpass import getpass

from core.commands.failure import Failure

_MAX = 16 * 1024


def read_secret(what: str, *, from_stdin: bool, option: str, twice: bool = False) -> str:
    """The secret, without the end of its line.

    what: as it is asked for, "Password"; option: the one that reads it from stdin; twice: ask for it again.
    Raises Failure.
    """
    if from_stdin:
        secret = sys.stdin.readline(_MAX).rstrip("\r\n")
        if not secret:
            raise Failure(f"stdin is empty; {option} reads one line from it", 2)
        return secret
    if not sys.stdin.isatty():
        raise Failure(f"there is no terminal to ask on: use {option}", 2)
    secret = getpass(f"{what}: ")
    if twice and getpass(f"{what} again: ") != secret:
        raise Failure("the two are not the same")
    return secret
