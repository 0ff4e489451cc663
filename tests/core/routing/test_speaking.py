"""Which of a model's places speak a request's wire."""

from unittest.mock import Mock

import pytest

from core.dialects.anthropic.messages import MESSAGES
from core.dialects.openai.chat import CHAT
from core.dialects.request import Request
from core.dialects.table import DIALECTS
from core.errors import InvalidArgument
from core.providers.wire import ANTHROPIC, OPENAI
from core.routing.lookup import Candidate
from core.routing.speaking import speaking


def place(name: str, *operations: str) -> Candidate:
    upstream = Mock(operations=frozenset(operations))
    upstream.target.name = name
    return Candidate(upstream, "m")


def request(operation: str) -> Request:
    return DIALECTS[operation].read_request(operation, b'{"model": "m", "messages": []}')


def test_those_that_speak_it_stay_in_their_order():
    both, theirs, ours = place("both", *OPENAI.paths, *ANTHROPIC.paths), place("a", *ANTHROPIC.paths), place("o", CHAT)
    assert speaking([ours, both, theirs], request(MESSAGES)) == [both, theirs]
    assert speaking([ours, both, theirs], request(CHAT)) == [ours, both]


def test_where_none_does_the_refusal_says_why():
    with pytest.raises(InvalidArgument, match=r"Anthropic API, which the model's provider \(one, two\)"):
        speaking([place("one", CHAT), place("two", CHAT)], request(MESSAGES))
