"""Google's error object."""

import pytest

from facade.answer import answer_problem, event_of
from facade.gemini_errors import WORDS, render
from facade.problem import STATUSES, Problem
from facade.surface import Surface
from facade.surfaces.gemini.surface import GEMINI
from facade.surfaces.proxy.surface import PROXY_GOOGLE

# Google's words → the HTTP statuses that may go with them here, those of the words' own table first.
GOOGLES = {
    "INVALID_ARGUMENT": {400, 405, 413},
    "FAILED_PRECONDITION": {400, 409},
    "UNAUTHENTICATED": {401},
    "PERMISSION_DENIED": {403},
    "NOT_FOUND": {404},
    "ALREADY_EXISTS": {409},
    "RESOURCE_EXHAUSTED": {429},
    "CANCELLED": {499},
    "INTERNAL": {500},
    "UNIMPLEMENTED": {501},
    "UNAVAILABLE": {503, 502},
    "DEADLINE_EXCEEDED": {504, 408},
}


@pytest.mark.parametrize("reason", STATUSES)
def test_every_reason_has_a_word_that_goes_with_its_status(reason: str):
    assert STATUSES[reason] in GOOGLES[WORDS[reason]]


def test_details_say_which_field_and_when_to_come_back():
    said = render(Problem("RATE_LIMITED", "slow down", "model", 61.25))["error"]
    assert (said["code"], said["status"], said["message"]) == (429, "RESOURCE_EXHAUSTED", "model: slow down")
    assert said["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "RATE_LIMITED",
            "domain": "llmrouter",
            "metadata": {},
        },
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "model", "description": "slow down"}],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "61.25s"},
    ]


@pytest.mark.parametrize(("seconds", "delay"), [(0.0, "0s"), (-1.0, "0s"), (30.0, "30s"), (1e6, "1000000s")])
def test_a_delay_is_a_duration_as_googles_apis_write_it(seconds: float, delay: str):
    assert render(Problem("RATE_LIMITED", "", "", seconds))["error"]["details"][-1]["retryDelay"] == delay


def test_a_spent_budget_is_forbidden_on_the_proxy_and_a_quota_elsewhere():
    spent = Problem("BUDGET_EXCEEDED", "the budget is spent")
    elsewhere, proxy = answer_problem(GEMINI, spent), answer_problem(PROXY_GOOGLE, spent)
    assert (elsewhere.status, proxy.status) == (429, 403)
    assert isinstance(elsewhere.body, bytes)
    assert isinstance(proxy.body, bytes)
    assert b'"code":429,"message":"the budget is spent","status":"RESOURCE_EXHAUSTED"' in elsewhere.body
    assert proxy.body.startswith(b'{"detail":"the budget is spent","error":{"code":403')
    assert b'"status":"PERMISSION_DENIED"' in proxy.body


@pytest.mark.parametrize("surface", [GEMINI, PROXY_GOOGLE], ids=lambda surface: surface.name)
def test_the_event_of_a_broken_stream_begins_as_the_sdks_expect(surface: Surface):
    assert event_of(surface, Problem("STREAM_INTERRUPTED", "cut")).startswith(b'data: {"error":{"code":502,')
