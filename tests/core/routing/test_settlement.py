"""What the accounts say of a request that failed is what its caller was told."""

from pathlib import Path

import msgspec
import pytest

from core import errors
from core.auth import NOBODY
from core.dialects.openai import chat as openai_chat
from core.errors import RouterError, UpstreamStatus
from core.ledger.journal import Journal
from core.ledger.prices import Prices
from core.ledger.record import UsageRecord
from core.metrics import Metrics
from core.routing.active import Call
from core.routing.reply import Ask
from core.routing.settlement import Running, Settlement
from facade.problem import STATUSES
from tests.support.clock import FakeClock
from tests.support.ledger import NO_LIMIT, closed_in, lines_of

# Why a request that was let in can fail.
REASONS: list[RouterError] = [
    errors.InvalidArgument(),
    errors.ModelRequired(),
    errors.TooLarge(),
    errors.UnknownModel(),
    errors.Forbidden(),
    errors.RateLimited(),
    errors.ProviderError(),
    errors.ProviderTimeout(),
    errors.StreamInterrupted(),
    errors.Unavailable(),
    errors.DatabaseError(),
    errors.Cancelled(),
    errors.DeadlineExceeded(),
    errors.Internal(),
]


def failed(folder: Path, error: RouterError) -> UsageRecord:
    """The record of a request that failed so."""
    clock = FakeClock()
    journal = Journal(folder, limit=NO_LIMIT)
    running = Running(Ask("req_1", openai_chat.CHAT, "openai", NOBODY, b"{}"), Call("req_1", NOBODY, 0.0), 0.0, 1)
    settlement = Settlement(journal, Prices(clock), Metrics(), clock)
    settlement.failed(running, error)
    settlement.hung_up(running)  # what is settled stays so
    journal.release()
    (record,) = closed_in(lines_of(journal))
    return record


@pytest.mark.parametrize("error", REASONS, ids=lambda error: type(error).__name__)
def test_a_failure_has_the_status_that_its_caller_saw(tmp_path: Path, error: RouterError):
    record = failed(tmp_path, error)
    assert (record.status_code, record.error_reason) == (STATUSES[error.reason], error.reason)
    assert record.outcome == ("cancelled" if isinstance(error, errors.Cancelled) else "failed")


def test_a_providers_own_error_has_the_providers_status(tmp_path: Path):
    assert failed(tmp_path, UpstreamStatus(status=418)).status_code == 418


def test_a_record_is_written_as_it_is_read(tmp_path: Path):
    record = failed(tmp_path, errors.Internal())
    assert msgspec.json.decode(msgspec.json.encode(record), type=UsageRecord) == record
