"""What a process that died left in its journal."""

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dialects.passthrough.endpoints import SPEECH, TRANSCRIPTION
from core.ledger.journal import Journal
from core.ledger.prices import Prices
from core.ledger.record import ANSWERED, LOST, Charge, Holding
from core.ledger.recovery import recover
from tests.support.clock import FakeClock
from tests.support.ledger import NO_LIMIT, closed_in, lines_in, lines_of, opening, progress, record

CLOCK = FakeClock()


def take(folder: Path, segment_bytes: int = 1 << 24) -> Journal:
    return Journal(folder, limit=NO_LIMIT, segment_bytes=segment_bytes)


def recovered(folder: Path) -> Journal:
    """The journal of the next process, with what the last one left open closed. It is released."""
    journal = take(folder)
    recover(journal, Prices(CLOCK), CLOCK)
    journal.release()
    return journal


def test_what_was_open_is_closed_as_lost_with_what_is_known_of_it(tmp_path: Path):
    journal = take(tmp_path / "000")
    journal.open(opening("plain", prompt_bytes=401, messages=3))
    journal.open(opening("streaming", streamed=True))
    journal.progress([progress("streaming", 5)])
    journal.progress([progress("streaming", 12, model="m2", ttft_us=77)])
    journal.open(opening("done"))
    journal.close(record("done"))
    journal.release()
    plain, streaming = [each for each in closed_in(lines_of(recovered(tmp_path / "000"))) if each.outcome == LOST]
    assert (plain.request_id, plain.input_tokens, plain.output_tokens) == ("plain", 101, 0)
    assert (plain.status_code, plain.error_reason, plain.token_source) == (500, "INTERNAL", "estimated")
    assert (plain.cost_nanousd, plain.provider, plain.messages) == (None, "", 3)
    assert (streaming.request_id, streaming.input_tokens, streaming.output_tokens) == ("streaming", 100, 12)
    assert (streaming.provider, streaming.model, streaming.ttft_us) == ("p", "m2", 77)
    assert (streaming.cost_nanousd, streaming.price_source) == (0, "local")


def test_a_lost_file_is_not_counted_as_words(tmp_path: Path):
    journal = take(tmp_path / "000")
    journal.open(opening("heard", operation=TRANSCRIPTION, prompt_bytes=25_000_000))
    journal.open(opening("spoken", operation=SPEECH, prompt_bytes=4000, streamed=True))
    journal.hold(Holding("spoken", "p", "openai", "tts-1", 60_000_000, "list", [Charge(1, 1, 60_000_000, 60_000_000)]))
    journal.progress([progress("spoken", 0)])
    journal.release()
    heard, spoken = closed_in(lines_of(recovered(tmp_path / "000")))
    assert (heard.input_tokens, heard.cost_nanousd, heard.token_source) == (0, None, "estimated")
    assert (spoken.input_tokens, spoken.cost_nanousd, spoken.price_source) == (0, 60_000_000, "list")


def test_the_next_recovery_finds_nothing_to_do(tmp_path: Path):
    journal = take(tmp_path / "000")
    journal.open(opening("req_1"))
    journal.release()
    again = recovered(tmp_path / "000")
    before = lines_of(again)
    assert lines_of(recovered(tmp_path / "000"))[: len(before)] == before
    assert len(closed_in(lines_of(take(tmp_path / "000")))) == 1


def test_segments_older_than_a_base_are_not_read(tmp_path: Path):
    journal = take(tmp_path / "000", segment_bytes=300)
    journal.open(opening("open"))
    for number in range(3):
        journal.close(record(f"done_{number}"))
    journal.release()
    first = min(journal.segments().values())
    first.write_bytes(b"O" + b"not a line of a journal\n")
    assert Counter(each.request_id for each in closed_in(lines_of(recovered(tmp_path / "000"))))["open"] == 1


def test_what_was_cut_off_is_recovered_however_much_waits_for_the_database(tmp_path: Path):
    journal = take(tmp_path / "000")
    for number in range(10):
        journal.open(opening(f"req_{number}"))
    journal.release()
    full = Journal(tmp_path / "000", limit=100, segment_bytes=600)
    assert recover(full, Prices(CLOCK), CLOCK) == 10
    assert len(full.segments()) > 2
    assert full.dropped == 0
    assert len(closed_in(lines_of(full))) == 10
    full.release()


def test_a_crash_during_recovery_is_recovered_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = take(tmp_path / "000")
    for number in range(3):
        journal.open(opening(f"req_{number}"))
    journal.release()

    class Crash(Exception):
        pass

    second = take(tmp_path / "000")
    close, closed = second.close, 0

    def crash(*arguments: object) -> None:
        nonlocal closed
        closed += 1
        if closed == 2:
            raise Crash
        close(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(second, "close", crash)
    with pytest.raises(Crash):
        recover(second, Prices(CLOCK), CLOCK)
    second.release()
    found = [each.request_id for each in closed_in(lines_of(recovered(tmp_path / "000")))]
    assert sorted(found) == ["req_0", "req_1", "req_2"]


def test_a_journal_that_is_cut_at_any_byte_accounts_for_every_whole_line(tmp_path: Path):
    journal = take(tmp_path / "000")
    journal.open(opening("a"))
    journal.open(opening("b"))
    journal.close(record("a"))
    journal.close(record("never opened", status_code=400))
    journal.progress([progress("b")])
    journal.open(opening("c"))
    journal.close(record("b"))
    journal.release()
    (path,) = journal.segments().values()
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        expected = _named_in(lines_in(whole[:end]))
        again = recovered(tmp_path / "000")
        assert Counter(each.request_id for each in closed_in(lines_of(again))) == expected, end
        for newer in again.segments().values():
            if newer != path:
                newer.unlink()


def _named_in(lines: Iterable[bytes]) -> Counter[str]:
    """The requests that lines tell of, each once."""
    return Counter({line.split(b'"')[1].decode() for line in lines if line[:1] in (b"O", b"C")})


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(0, 30)),
        st.tuples(st.just("close"), st.integers(0, 30)),
        st.tuples(st.just("progress"), st.integers(0, 30)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, shipped=st.integers(0, 20), torn=st.integers(0, 200))
def test_each_request_has_one_record_however_often_the_process_dies(
    tmp_path: Path, steps: list[tuple[str, int]], shipped: int, torn: int
):
    """shipped: how many segments were carried away before the last death; torn: bytes lost of the last line."""
    folder = tmp_path / "000"
    shutil.rmtree(folder, ignore_errors=True)
    journal = take(folder, 700)
    known: set[str] = set()
    running: set[str] = set()
    for step, number in steps:
        name = f"req_{number}"
        if step == "open" and name not in known:
            journal.open(opening(name))
            known.add(name)
            running.add(name)
        elif step == "close" and name in running:
            journal.close(record(name))
            running.discard(name)
        elif step == "progress" and name in running:
            journal.progress([progress(name)])
        elif step == "restart":
            journal.release()
            journal = take(folder, 700)
            recover(journal, Prices(CLOCK), CLOCK)
            running.clear()
    journal.release()
    carried = list(journal.segments().values())[:-1][:shipped]
    records = closed_in(line for path in carried for line in lines_in(path.read_bytes()))
    for path in carried:
        path.unlink()
    last = journal.path(journal.segment)
    data = last.read_bytes()
    last_line = data[data.rfind(b"\n", 0, -1) + 1 :]
    if last_line.startswith((b"C", b"P")):
        last.write_bytes(data[: len(data) - min(torn, len(last_line))])
    records += closed_in(lines_of(recovered(folder)))
    assert Counter(each.request_id for each in records) == Counter(known)
    assert all(each.outcome in (ANSWERED, LOST) for each in records)
