"""The facade's process: the surfaces' tables made into one server, and its life from start to drain.

run ─► Facade.start ─► serves ─► SIGTERM ─► Facade.stop: drain ─► end
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import uvloop
from aiohttp import web

from facade import gemini_models, kept_responses, provider_objects
from facade.common_paths import told_apart
from facade.connection import Server
from facade.cores import Cores
from facade.dispatch import Dispatcher
from facade.endpoint import Inference
from facade.listener import listen, listen_for_siblings, port_of
from facade.metrics import Metrics
from facade.operation_handler import Operations
from facade.origins import Origins
from facade.relay import Relay
from facade.route import Route
from facade.settings import FacadeSettings
from facade.shared_paths import SHARED
from facade.surface import Surfaces
from facade.surfaces.console import chat as console_chat
from facade.surfaces.console.account import WHO_AM_I
from facade.surfaces.console.operations import OPERATIONS as CONSOLE_OPERATIONS
from facade.surfaces.console.surface import CONSOLE
from facade.surfaces.cost_control import usage_events
from facade.surfaces.cost_control.operations import OPERATIONS as COST_CONTROL_OPERATIONS
from facade.surfaces.cost_control.surface import COST_CONTROL
from facade.surfaces.gateway import routes as gateway_inference
from facade.surfaces.gateway.models import OPERATIONS as GATEWAY_OPERATIONS
from facade.surfaces.gateway.surface import GATEWAY, MESSAGES
from facade.surfaces.gemini import routes as gemini_inference
from facade.surfaces.gemini.models import WORDS, is_googles
from facade.surfaces.gemini.surface import GEMINI
from facade.surfaces.openai import routes as openai_inference
from facade.surfaces.openai.models import OPERATIONS as OPENAI_OPERATIONS
from facade.surfaces.openai.surface import OPENAI
from facade.surfaces.operations.health import Readiness
from facade.surfaces.operations.index import Directory
from facade.surfaces.operations.monitoring import Monitoring
from facade.surfaces.operations.routes import operations_routes
from facade.surfaces.operations.surface import OPERATIONS
from facade.surfaces.proxy import routes as proxy_inference
from facade.surfaces.proxy.models import ANTHROPIC_OPERATIONS as PROXY_ANTHROPIC_OPERATIONS
from facade.surfaces.proxy.models import OPENAI_OPERATIONS as PROXY_OPENAI_OPERATIONS
from facade.surfaces.proxy.surface import PROXY_ANTHROPIC, PROXY_GOOGLE, PROXY_OPENAI

log = logging.getLogger("llmrouter.http")

SURFACES = (
    *(CONSOLE, SHARED, OPENAI, GATEWAY, MESSAGES, GEMINI, COST_CONTROL),
    *(PROXY_OPENAI, PROXY_ANTHROPIC, PROXY_GOOGLE, OPERATIONS),
)

# Each surface's rows of operations.
OPERATION_TABLES = (
    (CONSOLE, CONSOLE_OPERATIONS),
    (SHARED, (WHO_AM_I,)),
    (OPENAI, OPENAI_OPERATIONS),
    (GATEWAY, GATEWAY_OPERATIONS),
    (COST_CONTROL, COST_CONTROL_OPERATIONS),
    (PROXY_OPENAI, PROXY_OPENAI_OPERATIONS),
    (PROXY_ANTHROPIC, PROXY_ANTHROPIC_OPERATIONS),
)
# Where OpenAI's API is, for what it has beside inference.
OPENAI_MOUNTS = ((OPENAI, "/api/v1"), (GATEWAY, "/v1"), (PROXY_OPENAI, "/proxy/openai/v1"))
# Where Gemini's lists of models are, beside those under /v1, which is OpenAI's too.
GEMINI_MOUNTS = ((GEMINI, "/v1beta"), (PROXY_GOOGLE, "/proxy/google/v1beta"), (PROXY_GOOGLE, "/proxy/google/v1"))
# Each surface's routes of inference.
INFERENCE_TABLES = (
    *(console_chat.routes, openai_inference.routes, gateway_inference.routes),
    *(gemini_inference.routes, proxy_inference.routes),
)

# What cancelled handlers get to clean up, and what aiohttp must at least be given for it; in seconds.
_FAREWELL, _LAST_WORDS, _AT_LEAST = 0.5, 2.0, 0.05


class Facade:
    """One facade process, from its tables to its sockets. Made in the event loop that runs it."""

    def __init__(self, settings: FacadeSettings, now: Callable[[], float] = time.time) -> None:
        """now: the time of day in seconds since 1970, for the cookies' ages."""
        self.settings = settings
        self.cores = Cores(settings.core_targets, settings.internal_token)
        self.relay = Relay(settings)
        surfaces = Surfaces(SURFACES)
        self.metrics = Metrics(surfaces.names)
        self.readiness = Readiness(self.cores, self.relay)
        self._monitoring = Monitoring(self.cores, self.metrics, settings)
        self.routes: Sequence[Route] = self._all_routes(now)
        self._dispatcher = Dispatcher(self.routes, surfaces, Origins(settings), self.metrics)
        self._server = Server(self._dispatcher, settings)
        self._listening: list[asyncio.Server] = []
        self.port = settings.port

    def _all_routes(self, now: Callable[[], float]) -> Sequence[Route]:
        operations = Operations(self.cores, self.settings, now)
        inference = Inference(self.relay, self.settings)
        directory = Directory(self.settings.public_url)
        directory.routes = (
            *told_apart(
                (operations.route(row, surface) for surface, rows in OPERATION_TABLES for row in rows),
                gemini_models.routes(self.cores, operations, GEMINI, "/v1"),
                is_googles,
                WORDS,
            ),
            *usage_events.routes(self.cores, operations),
            *(route for row in OPENAI_MOUNTS for route in kept_responses.routes(self.cores, operations, *row)),
            *(
                route
                for row in OPENAI_MOUNTS
                for route in provider_objects.routes(self.cores, operations, self.settings, *row)
            ),
            *(route for row in GEMINI_MOUNTS for route in gemini_models.routes(self.cores, operations, *row)),
            *(route for table in INFERENCE_TABLES for route in table(inference)),
            *operations_routes(self.readiness, self._monitoring, directory),
        )
        return directory.routes

    async def start(self) -> None:
        """Listens. Raises OSError where it can't, and then nothing is left open."""
        try:
            listening = await listen(self._server, self.settings)
            self._listening.append(listening)
            if self.settings.admin_socket:
                for_siblings = web.Server(self._monitoring.own, access_log=None)
                self._listening.append(await listen_for_siblings(for_siblings, Path(self.settings.admin_socket)))
        except OSError:
            await self._close()
            raise
        self.port = port_of(listening)
        self.relay.start()

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Takes no new work, lets what runs finish within the drain timeout, cancels the rest.

        hurry: when it is set, the timeout is over at once.
        """
        ends = time.monotonic() + self.settings.drain_timeout
        self._dispatcher.draining = self.readiness.draining = True
        for listening in self._listening:
            listening.close()
        await self._drained(self.settings.drain_timeout, hurry or asyncio.Event())
        if self.metrics.in_flight:
            self.relay.give_up()
            await self._drained(_FAREWELL, asyncio.Event())
        left = ends - time.monotonic() if self.metrics.in_flight == 0 else 0.0
        self._server.pre_shutdown()
        await self._server.shutdown(max(left, _AT_LEAST))  # for answers that are still being written
        await self._drained(_LAST_WORDS, asyncio.Event())
        await self._close()

    async def _drained(self, timeout: float, hurry: asyncio.Event) -> None:
        """Returns once nothing is being handled, or the time is up."""
        waits = [asyncio.ensure_future(self._dispatcher.wait_idle()), asyncio.ensure_future(hurry.wait())]
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _close(self) -> None:
        for listening in self._listening:
            listening.close()
        self._server.stop_sweeping()
        if self.settings.admin_socket:
            with suppress(FileNotFoundError):
                await asyncio.to_thread(Path(self.settings.admin_socket).unlink)
        await self.relay.close()
        await self.cores.close()


def run(settings: FacadeSettings, on_ready: Callable[[], None] | None = None) -> int:
    """Runs the facade until SIGTERM or SIGINT; a second signal ends the drain. Returns the exit status.

    on_ready: called once it listens and has all of its cores to ask. Raises OSError where it can't listen.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, on_ready))
    return 0


async def _serve(settings: FacadeSettings, on_ready: Callable[[], None] | None) -> None:
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            hurry.set()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    facade = Facade(settings)
    await facade.start()
    log.info("listening on http://%s:%s", settings.host, facade.port)
    announcing = asyncio.create_task(_announce(facade, on_ready or (lambda: None)))
    await stopping.wait()
    announcing.cancel()
    log.info("stopping")
    await facade.stop(hurry)


async def _announce(facade: Facade, on_ready: Callable[[], None]) -> None:
    await facade.cores.connected(to_all=True)
    on_ready()
