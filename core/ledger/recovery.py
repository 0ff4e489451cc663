"""Closes what a process that died left open in its journal, by the best evidence there is.

    segments from the newest base on ─► openings without a closing ─► one record each, outcome "lost"

The size of the prompt is known from the opening, what a stream had delivered from its last progress:
both are estimates and say so. Where a request went is known of streams that had begun, and of those that
a budget pays for. What such a request cost is what its stream had delivered by its last progress, and where
there is none, the worst case: its whole hold.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.clock import Clock, micros
from core.dialects.counting import estimate_bytes
from core.dialects.passthrough.endpoints import ALL as PASSED_THROUGH
from core.dialects.passthrough.endpoints import MODERATION, RERANK
from core.dialects.tokens import ESTIMATED, Tokens
from core.ledger.journal import BASE, CLOSED, HELD, OPENED, PROGRESSED, Journal
from core.ledger.prices import Prices
from core.ledger.record import LOST, Charge, Holding, Opening, Progress, UsageRecord

log = logging.getLogger(__name__)

_record = msgspec.json.Decoder(UsageRecord)
_WORDLESS = PASSED_THROUGH - {MODERATION, RERANK}  # whose requests and answers are more than text
_opening = msgspec.json.Decoder(Opening)
_progress = msgspec.json.Decoder(Progress)
_holding = msgspec.json.Decoder(Holding)


def recover(journal: Journal, prices: Prices, clock: Clock) -> int:
    """Closes what an earlier process left open; returns how many requests that were.

    Call it once, before the journal is used.
    """
    opened: dict[str, Opening] = {}
    progress: dict[str, Progress] = {}
    held: dict[str, Holding] = {}
    for path in _since_base(list(journal.segments().values())):
        data = path.read_bytes()
        for line in data[: data.rfind(b"\n") + 1].splitlines():  # whole lines, which are what is shipped
            _follow(line, opened, held, progress)
    for opening in opened.values():
        journal.reopen(opening, held.get(opening.request_id))
    for name, opening in opened.items():
        journal.close(_lost(opening, held.get(name), progress.get(name), prices, clock))
    journal.mark_base()
    return len(opened)


def _since_base(paths: Sequence[Path]) -> Sequence[Path]:
    """The segments from the newest on that says what was open when it began; all where none does."""
    for number in reversed(range(len(paths))):
        data = paths[number].read_bytes()
        if data.startswith(BASE + b"\n") or b"\n" + BASE + b"\n" in data:
            return paths[number:]
    return paths


def _follow(line: bytes, opened: dict[str, Opening], held: dict[str, Holding], progress: dict[str, Progress]) -> None:
    kind, rest = line[:1], memoryview(line)[1:]
    try:
        if kind == OPENED:
            opening = _opening.decode(rest)
            opened[opening.request_id] = opening
        elif kind == HELD:
            holding = _holding.decode(rest)
            held[holding.request_id] = holding
            progress.pop(holding.request_id, None)
        elif kind == PROGRESSED:
            state = _progress.decode(rest)
            progress[state.request_id] = state
        elif kind == CLOSED:
            request_id = _record.decode(rest).request_id
            opened.pop(request_id, None)
            progress.pop(request_id, None)
            held.pop(request_id, None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.warning("a line of the journal was torn")


def _lost(
    opening: Opening, holding: Holding | None, progress: Progress | None, prices: Prices, clock: Clock
) -> UsageRecord:
    """The record of a request whose process died: its prompt, and what its stream had delivered."""
    tokens = _tokens(opening, progress)
    cost, source = (
        prices.cost(progress.provider, progress.provider_type, progress.model, tokens) if progress else (None, "")
    )
    if holding is not None:
        known = progress is not None and not tokens.partial
        cost, source = (min(cost or 0, holding.amount), source) if known else (holding.amount, holding.price_source)
    place = progress or holding
    return UsageRecord(
        request_id=opening.request_id,
        created_at=opening.created_at,
        user_id=opening.user_id,
        credential_id=opening.credential_id,
        surface=opening.surface,
        operation=opening.operation,
        requested_model=opening.requested_model,
        provider=place.provider if place else "",
        model=place.model if place else "",
        status_code=500,
        outcome=LOST,
        error_reason="INTERNAL",
        streamed=opening.streamed,
        attempts=1,
        latency_us=max(0, micros(clock.now()) - opening.created_at),
        ttft_us=progress.ttft_us if progress else None,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_input_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
        audio_input_tokens=0,
        audio_output_tokens=0,
        token_source=tokens.source,
        cost_nanousd=cost,
        price_source=source,
        messages=opening.messages,
        prompt_hash=opening.prompt_hash,
        project=opening.project,
        charges=[_settled(charge, cost or 0) for charge in holding.charges] if holding else [],
    )


def _tokens(opening: Opening, progress: Progress | None) -> Tokens:
    """What a lost request used; the bytes of pictures and sounds say nothing of that."""
    if opening.operation in _WORDLESS:
        return Tokens(source=ESTIMATED, partial=True)
    return Tokens(
        input=estimate_bytes(opening.prompt_bytes),
        output=progress.output_tokens if progress else 0,
        source=ESTIMATED,
    )


def _settled(charge: Charge, cost: int) -> Charge:
    return Charge(charge.balance_id, charge.lease_id, charge.held, min(cost, charge.covered))
