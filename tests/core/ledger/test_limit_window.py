"""Sliding windows, against an oracle that remembers every single count."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger.limit_window import (
    REQUESTS_PER_DAY,
    REQUESTS_PER_MINUTE,
    SLOT,
    TOKENS_PER_DAY,
    TOKENS_PER_MINUTE,
    Window,
)

START = 1_767_323_045.0

# Seconds to wait and how much to count then.
steps = st.lists(
    st.tuples(st.one_of(st.floats(0, 3), st.floats(0, 150), st.just(0.0)), st.integers(1, 50)), min_size=1, max_size=60
)


class Oracle:
    """Everything that was counted, and when."""

    def __init__(self) -> None:
        self.counted: list[tuple[float, int]] = []

    def within(self, seconds: float, now: float) -> int:
        """How much was counted in the last so many seconds."""
        return sum(amount for at, amount in self.counted if at > now - seconds)


def slot() -> list[int]:
    return [0] * SLOT


@settings(max_examples=200, deadline=None)
@given(steps)
def test_a_minute_has_all_that_was_counted_in_it_and_no_more_than_a_second_beside(walk: list[tuple[float, int]]):
    cells, oracle, now = slot(), Oracle(), START
    for pause, amount in walk:
        now += pause
        used = REQUESTS_PER_MINUTE.used(cells, 0, now)
        assert oracle.within(60, now) <= used <= oracle.within(61.000001, now)
        REQUESTS_PER_MINUTE.add(cells, 0, amount)
        oracle.counted.append((now, amount))


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(1, 200))
def test_in_no_minute_is_more_let_in_than_the_limit(walk: list[tuple[float, int]], most: int):
    cells, oracle, now = slot(), Oracle(), START
    for pause, amount in walk:
        now += pause
        if REQUESTS_PER_MINUTE.used(cells, 0, now) + amount <= most:
            REQUESTS_PER_MINUTE.add(cells, 0, amount)
            oracle.counted.append((now, amount))
        assert oracle.within(60, now) <= most


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(1, 500))
def test_who_waits_as_told_finds_what_was_needed(walk: list[tuple[float, int]], needed: int):
    cells, now = slot(), START
    for pause, amount in walk:
        now += pause
        REQUESTS_PER_MINUTE.used(cells, 0, now)
        REQUESTS_PER_MINUTE.add(cells, 0, amount)
    before = REQUESTS_PER_MINUTE.used(cells, 0, now)
    wait = REQUESTS_PER_MINUTE.wait(cells, 0, now, needed)
    assert 0 < wait <= 61
    just_before = REQUESTS_PER_MINUTE.used(list(cells), 0, now + wait - 0.001)
    assert before - just_before < needed
    after = REQUESTS_PER_MINUTE.used(cells, 0, now + wait + 0.001)
    assert before - after >= min(needed, before)


@settings(max_examples=200, deadline=None)
@given(steps, st.data())
def test_a_correction_leaves_as_much_as_if_it_had_been_known_at_once(
    walk: list[tuple[float, int]], data: st.DataObject
):
    cells, right, now = slot(), slot(), START
    at, first = START, walk[0][1]
    actual = data.draw(st.integers(0, 100))
    for number, (pause, amount) in enumerate(walk):
        now += min(pause, 0.9)  # the first one is still counted when it is corrected
        for each, counted in ((cells, amount), (right, actual if number == 0 else amount)):
            TOKENS_PER_MINUTE.used(each, 0, now)
            TOKENS_PER_MINUTE.add(each, 0, counted)
        if number == 0:
            at = now
    TOKENS_PER_MINUTE.correct(cells, 0, at, now, actual - first)
    assert cells == right


def test_a_correction_of_what_has_passed_counts_now_where_it_makes_more():
    cells = slot()
    TOKENS_PER_MINUTE.used(cells, 0, START)
    TOKENS_PER_MINUTE.add(cells, 0, 100)
    TOKENS_PER_MINUTE.correct(cells, 0, START, START + 70, -50)
    assert TOKENS_PER_MINUTE.used(cells, 0, START + 70) == 0
    TOKENS_PER_MINUTE.correct(cells, 0, START, START + 70, 30)
    assert TOKENS_PER_MINUTE.used(cells, 0, START + 70) == 30


def test_a_clock_that_is_put_back_brings_nothing_back_and_loses_nothing():
    cells = slot()
    REQUESTS_PER_MINUTE.used(cells, 0, START)
    REQUESTS_PER_MINUTE.add(cells, 0, 5)
    assert REQUESTS_PER_MINUTE.used(cells, 0, START - 10) == 5
    REQUESTS_PER_MINUTE.add(cells, 0, 1)
    assert REQUESTS_PER_MINUTE.used(cells, 0, START + 60) == 6
    assert REQUESTS_PER_MINUTE.used(cells, 0, START + 61) == 0


def test_a_clock_that_was_far_ahead_does_not_keep_what_was_counted_for_ever():
    cells = slot()
    REQUESTS_PER_MINUTE.used(cells, 0, START + 10**6)
    REQUESTS_PER_MINUTE.add(cells, 0, 5)
    assert REQUESTS_PER_MINUTE.used(cells, 0, START) == 5
    assert REQUESTS_PER_MINUTE.used(cells, 0, START + 61) == 0


def test_windows_don_t_overlap():
    windows: tuple[Window, ...] = (REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, REQUESTS_PER_DAY, TOKENS_PER_DAY)
    cells = slot()
    for number, window in enumerate(windows, 1):
        window.used(cells, 0, START)
        window.add(cells, 0, number)
    assert [window.used(cells, 0, START) for window in windows] == [1, 2, 3, 4]


def test_a_total_that_a_dying_process_left_wrong_is_right_again_with_the_next_second():
    cells = slot()
    REQUESTS_PER_MINUTE.used(cells, 0, START)
    REQUESTS_PER_MINUTE.add(cells, 0, 7)
    cells[cells.index(7)] = 6  # the total or the cell, whichever comes first
    assert REQUESTS_PER_MINUTE.used(cells, 0, START + 1) in (6, 7)
    assert REQUESTS_PER_MINUTE.used(cells, 0, START + 1) == sum(cells[6:67])
