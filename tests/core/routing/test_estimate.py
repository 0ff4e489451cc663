"""The parts of limiting: which limits apply, what a request may use, and how that is written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.auth import NOBODY
from core.dialects.openai import chat as openai_chat
from core.ledger.limits import Limits, Scope
from core.routing.limiting import estimate, span
from core.routing.wanted import wanted
from core.store.database import Database
from tests.support.limits import limit_row


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.12, "120ms"), (1, "1s"), (8.64, "8.64s"), (60, "1m0s"), (360, "6m0s"), (88200, "24h30m0s")],
)
def test_a_span_is_written_as_openai_writes_it(seconds: float, text: str):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("fields", "least", "most"),
    [
        ({}, 10, 40),
        ({"max_tokens": 500}, 510, 540),
        ({"max_completion_tokens": 500, "n": 3}, 1510, 1540),
        ({"messages": [{"role": "user", "content": "word " * 20_000}]}, 19_000, 21_000),
        ({"max_tokens": 10**12}, 10**9, 10**9),
    ],
)
def test_what_a_request_may_use_is_estimated(fields: dict[str, Any], least: int, most: int):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    request = openai_chat.read_request(openai_chat.CHAT, json.dumps(body).encode())
    assert least <= estimate(request, wanted(request)) <= most


def test_a_prompt_of_embeddings_has_no_output():
    body = json.dumps({"model": "m", "input": "x" * 100, "max_tokens": 10**6}).encode()
    request = openai_chat.read_request(openai_chat.EMBEDDING, body)
    assert estimate(request, wanted(request)) < 100


def test_the_limits_of_a_request_are_those_of_all_its_scopes(tmp_path: Path):
    limits = Limits(Database(f"sqlite+aiosqlite:///{tmp_path}/none.db"))
    rows = [
        limit_row("credential", "7", requests_per_minute=1),
        limit_row("user", "*", requests_per_minute=2),
        limit_row("user", "9", requests_per_minute=3),
        limit_row("project", "apollo", requests_per_minute=4),
        limit_row("model", "m", requests_per_minute=5),
        limit_row("model", "alias", requests_per_minute=6),
        limit_row("deployment", requests_per_minute=7),
        limit_row("project", "gemini", requests_per_minute=8),
    ]
    limits.set_rows(rows)
    ann = replace(NOBODY, user_id=9, credential_id=7, project="apollo")
    assert [limit.caps[0].most for limit in limits.applying(ann, "alias", "m")] == [1, 3, 4, 7, 5, 6]
    bob = replace(NOBODY, user_id=8)
    found = limits.applying(bob, "m", "m")
    assert [limit.caps[0].most for limit in found] == [2, 7, 5]
    assert found[0].scope == Scope("user", "8")
    limits.set_rows(rows[:1])
    assert not limits.applying(bob, "m", "m")
