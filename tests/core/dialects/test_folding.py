"""Folding white space is what `" ".join(text.split())` does, only faster."""

from hypothesis import example, given
from hypothesis import strategies as st

from core.dialects.folding import folded

_LAYOUT = st.text(alphabet="ab \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u2003\u3000ä", max_size=200)


@given(_LAYOUT | st.text(alphabet=st.characters(codec="utf-8")))
@example("")
@example("  \n ")
@example(" " * 1000 + "a" + "\t" * 1000)
def test_words_are_parted_by_one_space(text: str) -> None:
    assert folded(text) == " ".join(text.split()).encode()
