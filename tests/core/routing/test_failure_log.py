"""What the log tells of requests that failed."""

import logging
from typing import Any

import pytest

from core.routing.failure_log import LINES_PER_SECOND, FailureLog
from tests.core.routing.conftest import Stage
from tests.support.clock import FakeClock
from tests.support.database import on_sqlite
from tests.support.inference import PROVIDER_KEY
from tests.support.openai_upstream import chat, error
from tests.support.records import usage_record
from tests.support.router import Router

LOG = "llmrouter.inference"


class Record:
    """A usage record by its columns."""

    def __init__(self, **columns: Any) -> None:
        self.__dict__ |= usage_record("req_1", outcome="failed", **columns)


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == LOG]


def fail(failures: FailureLog, status: int, times: int) -> None:
    for _ in range(times):
        failures.note(Record(status_code=status, error_reason="PROVIDER_ERROR"))  # type: ignore[arg-type] - by its columns


@on_sqlite
async def test_a_failure_is_told_with_its_request_and_without_a_secret(
    router: Router, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    router.upstream.always(error(500, f"my key is {PROVIDER_KEY}"))
    await router.answer()
    record = await router.record()
    (line,) = lines(caplog)
    told = vars(line)
    assert (line.levelname, line.getMessage()) == ("WARNING", "inference failed")
    assert (told["request_id"], told["reason"]) == (record.request_id, "UPSTREAM_STATUS")
    assert (told["status"], told["provider"], told["attempts"]) == (500, "upstream", record.attempts)
    assert PROVIDER_KEY not in repr(told)
    assert router.key not in repr(told)


@on_sqlite
async def test_what_is_answered_in_the_end_is_no_failure(stage: Stage, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    first, second = await stage.provider("first"), await stage.provider("second")
    first.always(error(503))
    second.always(chat())
    assert (await stage.answer()).status == 200
    assert lines(caplog) == []


def test_a_flood_is_told_in_a_few_lines_and_its_size_later(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    failures = FailureLog(clock)
    fail(failures, 502, 1000)
    assert len(lines(caplog)) == LINES_PER_SECOND
    fail(failures, 400, 1)  # the callers' faults are counted apart
    assert lines(caplog)[-1].levelname == "INFO"
    clock.advance(1)
    fail(failures, 502, 1)
    assert vars(lines(caplog)[-1])["skipped"] == 1000 - LINES_PER_SECOND
