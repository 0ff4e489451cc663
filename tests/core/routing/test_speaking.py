"""Which of a model's places can be asked for a request: those on its wire, and those it can be put for."""

import pytest

from core.auth import Principal
from core.dialects.anthropic.messages import MESSAGES
from core.dialects.openai.chat import CHAT, EMBEDDING
from core.dialects.request import Request
from core.dialects.table import DIALECTS
from core.errors import InvalidArgument, ProviderError
from core.providers.upstream import Reply, Target
from core.providers.wire import ANTHROPIC, Headers
from core.routing.lookup import Candidate
from core.routing.passage import passage
from core.routing.reply import Ask
from core.routing.speaking import speaking


class Place:
    """A provider that says what it speaks, and is never asked."""

    asks_usage = False
    objects = None

    def __init__(self, name: str, operations: frozenset[str], translates_to: str) -> None:
        self.operations = operations
        self.translates_to = translates_to
        self.target = Target(
            id=1,
            name=name,
            type="openai-compatible",
            base_url="",
            api_key="",
            connect_timeout=1.0,
            first_byte_timeout=1.0,
            idle_timeout=1.0,
        )

    async def send(
        self, operation: str, body: bytes, headers: Headers = (), *, model: str = "", streamed: bool = False
    ) -> Reply:
        raise ProviderError

    async def models(self) -> list[str]:
        return []


def place(name: str, *operations: str, translates_to: str = "") -> Candidate:
    return Candidate(Place(name, frozenset(operations), translates_to), "m")


def request(operation: str) -> Request:
    return DIALECTS[operation].read_request(operation, b'{"model": "m", "messages": [], "input": "x"}')


def test_a_provider_is_asked_on_its_own_wire_or_on_one_it_can_be_translated_to():
    own = place("own", *ANTHROPIC.paths, translates_to=MESSAGES)
    other = place("other", CHAT, translates_to=CHAT)
    neither = place("neither", EMBEDDING)
    assert speaking([other, neither, own], request(CHAT)) == [other, own]


def test_a_provider_of_the_callers_wire_comes_first_unless_a_route_says_otherwise():
    own = place("own", *ANTHROPIC.paths, translates_to=MESSAGES)
    other = place("other", CHAT, translates_to=CHAT)
    assert speaking([other, own], request(MESSAGES)) == [own, other]
    assert speaking([other, own], request(MESSAGES), ordered=True) == [other, own]


def test_where_none_can_be_asked_the_refusal_says_why():
    with pytest.raises(InvalidArgument, match=r"OpenAI API, which the model's provider \(one, two\)"):
        speaking([place("one", CHAT), place("two", CHAT, translates_to=CHAT)], request(EMBEDDING))


def test_other_makers_thoughts_are_taken_out_of_what_passes_on_one_wire():
    from_claude = b'[{"type": "reasoning.text", "signature": "secret", "format": "anthropic-claude-v1"}]'
    body = b'{"model": "m", "messages": [{"role": "assistant", "reasoning_details": %b}]}' % from_claude
    asked = DIALECTS[CHAT].read_request(CHAT, body)
    ask = Ask("req_1", CHAT, "test", Principal(1, "user", 1, "api_key", frozenset(), None), body)
    sent = passage(place("own", CHAT, translates_to=CHAT), asked, ask, 1).body
    assert b"secret" not in sent
