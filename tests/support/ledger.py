"""Lines of the journal, for tests of the accounts."""

import resource
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from core.ledger.journal import Journal
from core.ledger.record import Opening, Progress, UsageRecord
from tests.support.records import usage_record

START = 1_764_000_000_000_000  # microseconds since 1970
NO_LIMIT = 1 << 40


def opening(request_id: str, **fields: Any) -> Opening:
    """A request that was let in."""
    plain: dict[str, Any] = {
        "request_id": request_id,
        "created_at": START,
        "user_id": 1,
        "credential_id": 2,
        "surface": "openai",
        "operation": "chat_completion",
        "requested_model": "gpt-test",
        "streamed": False,
        "messages": 1,
        "prompt_hash": "a" * 64,
        "prompt_bytes": 400,
    }
    return Opening(**(plain | fields))


def progress(request_id: str, output_tokens: int = 5, **fields: Any) -> Progress:
    """How far its stream is."""
    plain: dict[str, Any] = {"provider": "p", "provider_type": "echo", "model": "m", "ttft_us": 1500}
    return Progress(request_id=request_id, output_tokens=output_tokens, **(plain | fields))


def record(request_id: str, **fields: Any) -> UsageRecord:
    """How it ended."""
    return UsageRecord(**usage_record(request_id, **fields))


def lines_of(journal: Journal) -> list[bytes]:
    """All whole lines of a journal, in order."""
    return [line for path in journal.segments().values() for line in lines_in(path.read_bytes())]


def lines_in(data: bytes) -> list[bytes]:
    """The whole lines of a segment."""
    return data[: data.rfind(b"\n") + 1].splitlines()


def kinds_of(path: Path) -> bytes:
    """The kinds of the lines of a segment: b"OPC"."""
    return b"".join(line[:1] for line in lines_in(path.read_bytes()))


def closed_in(lines: Iterable[bytes]) -> list[UsageRecord]:
    """The records in lines, but for what is torn."""
    found: list[UsageRecord] = []
    for line in lines:
        if line.startswith(b"C"):
            try:
                found.append(msgspec.json.decode(line[1:], type=UsageRecord))
            except msgspec.DecodeError:
                continue
    return found


@contextmanager
def disk_full_at(size: int) -> Generator[None]:
    """Lets no file of this process grow beyond so many bytes; the kernel writes what still fits, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
