"""Logging: one line per event on stderr, with secrets blotted out.

    2026-11-21T22:09:01.532Z info core-0 llmrouter.rpc rpc method=/llmrouter.v1.… code=OK ms=1.2 request_id=req_…
    {"ts":"2026-…","level":"info","process":"core-0","logger":"llmrouter.rpc","msg":"rpc","code":"OK",…}

What a caller passes as `extra` becomes fields. core/cli.py sets this up in every process, the facade's
included, which only uses the standard library's `logging`.

Nobody is to log a secret; the redaction here is the last wall, for what slips through in the text of
an exception or of a library.
"""

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

# Longer lines are cut: a log is no place for bodies, and redaction takes time by the character.
_MAX_LINE = 32 * 1024
# Whose messages are ours; the libraries' are shown from "warning" on, for theirs at "debug" may hold parameters.
_OURS = ("llmrouter", "core", "facade")

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_NAME = r"(?:key|token|passw(?:or)?d|secret|authorization|cookie)"
_SECRETS = re.compile(
    # a key by its look: ours, and the well-known vendors'
    r"\b(?P<prefix>(?:sk|ses|vk|pk|gsk|csk|hf|xai|pplx|nvapi|r8|fw)[_-]|AIza|eyJ)[\w.-]{6,}"
    # a header
    r"|\b(?P<scheme>(?:bearer|basic)\s+)[\w.~+/=-]+"
    r"|\b(?P<header>(?:(?:x|api|set)-[\w-]{0,30}(?:key|token|secret|cookie)|authorization|cookie):\s*)"
    r"(?!bearer|basic)[^\s,;\"']+"
    # name=value, in a query, a URL or our own fields
    rf"|(?P<assigned>{_NAME}=)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s&,;\"')]+)"
    # "name": "value", in JSON or a dict
    rf"|(?P<json>{_NAME}[\"']\s*:\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    # a URL with a password in it
    r"|(?P<url>://[^\s/:@]*:)[^\s/@]+(?=@)",
    re.IGNORECASE,
)
# No secret is found in a line that has none of these, and looking for them is fifty times faster.
_HINTS = (
    *("key", "token", "passw", "secret", "authorization", "cookie", "bearer", "basic", "://", "aiza", "eyj"),
    *(prefix + mark for prefix in ("sk", "vk", "pk", "hf", "fw", "r8", "es", "ai", "lx", "pi") for mark in "_-"),
)


def redact(text: str) -> str:
    """The text with what looks like a secret replaced by ***."""
    lower = text.lower()
    return _SECRETS.sub(_blot, text) if any(hint in lower for hint in _HINTS) else text


def _blot(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    return f'{match[kind]}"***"' if kind == "json" else f"{match[kind]}***"


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    trace = formatter.formatException(record.exc_info) if record.exc_info else ""
    return redact(trace[-_MAX_LINE:])


class TextFormatter(logging.Formatter):
    """For people: the fields as name=value, a trace indented below, so that no message can forge a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()[:_MAX_LINE].replace("\n", "\\n").replace("\r", "\\r")
        parts = [_moment(record), record.levelname.lower(), self._process, record.name, message]
        parts += [f"{name}={_value(value)}" for name, value in _fields(record).items()]
        line = redact(" ".join(parts)[:_MAX_LINE])
        return line + "".join(f"\n    {each}" for each in _trace(self, record).splitlines())


class JsonFormatter(logging.Formatter):
    """For machines: one JSON object per line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "ts": _moment(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "msg": redact(record.getMessage()[:_MAX_LINE]),
        }
        for name, value in _fields(record).items():
            plain = value is None or isinstance(value, int | float)
            event[name] = value if plain else redact(f"{name}={str(value)[:_MAX_LINE]}").removeprefix(f"{name}=")
        if trace := _trace(self, record):
            event["trace"] = trace
        return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _value(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and not any(character in text for character in ' "=')
    return text if plain and text else json.dumps(text, ensure_ascii=False)


def set_up(level: str, style: str, process: str) -> None:
    """Sends this process's logs to stderr. level: "debug" to "error"; style: "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if style == "json" else TextFormatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, getattr(logging, level.upper())))
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    # The facade answers and logs what goes wrong in a handler; what is left are clients' broken requests.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
    log = logging.getLogger("llmrouter")
    sys.excepthook = lambda kind, error, trace: log.critical("uncaught exception", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            log.error("uncaught exception in a thread", exc_info=args.exc_value)

    threading.excepthook = in_thread


def on_loop(loop: "asyncio.AbstractEventLoop") -> None:
    """Sends what an event loop has to complain about to the logs."""

    def report(_loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
        logging.getLogger("llmrouter.asyncio").error(context.get("message", ""), exc_info=context.get("exception"))

    loop.set_exception_handler(report)
