"""Page tokens and page sizes."""

import pytest

from core.errors import InvalidArgument
from core.rpc import paging

_FOREIGN = ["?", "A", "AAAA", "ä", "=", "AAAA AAAA", "\0"]


@pytest.mark.parametrize("position", [(0,), (7,), (-1,), (2**63 - 1, -(2**63)), (1, 2, 3)])
def test_a_token_names_its_position(position: tuple[int, ...]):
    token = paging.encode(*position)
    assert paging.decode(token, *(0 for _ in position)) == position
    assert token.isascii()
    assert "=" not in token


def test_no_token_is_the_start():
    assert paging.decode("", 5, 6) == (5, 6)
    assert paging.decode_named("") is None


@pytest.mark.parametrize("token", [*_FOREIGN, paging.encode(1, 2), paging.encode_named(1, "goal_1")])
def test_a_token_of_another_kind_of_list_is_refused(token: str):
    with pytest.raises(InvalidArgument) as caught:
        paging.decode(token, 0)
    assert caught.value.field == "page_token"


@pytest.mark.parametrize("position", [(0, "goal_1"), (2**63 - 1, "persona_" + "f" * 24), (-1, "")])
def test_a_token_names_a_position_with_an_id(position: tuple[int, str]):
    assert paging.decode_named(paging.encode_named(*position)) == position


@pytest.mark.parametrize("token", [*_FOREIGN, paging.encode(1, 2), paging.encode_named(1, "goal_\0")])
def test_a_token_of_a_position_without_an_id_is_refused(token: str):
    with pytest.raises(InvalidArgument) as caught:
        paging.decode_named(token)
    assert caught.value.field == "page_token"


@pytest.mark.parametrize(("requested", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_a_page_has_the_size_that_was_asked_for_within_bounds(requested: int, size: int):
    assert paging.page_size(requested, default=100, most=1000) == size


def test_a_page_cannot_have_less_than_nothing():
    with pytest.raises(InvalidArgument) as caught:
        paging.page_size(-1, default=100, most=1000)
    assert caught.value.field == "page_size"


def test_one_more_than_a_page_means_that_there_are_more():
    assert paging.cut([1, 2, 3], 2) == ([1, 2], True)
    assert paging.cut([1, 2], 2) == ([1, 2], False)
    assert paging.cut([], 2) == ([], False)
