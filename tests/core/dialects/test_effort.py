"""Degrees of thinking and budgets of tokens say about the same."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import Effort
from core.dialects.effort import LEAST_BUDGET, MOST_BUDGET, budget_of, effort_of

EFFORTS: tuple[Effort, ...] = get_args(Effort)


@pytest.mark.parametrize(
    ("budget", "effort"),
    [
        (-1, "medium"),
        (0, "none"),
        (1, "low"),
        (1024, "low"),
        (4096, "low"),
        (4097, "medium"),
        (16_384, "medium"),
        (16_385, "high"),
        (200_000, "high"),
    ],
)
def test_a_budget_has_a_degree(budget: int, effort: str):
    assert effort_of(budget) == effort


@pytest.mark.parametrize(
    ("effort", "budget"),
    [
        ("none", 0),
        ("minimal", 3200),
        ("low", 6400),
        ("medium", 16_000),
        ("high", 25_600),
        ("xhigh", 30_400),
        ("max", 30_400),
    ],
)
def test_a_degree_has_a_share_of_the_output(effort: Effort, budget: int):
    assert budget_of(effort, 32_000) == budget


@given(st.sampled_from(EFFORTS), st.integers(0, 10**7))
def test_every_degree_has_a_budget_that_is_taken(effort: Effort, most_output: int):
    budget = budget_of(effort, most_output)
    assert budget == 0 if effort == "none" else LEAST_BUDGET <= budget <= MOST_BUDGET


@given(st.integers(-1, 10**7), st.integers(0, 10**6))
def test_a_larger_budget_is_no_smaller_degree(budget: int, more: int):
    assert budget <= 0 or EFFORTS.index(effort_of(budget)) <= EFFORTS.index(effort_of(budget + more))
