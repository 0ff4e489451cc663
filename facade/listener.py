"""Where the facade listens: the TCP address for everybody, a Unix socket for its siblings."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from facade.settings import FacadeSettings

_BACKLOG = 1024


async def listen(server: web.Server, settings: FacadeSettings) -> asyncio.Server:
    """Listens on the address of the settings. Raises OSError."""
    factory: Any = server  # is called for each connection
    return await asyncio.get_running_loop().create_server(
        factory, settings.host, settings.port, backlog=_BACKLOG, reuse_port=settings.reuse_port or None
    )


async def listen_for_siblings(server: web.Server, path: Path) -> asyncio.Server:
    """Listens on a Unix socket, in the place of one that an earlier process left. Raises OSError."""
    factory: Any = server
    with suppress(FileNotFoundError):
        await asyncio.to_thread(path.unlink)
    return await asyncio.get_running_loop().create_unix_server(factory, path)


def port_of(listening: asyncio.Server) -> int:
    """The port that it listens on; tells which one the system chose for port 0."""
    return listening.sockets[0].getsockname()[1]
