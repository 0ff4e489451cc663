"""What `llmrouter doctor` looks at on the machine: directories, keys, limits, the clock, addresses."""

import os
import resource
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import core
from core.commands import instance
from core.commands.address import check_free
from core.commands.failure import Failure
from core.secrets import secret_key_file
from core.settings import Address, Settings

_LEAST_DISK = 512 * 1024 * 1024
_LEAST_FILES = 4096


class Finding(NamedTuple):
    """What a check found."""

    good: bool
    about: str
    text: str


def _data_directory(settings: Settings) -> Finding:
    about, directory = "data directory", settings.data_dir.absolute()
    if not directory.exists():
        parent = next(parent for parent in directory.parents if parent.exists())
        good = os.access(parent, os.W_OK | os.X_OK)
        return Finding(good, about, f"{directory} is made at the first start" if good else f"{parent} can't be written")
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        return Finding(False, about, f"{directory} can't be written ({error.strerror}); see LLMROUTER_DATA_DIR")
    return Finding(True, about, f"{directory} can be written")


def _disk(settings: Settings) -> Finding:
    path = next(path for path in (settings.data_dir.absolute(), *settings.data_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(path).free
    text = f"{free / 2**30:.1f} GiB free"
    if free < settings.journal_limit:
        most = f"{settings.journal_limit / 2**30:.1f}"
        text += f"; while the database is away, usage may need {most} (LLMROUTER_JOURNAL_LIMIT)"
    return Finding(free >= _LEAST_DISK, "disk", text)


def _secret_key(settings: Settings) -> Finding:
    about, path = "secret key", secret_key_file(settings)
    if settings.secret_key:
        return Finding(True, about, "set by LLMROUTER_SECRET_KEY")
    if not path.exists():
        return Finding(True, about, f"generated into {path} at the first start")
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        return Finding(False, about, f"{path} can't be read ({type(error).__name__})")
    if len(text) < 16:
        return Finding(False, about, f"{path} holds no key; restore it from a backup")
    if stat.S_IMODE(mode) & 0o077:
        return Finding(False, about, f"others can read {path}; `chmod 600 {path}`")
    return Finding(True, about, f"in {path}; keep a copy, for provider keys can't be read without it")


def _open_files(settings: Settings) -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    few = hard != resource.RLIM_INFINITY and hard < _LEAST_FILES
    text = f"at most {'any number' if hard == resource.RLIM_INFINITY else hard} per process"
    return Finding(not few, "open files", text + ("; every stream needs two, so raise `ulimit -Hn`" if few else ""))


def _clock(settings: Settings) -> Finding:
    built = Path(core.__file__).stat().st_mtime
    good = time.time() > built - 24 * 3600
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return Finding(good, "clock", now if good else f"{now} is before this program was installed; set the clock")


def _http_address(settings: Settings) -> Finding:
    return _address(settings, settings.http_addr, "LLMROUTER_HTTP_ADDR")


def _grpc_address(settings: Settings) -> Finding:
    return _address(settings, settings.grpc_addr, "LLMROUTER_GRPC_ADDR")


def _address(settings: Settings, address: Address, variable: str) -> Finding:
    about = f"address {address}"
    try:
        check_free(address, variable)
    except Failure as failure:
        holder = instance.holder(settings, "serve")
        if holder:
            return Finding(True, about, f"used by llmrouter on this data directory (process {holder})")
        return Finding(False, about, str(failure))
    return Finding(True, about, "free")


ALL = (_data_directory, _disk, _secret_key, _open_files, _clock, _http_address, _grpc_address)
