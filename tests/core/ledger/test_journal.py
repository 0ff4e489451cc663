"""The journal: what is written where, and what happens where it can't be."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import Unavailable
from core.ledger import journal as journals
from core.ledger.journal import Journal, JournalBusy
from tests.support.ledger import (
    NO_LIMIT,
    closed_in,
    disk_full_at,
    kinds_of,
    lines_of,
    opening,
    progress,
    record,
)

Make = Callable[..., Journal]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Takes the test's journal; what is open at the end is released."""
    taken: list[Journal] = []

    def take(limit: int = NO_LIMIT, segment_bytes: int = journals.SEGMENT_BYTES) -> Journal:
        journal = Journal(tmp_path / "000", limit=limit, segment_bytes=segment_bytes)
        taken.append(journal)
        return journal

    yield take
    for journal in taken:
        journal.release()


def size_of(journal: Journal) -> int:
    return sum(path.stat().st_size for path in journal.segments().values())


def ids_of(journal: Journal) -> list[str]:
    return [closed.request_id for closed in closed_in(lines_of(journal))]


def test_a_request_leaves_its_opening_its_progress_and_its_record(make: Make):
    journal = make()
    journal.open(opening("req_1"))
    journal.progress([progress("req_1")])
    journal.close(record("req_1", output_tokens=9))
    assert [line[:1] for line in lines_of(journal)] == [b"O", b"P", b"C"]
    assert closed_in(lines_of(journal)) == [record("req_1", output_tokens=9)]
    assert journal.backlog == size_of(journal)


def test_a_full_segment_is_followed_by_one_that_begins_with_what_is_open(make: Make):
    journal = make(segment_bytes=600)
    journal.open(opening("open"))
    journal.open(opening("streaming"))
    journal.progress([progress("streaming", 1)])
    journal.progress([progress("streaming", 2)])
    journal.open(opening("done"))
    journal.close(record("done"))
    older, newer = journal.segments().values()
    assert kinds_of(older) == b"OOPPOC"
    assert kinds_of(newer) == b"OOPB"
    assert b"streaming" in newer.read_bytes()
    assert b"done" not in newer.read_bytes()
    assert journal.backlog == size_of(journal)


def test_streams_that_none_ends_for_long_fill_segments_too(make: Make):
    journal = make(segment_bytes=600)
    journal.open(opening("streaming"))
    for tokens in range(20):
        journal.progress([progress("streaming", tokens)])
    assert len(journal.segments()) > 1
    assert b"streaming" in lines_of(journal)[-1]


def test_a_journal_has_one_writer(make: Make, tmp_path: Path):
    first = make()
    with pytest.raises(JournalBusy):
        Journal(tmp_path / "000", limit=NO_LIMIT)
    other = journals.take(tmp_path, 0, limit=NO_LIMIT)
    assert other.folder.name == "001"
    assert other.id != first.id
    other.release()


def test_two_processes_on_one_directory_write_two_journals(make: Make, tmp_path: Path):
    ours = make()
    theirs = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from core.ledger.journal import *; print(take(Path(sys.argv[1]), 0, limit=2**40).folder.name)",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert theirs.stdout == "001\n"
    ours.release()
    assert journals.take(tmp_path, 0, limit=NO_LIMIT).folder == ours.folder


def test_a_journal_keeps_its_name_and_never_uses_a_number_twice(make: Make):
    first = make()
    first.release()
    second = make()
    assert second.id == first.id
    assert second.segment > first.segment
    second.release()
    for path in second.segments().values():
        path.unlink()
    assert make().segment >= second.segment


def test_a_name_that_a_crash_of_the_machine_left_empty_is_made_anew(make: Make):
    first = make()
    first.release()
    (first.folder / "id").write_text("")
    assert len(make().id) == 32


def test_requests_are_refused_while_too_much_waits_for_the_database(make: Make):
    journal = make(limit=900)
    for number in range(3):
        journal.open(opening(f"req_{number}"))
        journal.close(record(f"req_{number}"))
    assert journal.backlog > 900
    with pytest.raises(Unavailable):
        journal.open(opening("late"))
    journal.shipped(journal.backlog)
    journal.open(opening("later"))


def test_a_request_that_was_let_in_has_its_record_however_full_the_journal_is(make: Make):
    journal = make(limit=900)
    journal.open(opening("early"))
    for number in range(20):
        journal.close(record(f"refused_{number}"))
    assert journal.dropped > 0
    assert len(ids_of(journal)) == 20 - journal.dropped
    journal.close(record("early"))
    assert "early" in ids_of(journal)


def test_a_request_is_refused_where_the_disk_is_full(make: Make):
    journal = make()
    journal.open(opening("first"))
    with disk_full_at(size_of(journal) + 10), pytest.raises(Unavailable, match="can't be written"):
        journal.open(opening("second"))
    journal.open(opening("third"))
    journal.close(record("third"))
    journal.close(record("first"))
    assert ids_of(journal) == ["third", "first"]
    assert [line[:1] for line in lines_of(journal)] == [b"O", b"O", b"O", b"C", b"C"]
    torn = lines_of(journal)[1]
    assert len(torn) == 10
    assert journal.backlog == size_of(journal)


def test_a_record_that_a_full_disk_does_not_take_is_written_when_there_is_room(make: Make):
    journal = make()
    journal.open(opening("first"))
    journal.open(opening("second"))
    with disk_full_at(size_of(journal) + 10):
        journal.close(record("first"))
        journal.close(record("second"))
        assert not journal.flush()
        with pytest.raises(Unavailable):
            journal.open(opening("third"))
        journal.progress([progress("second")])
    assert ids_of(journal) == []
    assert journal.flush()
    assert ids_of(journal) == ["first", "second"]
    journal.open(opening("fourth"))


def test_a_record_that_waits_for_room_goes_first(make: Make):
    journal = make()
    journal.open(opening("first"))
    journal.open(opening("second"))
    with disk_full_at(size_of(journal)):
        journal.close(record("first"))
    journal.close(record("second"))
    assert ids_of(journal) == ["first", "second"]


def test_what_waits_for_room_is_still_open_in_the_next_segment(make: Make, monkeypatch: pytest.MonkeyPatch):
    journal = make(segment_bytes=2000)
    journal.open(opening("waiting"))
    with disk_full_at(size_of(journal)):
        journal.close(record("waiting"))
        monkeypatch.setattr(journal, "flush", lambda: False)
        journal.progress([progress("waiting")] * 30)  # which can't be written either
    for number in range(3):
        journal.close(record(f"other_{number}"))
    monkeypatch.undo()
    assert journal.flush()
    assert sorted(ids_of(journal)) == ["other_0", "other_1", "other_2", "waiting"]


def test_records_of_refused_requests_that_wait_for_room_have_a_bound(make: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journals, "_MAX_KEPT", 3)
    journal = make()
    journal.open(opening("let in"))
    with disk_full_at(size_of(journal)):
        for number in range(5):
            journal.close(record(f"refused_{number}"))
        journal.close(record("let in"))
    assert journal.flush()
    assert ids_of(journal) == ["refused_0", "refused_1", "refused_2", "let in"]
    assert journal.dropped == 2


def test_a_segment_that_can_not_be_begun_leaves_the_old_one_in_use(make: Make):
    journal = make(segment_bytes=600)
    for number in range(8):
        journal.open(opening(f"open_{number}"))
    path = journal.path(journal.segment + 1)
    path.mkdir()
    journal.close(record("done"))
    path.rmdir()
    assert len(journal.segments()) == 1
    journal.close(record("done too"))
    assert len(journal.segments()) == 2
    assert ids_of(journal) == ["done", "done too"]


def test_a_released_journal_writes_nowhere(make: Make, tmp_path: Path):
    journal = make()
    journal.open(opening("req_1"))
    journal.release()
    other = (tmp_path / "other").open("wb")  # very likely under the number that the segment had
    with pytest.raises(Unavailable):
        journal.open(opening("req_2"))
    journal.close(record("req_1"))
    other.close()
    assert (tmp_path / "other").read_bytes() == b""
    make()
