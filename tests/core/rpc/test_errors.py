"""The table of errors: complete in both directions, and what a status carries."""

import grpc
import pytest
from google.rpc import error_details_pb2

from core import errors
from core.rpc.errors import CODES, DOMAIN, code_of, known, status_of
from llmrouter.v1 import errors_pb2


def leaves(kind: type[errors.RouterError]) -> set[type[errors.RouterError]]:
    """Everything below a class."""
    below = set(kind.__subclasses__())
    return below.union(*(leaves(each) for each in below)) if below else below


def make(kind: type[errors.RouterError]) -> errors.RouterError:
    return errors.UpstreamStatus(status=500) if kind is errors.UpstreamStatus else kind()


def test_every_error_has_a_code_and_every_code_an_error():
    ours = {kind for kind in leaves(errors.RouterError) if kind.__module__ == errors.__name__}
    assert set(CODES) == ours


def test_every_error_has_a_reason_of_its_own_and_every_reason_an_error():
    names = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()}  # noqa: SIM118 - no dict
    reasons = [kind.reason for kind in CODES]
    assert sorted(reasons) == sorted(names - {"UNSPECIFIED"})


def test_every_error_is_in_the_drawing_of_the_tree():
    assert errors.__doc__ is not None
    for kind in CODES:
        assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize("kind", list(CODES), ids=lambda kind: kind.__name__)
def test_a_status_carries_the_reason_and_a_message_for_the_caller(kind: type[errors.RouterError]):
    error = make(kind)
    status = status_of(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (kind.reason, DOMAIN)
    assert status.message == kind.default_message
    assert status.code == code_of(error).value[0]
    assert code_of(error) is not grpc.StatusCode.OK
    assert len(status.details) == 1


def test_a_status_names_the_field_and_the_delay():
    status = status_of(errors.RateLimited("slow down", field="login", retry_after=1.5, metadata={"limit": "5"}))
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    assert [detail.Unpack(into) for detail, into in zip(status.details, (info, bad, retry), strict=True)] == [True] * 3
    assert dict(info.metadata) == {"limit": "5"}
    assert (bad.field_violations[0].field, bad.field_violations[0].description) == ("login", "slow down")
    assert retry.retry_delay.ToMilliseconds() == 1500


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, grpc.StatusCode.INVALID_ARGUMENT),
        (401, grpc.StatusCode.FAILED_PRECONDITION),
        (404, grpc.StatusCode.NOT_FOUND),
        (429, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (500, grpc.StatusCode.UNAVAILABLE),
        (599, grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_a_providers_own_status_has_a_meaning_in_grpc(status: int, code: grpc.StatusCode):
    error = errors.UpstreamStatus(status=status)
    assert code_of(error) is code
    assert error.metadata == {"http_status": str(status)}


def test_a_status_says_whose_limit_was_reached():
    error = errors.RateLimited("60 requests per minute for this user", subject="user", retry_after=2.5)
    quota = error_details_pb2.QuotaFailure()
    assert any(detail.Unpack(quota) for detail in status_of(error).details)
    assert [(each.subject, each.description) for each in quota.violations] == [("user", error.message)]


def test_what_is_none_of_our_errors_tells_nothing_but_the_requests_id(caplog: pytest.LogCaptureFixture):
    found = known(RuntimeError("password=hunter2"), "req_1")
    assert isinstance(found, errors.Internal)
    assert found.message == "internal error; request id req_1"
    assert "hunter2" in caplog.text  # the log has the cause


def test_one_of_our_errors_stays_what_it_is():
    error = errors.NotFound()
    assert known(error, "req_1") is error
