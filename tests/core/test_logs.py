"""Log lines: their two forms, and the last wall before a secret."""

import json
import logging
import subprocess
import sys
import time
from typing import Any

import pytest

from core.logs import JsonFormatter, TextFormatter, redact

# what is logged → what may stand in the log
REDACTED = [
    ("key sk_a1b2c3d4_e5f6g7h8i9j0 was used", "key sk_*** was used"),
    ("key sk-proj-abcdef123456 was used", "key sk-*** was used"),
    ("ses_0123456789abcdef", "ses_***"),
    ("vk_0123456789", "vk_***"),
    ("gsk_0123456789 csk-0123456789 xai-0123456789", "gsk_*** csk-*** xai-***"),
    ("hf_0123456789 nvapi-0123456789 pplx-0123456789", "hf_*** nvapi-*** pplx-***"),
    ("r8_0123456789 fw_0123456789 pk_0123456789", "r8_*** fw_*** pk_***"),
    ("AIzaSyA-0123456789", "AIza***"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJ***"),
    ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
    ("authorization: BASIC dXNlcjpwYXNz", "authorization: BASIC ***"),
    ("x-api-key: abc", "x-api-key: ***"),
    ("Cookie: session=abc", "Cookie: ***"),
    ("GET /v1/models?key=abc&page=2", "GET /v1/models?key=***&page=2"),
    ("password=abc api_key=\"a b\" token='x'", "password=*** api_key=*** token=***"),
    ('{"password": "a \\" b", "model": "m"}', '{"password": "***", "model": "m"}'),
    ("{'client_secret': 'abc', 'a': 1}", "{'client_secret': \"***\", 'a': 1}"),
    ("postgresql+asyncpg://router:abc@db/router", "postgresql+asyncpg://router:***@db/router"),
    ("redis://:abc@cache:6379", "redis://:***@cache:6379"),
]

HARMLESS = [
    "max_tokens=5 input_tokens=9 tokens: 5",
    "LLMROUTER_SECRET_KEY: must have 16 characters or more",
    "KeyError: 'model'",
    "disk-usage of task_12345678 is 5 %",
    "http://127.0.0.1:8080/v1/models",
    "method=/llmrouter.v1.AccountService/CreateApiKey code=OK",
]


@pytest.mark.parametrize(("text", "expected"), REDACTED)
def test_a_secret_is_blotted_out(text: str, expected: str):
    assert redact(text) == expected


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_a_little_like_one_stays(text: str):
    assert redact(text) == text


@pytest.mark.parametrize("piece", ["a", "x-", "://", "://a:", "bearer ", "key", "sk_", '"key":"', "token=", "\\"])
def test_no_text_takes_long(piece: str):
    began = time.process_time()
    redact(piece * (32 * 1024 // len(piece)))
    assert time.process_time() - began < 2


def record(message: str, *args: object, exc_info: Any = None, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("llmrouter.rpc", logging.INFO, __file__, 1, message, args, exc_info)
    made.created = 1767323045.25
    made.__dict__.update(extra)
    return made


def fail() -> None:
    raise ValueError("the key sk_a1b2c3d4_e5f6 is wrong\n2026-01-02T03:04:05Z info core-0 llmrouter forged")


def failure() -> Any:
    try:
        fail()
    except ValueError:
        return sys.exc_info()


def test_a_line_of_text_has_its_fields():
    line = TextFormatter("core-0").format(record("rpc %s", "done", code="OK", ms=1.5, path="a b", empty=""))
    assert line == '2026-01-02T03:04:05.250Z info core-0 llmrouter.rpc rpc done code=OK ms=1.5 path="a b" empty=""'


def test_a_line_of_json_has_them_too():
    line = JsonFormatter("core-0").format(record("rpc %s", "done", code="OK", ms=1.5, path="a b", nothing=None))
    assert json.loads(line) == {
        "ts": "2026-01-02T03:04:05.250Z",
        "level": "info",
        "process": "core-0",
        "logger": "llmrouter.rpc",
        "msg": "rpc done",
        "code": "OK",
        "ms": 1.5,
        "path": "a b",
        "nothing": None,
    }


@pytest.mark.parametrize("formatter", [TextFormatter("p"), JsonFormatter("p")])
def test_no_way_into_a_line_leads_past_the_redaction(formatter: logging.Formatter):
    line = formatter.format(
        record("used %s", "sk_a1b2c3d4_e5f6", exc_info=failure(), api_key="abcdef", header="Bearer abcdef")
    )
    assert "e5f6" not in line
    assert "abcdef" not in line


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "one\u2028two"])
def test_a_message_or_a_field_cannot_begin_a_line(text: str):
    assert len(TextFormatter("p").format(record(text, field=text)).split("\n")) == 1
    assert len(JsonFormatter("p").format(record(text, field=text)).split("\n")) == 1


def test_a_trace_is_indented_so_that_it_cannot_forge_a_line():
    first, *others = TextFormatter("p").format(record("failed", exc_info=failure())).split("\n")
    assert first.endswith("failed")
    assert others
    assert all(line.startswith("    ") for line in others)


def test_a_long_message_is_cut():
    assert len(TextFormatter("p").format(record("x" * 1_000_000))) < 40_000
    assert len(JsonFormatter("p").format(record("x" * 1_000_000))) < 40_000


# In a process of its own, because it changes the process.
PROGRAM = """
import asyncio, logging, sys, threading
from core import logs
logs.set_up(sys.argv[1], "text", "test")
logging.getLogger("core.some.module").info("ours")
logging.getLogger("library").info("theirs")
logging.getLogger("library").warning("a library warns")

def fail():
    raise ValueError("in a thread")
thread = threading.Thread(target=fail); thread.start(); thread.join()

async def main():
    loop = asyncio.get_running_loop()
    logs.on_loop(loop)
    loop.call_soon(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
raise ValueError("at the end, with password=abc")
"""


def run(level: str) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM, level], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


def test_whatever_happens_in_a_process_is_logged():
    logged = run("info")
    assert "info test core.some.module ours" in logged
    assert "theirs" not in logged
    assert "warning test library a library warns" in logged
    assert "error test llmrouter uncaught exception in a thread" in logged
    assert "error test llmrouter.asyncio" in logged
    assert "critical test llmrouter uncaught exception" in logged
    assert "password=***" in logged


def test_less_is_logged_where_less_is_wanted():
    logged = run("error")
    assert "ours" not in logged
    assert "a library warns" not in logged
    assert "critical test llmrouter uncaught exception" in logged
