"""What callers may send."""

import pytest

from core import inputs
from core.errors import InvalidArgument


@pytest.mark.parametrize(
    ("given", "kept"),
    [("A@B.example", "a@b.example"), ("  a@localhost ", "a@localhost"), ("jörg@bücher.example", "jörg@bücher.example")],
)
def test_an_address_is_kept_in_lower_case(given: str, kept: str):
    assert inputs.email(given) == kept


@pytest.mark.parametrize(
    "given",
    ["", " ", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a\0@b", "a@b\x1fc", "x" * 65 + "@b", "a@" + "x" * 256],
)
def test_what_is_no_address_is_refused(given: str):
    with pytest.raises(InvalidArgument, match="e-mail address") as caught:
        inputs.email(given)
    assert caught.value.field == "email"


def test_a_user_name_is_kept_in_lower_case():
    assert inputs.username(" Alice ", "alice@example.com") == "alice"
    assert inputs.username("Alice@example.com", "alice@example.com") == "alice@example.com"


@pytest.mark.parametrize("given", ["", " ", "a b", "bob@example.com", "a\0", "x" * 101])
def test_what_is_no_user_name_is_refused(given: str):
    with pytest.raises(InvalidArgument, match="username") as caught:
        inputs.username(given, "alice@example.com")
    assert caught.value.field == "username"


def test_a_line_has_bounds_and_no_control_characters():
    assert inputs.line(" 名前 ", "name", least=1, most=2) == "名前"
    for given in ("", "  ", "abcd", "a\nb", "a\0", "a\x85b"):
        with pytest.raises(InvalidArgument) as caught:
            inputs.line(given, "name", least=1, most=3)
        assert caught.value.field == "name"


def test_a_passage_is_kept_as_it_is():
    assert inputs.passage(" two\n\tlines ", "content", least=1, most=12) == " two\n\tlines "
    assert inputs.passage("", "content", most=5) == ""


@pytest.mark.parametrize("given", ["", "123456", "a\0b"])
def test_a_passage_has_bounds(given: str):
    with pytest.raises(InvalidArgument) as caught:
        inputs.passage(given, "content", least=1, most=5)
    assert caught.value.field == "content"
