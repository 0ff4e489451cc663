"""Page tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidArgument
from core.rpc import paging

_NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(_NUMBERS, min_size=1, max_size=4))
def test_a_token_names_the_position_it_was_made_of(position: list[int]):
    token = paging.encode(*position)
    assert paging.decode(token, *([0] * len(position))) == tuple(position)
    assert token.isascii()
    assert "=" not in token


def test_no_token_is_the_start():
    assert paging.decode("", 0) == (0,)
    assert paging.decode("", 7, 8) == (7, 8)


@given(st.text(min_size=1))
def test_what_is_no_token_is_refused_or_names_a_position(token: str):
    try:
        (position,) = paging.decode(token, 0)
    except InvalidArgument as error:
        assert error.field == "page_token"  # noqa: PT017 - either way is right
    else:
        assert -(2**63) <= position < 2**63


def test_a_token_of_another_kind_of_list_is_refused():
    with pytest.raises(InvalidArgument):
        paging.decode(paging.encode(1, 2), 0)
    with pytest.raises(InvalidArgument):
        paging.decode(paging.encode(1), 0, 0)


def test_a_page_has_bounds():
    sizes = [paging.page_size(asked, default=100, most=1000) for asked in (0, 1, 1000, 1001, 2**31 - 1)]
    assert sizes == [100, 1, 1000, 1000, 1000]
    with pytest.raises(InvalidArgument) as caught:
        paging.page_size(-1, default=100, most=1000)
    assert caught.value.field == "page_size"


def test_a_page_is_cut_where_there_is_more():
    assert paging.cut([1, 2, 3], 2) == ([1, 2], True)
    assert paging.cut([1, 2], 2) == ([1, 2], False)
    assert paging.cut([], 2) == ([], False)


@given(_NUMBERS, st.text("abcdefgoalpersona_0123456789", max_size=40))
def test_a_token_names_the_position_and_the_id_it_was_made_of(number: int, name: str):
    assert paging.decode_named(paging.encode_named(number, name)) == (number, name)


def test_no_token_is_the_start_of_a_list_by_ids_too():
    assert paging.decode_named("") is None


@pytest.mark.parametrize("token", ["?", "AAAA", "ä", paging.encode(1, 2), paging.encode_named(1, "goal_\0")])
def test_what_names_no_position_with_an_id_is_refused(token: str):
    with pytest.raises(InvalidArgument) as caught:
        paging.decode_named(token)
    assert caught.value.field == "page_token"
