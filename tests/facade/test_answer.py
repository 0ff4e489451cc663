"""Answers: the headers of a problem."""

import pytest

from facade.answer import answer_problem
from facade.problem import Problem
from facade.surfaces.console.surface import CONSOLE
from facade.surfaces.gateway.surface import GATEWAY

DETAIL = "X-LLMRouter-Error-Detail"


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.1, "2"), (90.0, "90")])
def test_when_to_come_back_is_whole_seconds_and_at_least_one(seconds: float, header: str):
    response = answer_problem(CONSOLE, Problem("RATE_LIMITED", "slowly", retry_after=seconds))
    assert (response.status, response.headers["Retry-After"]) == (429, header)


def test_what_a_surfaces_shape_has_no_room_for_is_in_a_header():
    response = answer_problem(CONSOLE, Problem("INVALID_ARGUMENT", "must be a string", "email"))
    assert response.body == b'{"error":"invalid payload"}'
    assert response.headers[DETAIL] == "email: must be a string"


def test_what_the_body_says_already_is_not_said_twice():
    assert DETAIL not in answer_problem(CONSOLE, Problem("UNAUTHENTICATED", "unauthorized")).headers
    assert DETAIL not in answer_problem(GATEWAY, Problem("INVALID_ARGUMENT", "must be a string", "email")).headers


def test_no_message_can_break_a_header():
    response = answer_problem(CONSOLE, Problem("INVALID_ARGUMENT", "a\r\nSet-Cookie: x=ü" + "y" * 1000))
    assert response.headers[DETAIL].startswith("a??Set-Cookie: x=?y")
    assert len(response.headers[DETAIL]) == 300


def test_what_is_left_of_a_limit_is_in_headers_and_nothing_else_of_the_metadata():
    metadata = {"x-ratelimit-limit-requests": "60", "counted": "requests_per_minute", "set-cookie": "x"}
    response = answer_problem(GATEWAY, Problem("RATE_LIMITED", "slowly", metadata=metadata))
    assert response.headers["X-RateLimit-Limit-Requests"] == "60"
    assert "counted" not in response.headers
    assert "Set-Cookie" not in response.headers


def test_problems_are_not_kept_by_caches():
    assert answer_problem(CONSOLE, Problem("NOT_FOUND", "not found")).headers["Cache-Control"] == "no-store"
