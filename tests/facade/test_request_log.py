"""The log of requests: a line for each, as long as there are not too many."""

import logging

import pytest
from aiohttp.test_utils import make_mocked_request

from facade.call import Call
from facade.request_log import LINES_PER_SECOND, RequestLog
from tests.support.database import on_sqlite
from tests.support.facade import Site

NAME = "llmrouter.http"


def a_call(method: str = "GET") -> Call:
    request = make_mocked_request(method, "/", headers={"X-Request-Id": "req-1"})
    parts = (request._message, request._payload, request._protocol, request._payload_writer)  # pyright: ignore[reportPrivateUsage] - aiohttp has no other way
    return Call(*parts, None, None)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [record.__dict__ for record in caplog.records if record.name == NAME and record.msg == "http"]


@on_sqlite
async def test_a_request_is_logged_by_its_route_and_not_by_its_path(site: Site, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, NAME)
    await site.client.delete("/api/keys/7?token=secret", headers={"X-Request-Id": "req-1"})
    await site.client.get("/nothing/secret")
    (known, stray) = lines(caplog)
    assert (known["method"], known["path"], known["status"]) == ("DELETE", "/api/keys/{id}", 401)
    assert known["request_id"] == "req-1"
    assert isinstance(known["ms"], float)
    assert (stray["path"], stray["status"]) == ("(none)", 404)
    assert "secret" not in caplog.text


@on_sqlite
async def test_what_monitoring_asks_is_not_logged(site: Site, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, NAME)
    for path in ("/health", "/ready", "/metrics"):
        await site.client.get(path)
    assert lines(caplog) == []


def test_too_many_lines_in_a_second_are_left_out_and_counted(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, NAME)
    log, call = RequestLog(), a_call()
    for _ in range(LINES_PER_SECOND + 3):
        log.note(call, "/x", 200, 0.1, 5.0)
    assert len(lines(caplog)) == LINES_PER_SECOND
    log.note(call, "/x", 200, 0.1, 6.0)
    assert lines(caplog)[-1]["skipped"] == 3
    log.note(call, "/x", 200, 0.1, 6.1)
    assert "skipped" not in lines(caplog)[-1]


def test_faults_are_logged_however_much_else_there_is(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, NAME)
    log, call = RequestLog(), a_call()
    for _ in range(LINES_PER_SECOND + 3):
        log.note(call, "/x", 200, 0.1, 5.0)
    log.note(call, "/x", 502, 0.1, 5.0)
    assert lines(caplog)[-1]["status"] == 502


def test_everything_is_logged_for_who_debugs(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, NAME)
    log, call = RequestLog(), a_call()
    for _ in range(LINES_PER_SECOND * 2):
        log.note(call, "/x", 200, 0.1, 5.0)
    assert len(lines(caplog)) == LINES_PER_SECOND * 2


def test_nothing_is_logged_above_info(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING, NAME)
    RequestLog().note(a_call("X" * 50), "/x", 500, 0.1, 5.0)
    assert lines(caplog) == []


def test_a_method_is_cut_where_it_is_none(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, NAME)
    RequestLog().note(a_call("X" * 50), "/x", 405, 0.1, 5.0)
    assert lines(caplog)[0]["method"] == "?"
