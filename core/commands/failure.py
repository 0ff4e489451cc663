"""What went wrong, in one line that says what to do about it, and the exit code for it."""

import errno
import sys
from typing import Any

from core.settings import SettingsError
from core.supervisor import EX_CONFIG, EX_UNAVAILABLE

EX_SOFTWARE = 70  # a fault of ours, BSD's sysexits too

# The use cases' own messages are what the documents want; operators get better ones.
_HINTS = {
    "EMAIL_EXISTS": "a user with this e-mail address exists already; `llmrouter users list` shows all",
    "NAME_EXISTS": "the name is taken; choose another",
    "LAST_ADMIN": "this is the last enabled administrator; make another one first: `llmrouter users add --admin EMAIL`",
}


class Failure(Exception):
    """A command can't do what it was asked to. The message says why and what would help."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def explain(error: BaseException) -> tuple[str, int]:
    """The line to show and the exit code."""
    if isinstance(error, Failure):
        return str(error), error.code
    if isinstance(error, SettingsError):
        return str(error), EX_CONFIG
    if _is(error, "core.errors", "DatabaseError"):
        cause = f" ({_brief(error.__cause__)})" if error.__cause__ else ""
        return f"the database does not answer{cause}; check LLMROUTER_DATABASE_URL, or start it", EX_UNAVAILABLE
    if _is(error, "core.store.migrate", "SchemaError"):
        return str(error), EX_CONFIG
    if _is(error, "core.errors", "RouterError"):
        return _HINTS.get(getattr(error, "reason", ""), str(error)), 1
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}", EX_CONFIG if error.errno in (errno.EACCES, errno.EROFS) else 1
    return f"{_brief(error)}; this is a fault of llmrouter, and LLMROUTER_LOG_LEVEL=debug shows where", EX_SOFTWARE


def in_one_line(error: Any) -> str:
    """The same for a log, where what is wrong with a configuration file takes one line too."""
    if _is(error, "core.config.problems", "ConfigurationError"):
        return error.in_one_line()
    return explain(error)[0]


def _is(error: BaseException, module: str, name: str) -> bool:
    """Whether it is of that class, without importing what nobody has imported yet."""
    found = sys.modules.get(module)
    return found is not None and isinstance(error, getattr(found, name))


def _brief(error: BaseException | None) -> str:
    """The kind of an error and the first line of its text, redacted."""
    from core.logs import redact

    text = str(error).strip().split("\n", 1)[0][:300]
    return redact(f"{type(error).__name__}: {text}" if text else type(error).__name__)
