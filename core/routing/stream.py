"""An answer that is still coming, from its first event to its settlement.

    provider ─► Reply ─► StreamMeter ─► take() ─► the relay, for all streams at once that have something
                                             └──► blocks() ─► a caller that waits for this one

`take` never waits and makes no task, future or timer: a chunk costs little more than looking at it.
However a stream ends, by its end mark, a failure, a cancel or a hang-up, it settles once, before
the last of it is handed on.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from core.dialects.table import prompt_tokens
from core.dialects.tokens import NO_TOKENS, Tokens
from core.errors import DeadlineExceeded, Internal, ProviderTimeout, RouterError, StreamInterrupted
from core.routing.active import uncancel
from core.routing.attempt import Begun
from core.routing.budgeting import stream_over_budget
from core.routing.reply import Place
from core.routing.settlement import Running, Settlement

_LAST_WORDS = 2.0  # seconds to end an answer after its end mark, so that the connection to the provider can be kept
_CALLER_PATIENCE = 600.0  # seconds that a caller may leave a stream unread


class Streamed:
    """A stream. Take from it until it is over, or close it."""

    def __init__(
        self, running: Running, begun: Begun, place: Place, settlement: Settlement, leave: Callable[[Running], None]
    ) -> None:
        """leave: is told when the stream is over."""
        assert running.candidate is not None
        self.place = place
        self.status = begun.reply.status
        self.content_type = begun.content_type
        self.headers: Sequence[tuple[str, str]] = begun.headers
        self.first = begun.first  # the first events, which are not taken again
        self.tokens: Tokens = NO_TOKENS  # known when the stream is over
        self.cost_nanousd: int | None = None
        self.over = False
        self._running = running
        self._call = running.call
        self._reply = begun.reply
        self._meter = begun.meter
        self._settlement = settlement
        self._leave = leave
        self._guard = running.guard
        self._idle = running.candidate.upstream.target.idle_timeout
        if self._meter.done:
            self._settle()
        self.hold(False)

    @property
    def request_id(self) -> str:
        return self._call.request_id

    @property
    def stopped(self) -> bool:
        """Whether it was ended from outside; `take` says why."""
        return self._call.cause is not None

    def hold(self, held: bool) -> None:
        """While the caller takes its time, the provider's does not run."""
        if held:
            self._call.expect(_CALLER_PATIENCE, DeadlineExceeded)
        else:
            self._call.expect(_LAST_WORDS if self._meter.done else self._idle)

    def take(self) -> bytes | None:
        """The events that have come since the last time: b"" for none yet, None where the stream is over.

        Raises RouterError where the stream failed; it is settled then.
        """
        if self.over:
            return None
        try:
            if self._call.cause is not None:
                return self._fail(self._call.cause)
            data = self._reply.arrived()
            if data:
                self._call.activity += 1
                block = self._meter.feed(data)
                if self._guard is not None and not self._meter.done and self._guard.passed(self._meter, len(data)):
                    return self._fail(stream_over_budget())
                if self._meter.done and not self._running.settled:
                    self._settle()
                    self.hold(False)
                return block
            return self._finish() if self._reply.over else b""
        except RouterError as error:
            return self._fail(error)
        except Exception:
            self.fail(Internal())
            raise

    def notify(self, tell: Callable[[], None]) -> None:
        """From now on `tell` is called whenever there may be something to take. It must do little."""
        self._call.tell = tell
        self._reply.notify(tell)

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """What `take` gives, as it comes, after the first events. Close the generator, or the stream."""
        try:
            while (block := self.take()) is not None:
                if block:
                    self.hold(True)
                    yield block
                    self.hold(False)
                elif not self.over:
                    await self._wait()
        finally:
            self.close()

    def fail(self, error: RouterError) -> None:
        """Ends the stream because what it brought can't be used."""
        if not self.over:
            self._settlement.failed(self._running, error)
            self._end()

    def close(self) -> None:
        """Ends the stream because nobody waits for it any more; nothing happens where it is over."""
        if self.over:
            return
        if self._call.cause is None:
            self._settlement.hung_up(self._running)
        else:
            self._settlement.failed(self._running, self._call.cause)
        self._end()

    async def _wait(self) -> None:
        """Returns when there may be more to take."""
        try:
            await self._reply.more()
        except RouterError as error:
            self._fail(error)
        except asyncio.CancelledError:
            if self._call.cause is None or uncancel():
                raise

    def _finish(self) -> bytes | None:
        rest = self._meter.end()
        if not self._meter.complete:
            raise StreamInterrupted
        self._settle()
        self._end(complete=True)
        return rest or None

    def _fail(self, error: RouterError) -> None:
        """Raises the error, but where everything is said and only the end is missing."""
        if self._meter.done and isinstance(error, StreamInterrupted | ProviderTimeout):
            self._end()
            return
        self.fail(error)
        raise error

    def _settle(self) -> None:
        running = self._running
        if running.settled:
            return
        assert running.request is not None
        if self._meter.reported_error:  # the caller has it as the provider said it
            self._settlement.failed(running, StreamInterrupted())
            return
        # The prompt is counted only where nobody has reported it.
        self.tokens = self._meter.tokens(0 if self._meter.usage is not None else prompt_tokens(running.request))
        self.cost_nanousd = self._settlement.answered(running, self.status, self.tokens)

    def _end(self, *, complete: bool = False) -> None:
        self.over = True
        self._call.tell = None
        if not complete:
            self._reply.close()
        self._leave(self._running)
