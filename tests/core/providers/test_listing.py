"""Lists of models on each wire."""

import json
from typing import Any

import pytest
from yarl import URL

from core.errors import RefreshFailed
from core.providers.listing import ANTHROPIC_LIST, GEMINI_LIST, OPENAI_LIST, Listing

URL_ = URL("https://models.test/v1/models")
EVERY = [OPENAI_LIST, ANTHROPIC_LIST, GEMINI_LIST]


def page(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("listing", EVERY, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"3", b'{"error": {"message": "no"}}', b'{"models": 3}'])
def test_what_is_no_list_is_refused(listing: Listing, body: bytes):
    with pytest.raises(RefreshFailed):
        listing.names(body)


@pytest.mark.parametrize(
    "body",
    [page(data=[{"id": "a"}, {"id": "b"}]), b'[{"id": "a"}, {"id": "b"}]', page(models=[{"name": "a"}, {"name": "b"}])],
)
def test_openais_list_in_all_its_forms(body: bytes):
    assert OPENAI_LIST.names(body) == ["a", "b"]
    assert OPENAI_LIST.first(URL_) == URL_
    assert OPENAI_LIST.following(URL_, body) is None


def test_names_that_can_be_none_are_left_out_and_each_comes_once():
    listed = [{"id": ""}, {"id": "a"}, {"id": "x" * 301}, {"id": "a"}]
    assert OPENAI_LIST.names(page(data=listed)) == ["a"]


def test_anthropics_next_page_begins_after_the_last_of_this():
    first = ANTHROPIC_LIST.first(URL_)
    assert str(first) == "https://models.test/v1/models?limit=1000"
    found = ANTHROPIC_LIST.following(first, page(data=[], has_more=True, last_id="claude-a&b"))
    assert found is not None
    assert dict(found.query) == {"limit": "1000", "after_id": "claude-a&b"}


@pytest.mark.parametrize("body", [b'{"data": [], "has_more": false}', b'{"has_more": true}', b"[]", b"<html>"])
def test_anthropics_list_ends_where_no_more_is_announced(body: bytes):
    assert ANTHROPIC_LIST.following(URL_, body) is None


def test_geminis_list_has_what_we_call_and_goes_on_by_its_token():
    models = [
        {"name": "models/gemini-a", "supportedGenerationMethods": ["countTokens", "generateContent"]},
        {"name": "models/embedding-b", "supportedGenerationMethods": ["embedContent"]},
        {"name": "models/picture-c", "supportedGenerationMethods": ["predict"]},
        {"name": "models/plain-d"},
    ]
    body = page(models=models, nextPageToken="a+b=")
    assert GEMINI_LIST.names(body) == ["gemini-a", "embedding-b", "plain-d"]
    first = GEMINI_LIST.first(URL_)
    following = GEMINI_LIST.following(first, body)
    assert following is not None
    assert dict(following.query) == {"pageSize": "1000", "pageToken": "a+b="}
    assert GEMINI_LIST.following(first, page(models=models)) is None


def test_geminis_empty_list_says_nothing_at_all():
    assert GEMINI_LIST.names(b"{}") == []
    assert GEMINI_LIST.following(URL_, b"{}") is None
