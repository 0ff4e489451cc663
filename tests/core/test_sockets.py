"""The directory of sockets: made for its owner alone, and refused where it is somebody else's."""

import os
import stat
from pathlib import Path

import pytest

from core import sockets
from core.settings import Settings, SettingsError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directories_are_made_for_their_owner_alone(tmp_path: Path):
    settings = Settings(data_dir=tmp_path / "deep" / "data")
    sockets.prepare(settings)
    assert mode(settings.data_dir) == mode(settings.run_dir) == 0o700


def test_a_directory_that_others_may_enter_is_closed(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    settings.run_dir.mkdir()
    settings.run_dir.chmod(0o755)
    sockets.prepare(settings)
    assert mode(settings.run_dir) == 0o700


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    (tmp_path / "elsewhere").mkdir()
    settings.run_dir.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="not a directory of this user"):
        sockets.prepare(settings)


def test_somebody_elses_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = Settings(data_dir=tmp_path)
    sockets.prepare(settings)
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    with pytest.raises(SettingsError, match="not a directory of this user"):
        sockets.prepare(Settings(data_dir=tmp_path))


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"^LLMROUTER_DATA_DIR: .*file"):
        sockets.prepare(Settings(data_dir=tmp_path / "file" / "data"))


def test_every_process_has_a_socket_of_its_own(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    paths = {make(settings, worker) for make in (sockets.core_socket, sockets.facade_socket) for worker in range(3)}
    assert len(paths) == 6
    assert all(len(os.fsencode(path)) < 104 for path in paths)
