"""Problems: every reason of the core has a status and words on every surface."""

import grpc.aio
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from facade.app import SURFACES
from facade.gemini_errors import WORDS
from facade.openai_errors import KINDS
from facade.phrases import PHRASES
from facade.problem import STATUSES, Problem, dumps, from_rpc_error, from_status
from facade.surface import Surface
from llmrouter.v1 import errors_pb2

REASONS = [name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()]  # noqa: SIM118 - no mapping


def packed(*details: Message) -> list[any_pb2.Any]:
    wrapped: list[any_pb2.Any] = []
    for detail in details:
        wrapper = any_pb2.Any()
        wrapper.Pack(detail)
        wrapped.append(wrapper)
    return wrapped


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_core_has_a_status(reason: str):
    assert 400 <= STATUSES[reason] <= 599


@pytest.mark.parametrize("table", [PHRASES, KINDS, WORDS], ids=["phrases", "gateway", "gemini"])
def test_every_reason_with_a_status_has_words_in_every_surface(table: dict[str, object]):
    assert set(table) == set(STATUSES)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
@pytest.mark.parametrize("reason", [*STATUSES, "A_REASON_FROM_THE_FUTURE"])
def test_every_surface_renders_every_problem_as_its_schema_says(surface: Surface, reason: str):
    body = surface.render(Problem(reason, "what went wrong", "name"))
    assert set(body) == set(surface.error_schema["required"])
    dumps(body)


def test_a_status_of_the_core_becomes_a_problem_with_all_its_details():
    status = status_pb2.Status(
        code=3,
        message="too many",
        details=packed(
            error_details_pb2.ErrorInfo(reason="RATE_LIMITED", domain="llmrouter", metadata={"limit": "60"}),
            error_details_pb2.BadRequest(
                field_violations=[error_details_pb2.BadRequest.FieldViolation(field="model", description="?")]
            ),
            error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500_000_000)),
        ),
    )
    problem = from_status(status.SerializeToString())
    assert problem == Problem("RATE_LIMITED", "too many", "model", 1.5, {"limit": "60"})
    assert problem.http_status == 429


def test_a_status_without_a_reason_is_a_fault_of_ours():
    problem = from_status(status_pb2.Status(code=2, message="?").SerializeToString())
    assert (problem.reason, problem.http_status) == ("INTERNAL", 500)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
        (grpc.StatusCode.CANCELLED, 499),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
        (grpc.StatusCode.UNKNOWN, 500),
    ],
)
def test_what_grpc_itself_says_is_not_shown_to_callers(code: grpc.StatusCode, status: int):
    nothing = grpc.aio.Metadata()
    problem = from_rpc_error(grpc.aio.AioRpcError(code, nothing, nothing, "connect to ipv4:10.0.0.7 failed", None))
    assert problem.http_status == status
    assert "10.0.0.7" not in problem.message


def test_a_problem_may_have_another_status_than_its_reason():
    assert Problem("DATABASE_ERROR", "?").http_status == 503
    assert Problem("DATABASE_ERROR", "?", status=500).http_status == 500


def test_json_is_compact_and_in_utf_8():
    assert dumps({"a": 2**62, "b": "ü"}) == f'{{"a":{2**62},"b":"ü"}}'.encode()
