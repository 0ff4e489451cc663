"""How the wires are spoken over HTTP."""

import json

import pytest
from yarl import URL

from core.dialects.table import DIALECTS
from core.providers.wire import ANTHROPIC, OPENAI, first_page, next_page

FIRST = first_page(URL("https://api.anthropic.com/v1/models"))


def test_every_operation_is_on_one_wire():
    assert sorted((*OPENAI.paths, *ANTHROPIC.paths)) == sorted(DIALECTS)


def test_a_wire_passes_its_own_headers_on_and_has_defaults_for_the_rest():
    headers = [("anthropic-beta", "b"), ("x-other", "o")]
    assert ANTHROPIC.passed_on(headers) == [("anthropic-beta", "b"), ("anthropic-version", "2023-06-01")]
    assert ANTHROPIC.passed_on([("anthropic-version", "v")]) == [("anthropic-version", "v")]
    assert OPENAI.passed_on(headers) == []


def test_the_next_page_begins_after_the_last_of_this():
    assert str(FIRST) == "https://api.anthropic.com/v1/models?limit=1000"
    page = json.dumps({"data": [], "has_more": True, "last_id": "claude-a&b"}).encode()
    found = next_page(FIRST, page)
    assert found is not None
    assert dict(found.query) == {"limit": "1000", "after_id": "claude-a&b"}


@pytest.mark.parametrize("body", [b'{"data": [], "has_more": false}', b'{"has_more": true}', b"[]", b"<html>"])
def test_a_list_ends_where_no_more_is_announced(body: bytes):
    assert next_page(FIRST, body) is None
