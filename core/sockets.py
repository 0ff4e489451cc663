"""The sockets by which the processes of one installation reach each other, and the directory they are in.

run/                   nobody else may enter it
  core-0.sock …        gRPC, for the facades on this machine
  relay-0.sock …       their links, which carry inference
  facade-0.sock …      metrics of one facade process, for its siblings
  serve.lock           held while the installation runs
"""

import os
import stat
from pathlib import Path

from core.settings import Settings, SettingsError


def core_socket(settings: Settings, worker: int) -> Path:
    """Where a core process answers its facades."""
    return settings.run_dir / f"core-{worker}.sock"


def relay_socket(settings: Settings, worker: int) -> Path:
    """Where a core process takes the links of its facades."""
    return settings.run_dir / f"relay-{worker}.sock"


def relay_target(core: str) -> str:
    """Where the core process at a gRPC target takes links: beside its socket, else at the same address."""
    path = Path(core.removeprefix("unix:"))
    if not core.startswith("unix:") or not path.name.startswith("core-"):
        return core
    return f"unix:{path.with_name(path.name.replace('core-', 'relay-', 1))}"


def facade_socket(settings: Settings, worker: int) -> Path:
    """Where a facade process answers its siblings."""
    return settings.run_dir / f"facade-{worker}.sock"


def prepare(settings: Settings) -> None:
    """Makes the data directory and the directory of sockets.

    The latter may have to be under /tmp, where somebody else can be faster, so it is looked at closely.
    Raises SettingsError where it is not ours alone, or can't be made.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.run_dir.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"LLMROUTER_DATA_DIR: can't make {error.filename}: {error.strerror}") from None
    found = settings.run_dir.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SettingsError(f"{settings.run_dir} is not a directory of this user; remove it")
    if stat.S_IMODE(found.st_mode) & 0o077:
        settings.run_dir.chmod(0o700)
