"""Caps on the output of Anthropic's wire."""

import json
from typing import Any

import pytest

from core.dialects.anthropic.caps import limited
from core.dialects.anthropic.messages import COUNT_TOKENS, MESSAGES, read_request, upstream_body
from core.dialects.request import Request
from core.errors import InvalidArgument


def message(**fields: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return read_request(MESSAGES, json.dumps(body).encode())


def sent(request: Request) -> dict[str, Any]:
    return json.loads(upstream_body(request, "m", ask_usage=False))


def test_a_request_that_names_no_number_asks_for_the_cap():
    request = limited(message(), 100, 0)
    assert sent(request) == json.loads(message().body) | {"max_tokens": 100}


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 100},
        {"max_tokens": 1, "thinking": None},
        {"max_tokens": 1, "thinking": {"type": "disabled"}},
        {"max_tokens": 99, "thinking": {"type": "enabled", "budget_tokens": 10}},
    ],
)
def test_a_request_within_the_caps_stays_as_it_is(fields: dict[str, Any]):
    request = message(**fields)
    assert limited(request, 100, 10) is request


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"max_tokens": 101}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 1, "thinking": {"type": "enabled", "budget_tokens": 11}}, "thinking.budget_tokens"),
        ({"max_tokens": 1, "thinking": {"type": "enabled", "budget_tokens": "1"}}, "thinking.budget_tokens"),
        ({"max_tokens": 1, "thinking": "yes"}, "thinking"),
    ],
)
def test_a_request_that_asks_for_more_is_refused(fields: dict[str, Any], field: str):
    with pytest.raises(InvalidArgument) as caught:
        limited(message(**fields), 100, 10)
    assert caught.value.field == field


@pytest.mark.parametrize("thinking", [{"type": "enabled"}, {"type": "adaptive", "display": "omitted"}])
@pytest.mark.parametrize(("most", "allowed"), [(99, 10), (5, 4)])
def test_thinking_that_is_left_to_the_model_is_given_the_cap(thinking: dict[str, Any], most: int, allowed: int):
    request = limited(message(max_tokens=most, thinking=thinking), 100, 10)
    assert sent(request)["thinking"] == thinking | {"type": "enabled", "budget_tokens": allowed}


def test_without_a_cap_on_thinking_it_is_nobodys_business():
    request = message(max_tokens=5, thinking={"type": "adaptive"})
    assert limited(request, 100, 0) is request


def test_counting_makes_no_output():
    request = read_request(COUNT_TOKENS, message(thinking={"type": "adaptive"}).body)
    assert limited(request, 1, 1) is request
