"""Caps on the output of OpenAI's wire: what is refused, and what is asked for where nothing is named."""

import json
from typing import Any

import pytest

from core.dialects.openai.caps import MAX_COMPLETION_TOKENS, MAX_TOKENS, limited, with_limit
from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING, read_request, upstream_body
from core.dialects.request import Request
from core.errors import InvalidArgument


def chat(**fields: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return read_request(CHAT, json.dumps(body).encode())


def sent(request: Request, name: str = MAX_TOKENS) -> dict[str, Any]:
    """What goes to a provider that calls the field so."""
    body = upstream_body(request, "m", ask_usage=False)
    body = with_limit(request, body, name) if request.output_limit else body
    pairs: list[tuple[str, Any]] = json.loads(body, object_pairs_hook=list)
    assert len({name for name, _ in pairs}) == len(pairs), "a field is there twice"
    return json.loads(body)


@pytest.mark.parametrize("name", [MAX_TOKENS, MAX_COMPLETION_TOKENS])
def test_a_request_that_names_no_number_asks_for_the_cap(name: str):
    request = limited(chat(), 100, 0)
    assert sent(request, name) == json.loads(chat().body) | {name: 100}


@pytest.mark.parametrize("name", [MAX_TOKENS, MAX_COMPLETION_TOKENS])
def test_null_is_no_number(name: str):
    assert sent(limited(chat(**{name: None}), 100, 0), name)[name] == 100


def test_a_body_keeps_its_bytes_but_for_the_number():
    body = b' {"model": "m", "messages": [], "a": 1.0, "a": 2}'
    request = limited(read_request(CHAT, body), 7, 0)
    assert with_limit(request, body, MAX_TOKENS) == b' {"max_tokens":7,"model": "m", "messages": [], "a": 1.0, "a": 2}'


@pytest.mark.parametrize("fields", [{"max_tokens": 100}, {"max_completion_tokens": 5}, {"max_tokens": 5.0}])
def test_a_request_within_the_cap_stays_as_it_is_where_its_field_is_known(fields: dict[str, Any]):
    (name,) = fields
    request = chat(**fields)
    assert sent(limited(request, 100, 0), name) == json.loads(request.body)


def test_both_fields_are_never_sent_to_who_refuses_both():
    assert sent(limited(chat(max_tokens=5), 100, 0), MAX_COMPLETION_TOKENS) == json.loads(chat(max_tokens=5).body)


def test_who_knows_only_the_older_field_is_told_in_that():
    assert sent(limited(chat(max_completion_tokens=5), 100, 0), MAX_TOKENS)[MAX_TOKENS] == 5


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"max_tokens": 101}, "max_tokens"),
        ({"max_completion_tokens": 101}, "max_completion_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 101}, "max_completion_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": [5]}, "max_tokens"),
        ({"max_tokens": 51, "n": 2}, "max_tokens"),
        ({"n": 101}, "n"),
        ({"n": "2"}, "n"),
        ({"n_predict": 101}, "n_predict"),
        ({"n_predict": -1}, "n_predict"),
        ({"thinking": {"type": "enabled", "budget_tokens": 11}}, "thinking.budget_tokens"),
        ({"reasoning": {"max_tokens": 11}}, "reasoning.max_tokens"),
        ({"thinking_budget": 11}, "thinking_budget"),
    ],
)
def test_a_request_that_asks_for_more_is_refused(fields: dict[str, Any], field: str):
    with pytest.raises(InvalidArgument) as caught:
        limited(chat(**fields), 100, 10)
    assert caught.value.field == field


def test_the_answers_of_one_request_share_the_cap():
    assert sent(limited(chat(n=3), 100, 0))[MAX_TOKENS] == 33
    assert sent(limited(chat(n=2, max_tokens=50), 100, 0))[MAX_TOKENS] == 50


def test_thinking_within_the_cap_passes():
    fields = {"thinking": {"type": "enabled", "budget_tokens": 10}, "reasoning": None, "thinking_budget": 3}
    request = chat(**fields)
    assert sent(limited(request, 0, 10)) == json.loads(request.body)


def test_completions_have_one_name_for_it():
    body = b'{"model": "m", "prompt": "Hi", "best_of": 4}'
    request = limited(read_request(COMPLETION, body), 100, 0)
    assert json.loads(with_limit(request, body, MAX_COMPLETION_TOKENS)) == json.loads(body) | {"max_tokens": 25}


def test_embeddings_have_no_output():
    request = read_request(EMBEDDING, b'{"model": "m", "input": "Hi", "max_tokens": 1000}')
    assert limited(request, 1, 1) is request
