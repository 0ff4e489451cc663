"""Failures in the words of each mount: what a spent budget answers, and how a broken stream ends."""

from dataclasses import replace

import pytest

from facade.answer import answer_problem, event_of
from facade.problem import Problem
from facade.surface import Surface
from facade.surfaces.gateway.surface import GATEWAY, MESSAGES
from facade.surfaces.proxy.surface import PROXY_ANTHROPIC, PROXY_OPENAI

SPENT = Problem("BUDGET_EXCEEDED", "the budget is spent")


@pytest.mark.parametrize(
    ("surface", "status", "kind"),
    [
        (GATEWAY, 429, "insufficient_quota"),
        (MESSAGES, 429, "rate_limit_error"),
        (PROXY_OPENAI, 403, "insufficient_quota"),
        (PROXY_ANTHROPIC, 403, "permission_error"),
    ],
)
def test_a_spent_budget_is_forbidden_on_the_proxy_and_a_quota_elsewhere(surface: Surface, status: int, kind: str):
    answer = answer_problem(surface, SPENT)
    assert answer.status == status
    assert isinstance(answer.body, bytes)
    assert kind.encode() in answer.body
    assert (b'"detail":"the budget is spent"' in answer.body) == (surface in (PROXY_OPENAI, PROXY_ANTHROPIC))


def test_a_broken_stream_ends_with_the_event_of_its_api():
    said = replace(SPENT, reason="STREAM_INTERRUPTED")
    assert event_of(MESSAGES, said).startswith(b'event: error\ndata: {"type":"error","error":{"type":"api_error"')
    assert event_of(PROXY_ANTHROPIC, said).startswith(b'event: error\ndata: {"detail":')
    assert event_of(GATEWAY, said).startswith(b'data: {"error":')
