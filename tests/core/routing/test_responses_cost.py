"""The worst case of a request of the Responses wire: what it says itself, and what it has its provider do."""

import json
from typing import Any

import pytest

from core.dialects.responses.request import RESPONSES, read_request
from core.ledger.prices import Price, Rate
from core.routing.wanted import wanted
from core.routing.worst_case import WorstCase, worst_case

DOLLAR = 10**9
WINDOW = 400_000


def bounds(**fields: Any) -> WorstCase:
    """Input of a dollar a million tokens, so that the input's cost in nano-dollars is a thousand a token."""
    request = read_request(RESPONSES, json.dumps({"model": "m", "input": "Hi", **fields}).encode())
    price = Price(source="test", input=Rate(DOLLAR), output=Rate(DOLLAR), context_window=WINDOW)
    return worst_case(request, price, "m", wanted(request))


def test_the_maximum_that_a_request_names_is_its_bound():
    named = bounds(max_output_tokens=77)
    assert (named.output, named.choices, named.named) == (77, 1, True)
    assert not bounds().named
    assert not bounds(max_output_tokens=None).named


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
        {"tools": [{"type": "mcp", "server_url": "https://files.example"}]},
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        {"prompt": {"id": "pmpt_1"}},
    ],
)
def test_what_a_provider_brings_to_the_prompt_by_itself_is_held_for(fields: dict[str, Any]):
    assert bounds(**fields).input_cost > WINDOW * 1000


@pytest.mark.parametrize(
    "part",
    [{"type": "input_file", "file_id": "file-1"}, {"type": "input_image", "image_url": "https://files.example/a"}],
)
def test_what_only_its_address_is_of_is_held_for(part: dict[str, Any]):
    plain = bounds(input=[{"role": "user", "content": [{"type": "input_text", "text": "a"}]}])
    assert bounds(input=[{"role": "user", "content": [part]}]).input_cost > plain.input_cost + 60_000 * 1000
