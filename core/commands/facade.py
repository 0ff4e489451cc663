"""Runs one facade process: the HTTP server in front of one or several cores.

Alone, on a machine of its own, it needs the core's LLMROUTER_SECRET_KEY, by which the core knows it.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core import logs, process, sockets
from core.commands.process_options import add_process_options
from core.secrets import internal_token, secret_key_file, secret_key_of
from core.settings import Settings, SettingsError
from core.supervised import Supervised
from core.supervisor import EX_CONFIG

if TYPE_CHECKING:
    from facade.settings import FacadeSettings

EXAMPLES = """\
example:
  LLMROUTER_SECRET_KEY=… llmrouter facade --core 10.0.0.5:50051 --core 10.0.0.6:50051"""


def configure(parser: ArgumentParser) -> None:
    add_process_options(parser)
    parser.add_argument(
        "--core",
        action="append",
        metavar="HOST:PORT",
        help="a core to call; may be repeated (default LLMROUTER_GRPC_ADDR)",
    )


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    supervised = Supervised(arguments.supervisor_fd)
    settings = load()
    logs.set_up(settings.log_level, settings.log_format, f"facade-{arguments.worker}")
    sockets.prepare(settings)
    process.allow_many_files()

    from facade import app

    def on_ready() -> None:
        supervised.ready()
        process.settle_heap()

    told = facade_settings(settings, arguments.worker, arguments.core or [])
    try:
        process.with_room(lambda: app.run(told, on_ready))
    except SystemExit as ended:  # it has said itself that it can't listen
        return EX_CONFIG if ended.code else 0
    return 0


def facade_settings(settings: Settings, worker: int, cores: Sequence[str]) -> "FacadeSettings":
    """What the facade is told. cores: gRPC targets, none for the one of the settings. Raises SettingsError."""
    from facade.settings import FacadeSettings

    elsewhere = any(not core.startswith("unix:") for core in cores)
    if elsewhere and not settings.secret_key and not secret_key_file(settings).exists():
        raise SettingsError(f"LLMROUTER_SECRET_KEY: must be the core's, which is in its {secret_key_file(Settings())}")
    siblings = [n for n in range(settings.facade_workers) if n != worker]
    return FacadeSettings(
        host=settings.http_addr.host,
        port=settings.http_addr.port,
        core_targets=tuple(cores) or (str(settings.grpc_addr),),
        relay_targets=tuple(map(sockets.relay_target, cores)) or (str(settings.grpc_addr),),
        internal_token=internal_token(secret_key_of(settings)),
        public_url=settings.resolved_public_url,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        max_body=settings.max_body,
        request_timeout=settings.request_timeout,
        drain_timeout=settings.drain_timeout,
        worker=worker,
        reuse_port=settings.facade_workers > 1,
        admin_socket=str(sockets.facade_socket(settings, worker)),
        sibling_sockets=tuple(str(sockets.facade_socket(settings, n)) for n in siblings),
    )
