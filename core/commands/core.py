"""Runs one core process: the gRPC server for facades, services and grpcurl.

It also answers on a socket in the data directory, for the facades on this machine.
"""

import asyncio
import logging
import signal
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core import logs, process, sockets
from core.commands.address import check_free
from core.commands.failure import in_one_line
from core.commands.instance import locked
from core.commands.process_options import add_process_options
from core.settings import Settings
from core.supervised import Supervised

if TYPE_CHECKING:
    from core.bootstrap import Service
    from core.deps import Deps

EXAMPLES = """\
example:
  LLMROUTER_GRPC_ADDR=0.0.0.0:50051 llmrouter core

SIGTERM stops it when its streams have ended, a second one at once; SIGHUP reads the configuration file again."""

log = logging.getLogger("llmrouter.core")


def configure(parser: ArgumentParser) -> None:
    add_process_options(parser)


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    supervised = Supervised(arguments.supervisor_fd)
    settings = load()
    logs.set_up(settings.log_level, settings.log_format, f"core-{arguments.worker}")
    sockets.prepare(settings)
    process.allow_many_files()
    with locked(settings, f"core-{arguments.worker}"):
        if arguments.supervisor_fd is None and settings.core_workers == 1:
            check_free(settings.grpc_addr, "LLMROUTER_GRPC_ADDR")

        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            process.with_room(lambda: runner.run(_serve(settings, arguments, supervised)))
    return 0


async def _serve(settings: Settings, arguments: Namespace, supervised: Supervised) -> None:
    loop = asyncio.get_running_loop()
    logs.on_loop(loop)
    told = asyncio.Queue[int]()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, told.put_nowait, number)
    starting = asyncio.create_task(_started(settings, arguments.worker, restarted=arguments.restarted))
    if not await _done(starting, told):
        return
    service = starting.result()
    supervised.ready()
    process.settle_heap()
    log.info("ready")
    if arguments.worker == 0:
        await _tell_of_no_administrator(service.deps)
    while await told.get() == signal.SIGHUP:
        try:
            await service.reload()
        except Exception as error:  # the old configuration stays in force
            log.error("the configuration was not changed: %s", in_one_line(error))  # noqa: TRY400 - the line says it all
        else:
            log.info("the configuration was read again")
    log.info("stopping")
    stopping = asyncio.create_task(service.stop(supervised.time_to_drain(settings.drain_timeout)))
    if await _done(stopping, told):
        stopping.result()
    else:
        log.warning("stopped at once")


async def _started(settings: Settings, worker: int, *, restarted: bool) -> "Service":
    from core.bootstrap import build

    service = await build(settings, worker=worker, restarted=restarted)
    try:
        await service.start()
    except (OSError, RuntimeError):  # gRPC does not say why it can't bind
        check_free(settings.grpc_addr, "LLMROUTER_GRPC_ADDR")
        raise
    return service


async def _done(task: asyncio.Task[Any], told: asyncio.Queue[int]) -> bool:
    """Waits for a task, and cancels it when a signal to stop comes first; whether it was done."""
    waiting = asyncio.create_task(told.get())
    while True:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            if waiting.done():
                told.put_nowait(waiting.result())  # for who asks next
            waiting.cancel()
            return True
        if waiting.result() != signal.SIGHUP:
            task.cancel()
            await asyncio.wait([task])
            return False
        waiting = asyncio.create_task(told.get())


async def _tell_of_no_administrator(deps: "Deps") -> None:
    from core.errors import DatabaseError
    from core.store import users

    try:
        async with deps.database.read() as connection:
            found = await users.has_administrator(connection)
    except DatabaseError:
        return
    if not found:
        log.warning(
            "there is no administrator: `llmrouter users add --admin EMAIL` makes one, "
            "and so do LLMROUTER_ADMIN_EMAIL and LLMROUTER_ADMIN_PASSWORD at the next start"
        )
