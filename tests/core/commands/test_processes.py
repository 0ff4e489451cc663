"""What `serve` starts, what a facade is told, and that two of one kind don't share a directory."""

import logging
import os
import socket
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from core.commands.address import check_free
from core.commands.facade import facade_settings
from core.commands.failure import Failure
from core.commands.instance import holder, locked, workers_locked
from core.commands.serve import specs
from core.secrets import internal_token
from core.settings import Address, Settings, SettingsError

KEY = "a secret key for tests alone"


def cores_of(command: list[str]) -> list[str]:
    return [value for option, value in pairwise(command) if option == "--core"]


def test_facades_call_all_cores_each_another_one_first(tmp_path: Path):
    wanted = specs(Settings(data_dir=tmp_path, core_workers=2, facade_workers=3))
    assert [spec.name for spec in wanted] == ["core-0", "core-1", "facade-0", "facade-1", "facade-2"]
    first, second = (f"unix:{tmp_path}/run/core-{n}.sock" for n in range(2))
    calls = [cores_of(list(spec.command)) for spec in wanted if spec.name.startswith("facade")]
    assert calls == [[first, second], [second, first], [first, second]]


def test_facades_are_stopped_before_cores_and_cores_alone_reload(tmp_path: Path):
    core, facade = specs(Settings(data_dir=tmp_path))
    assert facade.stage < core.stage
    assert (core.reloads, facade.reloads) == (True, False)


def test_a_facade_is_told_what_the_settings_say(tmp_path: Path):
    settings = Settings(
        data_dir=tmp_path,
        secret_key=KEY,
        http_addr=Address("0.0.0.0", 81),
        public_url="https://llm.example",
        cors_origins=("https://a.example",),
        trusted_proxies=("10.0.0.0/8",),
        facade_workers=3,
        max_body=5_000,
        request_timeout=7.0,
        drain_timeout=8.0,
    )
    told = facade_settings(settings, 1, ["unix:/a", "unix:/b"])
    assert (told.host, told.port, told.worker, told.reuse_port) == ("0.0.0.0", 81, 1, True)
    assert told.core_targets == ("unix:/a", "unix:/b")
    assert told.internal_token == internal_token(KEY)
    assert (told.public_url, told.cors_origins, told.trusted_proxies) == (
        "https://llm.example",
        ("https://a.example",),
        ("10.0.0.0/8",),
    )
    assert (told.max_body, told.request_timeout, told.drain_timeout) == (5_000, 7.0, 8.0)
    assert told.admin_socket == f"{tmp_path}/run/facade-1.sock"
    assert told.sibling_sockets == (f"{tmp_path}/run/facade-0.sock", f"{tmp_path}/run/facade-2.sock")


def test_a_facade_alone_calls_the_core_of_the_settings(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, secret_key=KEY, grpc_addr=Address("10.0.0.5", 50051))
    assert facade_settings(settings, 0, []).core_targets == ("10.0.0.5:50051",)


def test_a_facade_on_another_machine_needs_the_cores_secret_key(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"^LLMROUTER_SECRET_KEY: must be the core's"):
        facade_settings(Settings(data_dir=tmp_path), 0, ["10.0.0.5:50051"])
    assert not (tmp_path / "secret.key").exists()
    assert facade_settings(Settings(data_dir=tmp_path, secret_key=KEY), 0, ["10.0.0.5:50051"])


def test_no_token_is_in_the_repr_of_what_a_facade_is_told(tmp_path: Path):
    told = facade_settings(Settings(data_dir=tmp_path, secret_key=KEY), 0, [])
    assert told.internal_token not in repr(told)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path)
    settings.run_dir.mkdir()
    return settings


def test_a_lock_is_one_process_s_at_a_time(settings: Settings):
    assert holder(settings, "serve") == ""
    with locked(settings, "serve"):
        assert holder(settings, "serve").isdigit()
        with pytest.raises(SettingsError, match="runs already"), locked(settings, "serve"):
            pass
        with locked(settings, "core-0"):
            pass
    assert holder(settings, "serve") == ""
    with locked(settings, "serve"):
        pass


def test_the_workers_lock_outlives_the_supervisor_and_is_waited_for(settings: Settings):
    pipe, end = os.pipe()
    with workers_locked(settings) as lock:
        # A worker that ends when we let it: its standard input ends.
        worker = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=pipe, pass_fds=[lock])
    os.close(pipe)
    waited: list[str] = []

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            waited.append(record.getMessage())
            os.write(end, b"\n")

    told = Told()
    logging.getLogger("llmrouter.lock").addHandler(told)
    try:
        with worker, workers_locked(settings):
            assert len(waited) == 1
    finally:
        logging.getLogger("llmrouter.lock").removeHandler(told)
        os.close(end)


def test_workers_that_do_not_end_are_not_waited_for_for_ever(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.commands.instance._GRACE", 0.01)
    settings = replace(settings, drain_timeout=0.0)
    with (
        workers_locked(settings),
        pytest.raises(SettingsError, match="don't end"),
        workers_locked(settings),
    ):
        pass


def test_an_address_is_free_until_somebody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        with pytest.raises(Failure, match=r"is taken.*LLMROUTER_HTTP_ADDR=") as caught:
            check_free(address, "LLMROUTER_HTTP_ADDR")
        assert caught.value.code == 78
    check_free(address, "LLMROUTER_HTTP_ADDR")


def test_an_address_shared_by_another_services_workers_is_taken():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        with pytest.raises(Failure, match="is taken"):
            check_free(Address("127.0.0.1", server.getsockname()[1]), "LLMROUTER_HTTP_ADDR")


def test_an_address_of_another_machine_is_explained():
    with pytest.raises(Failure, match="is not an address of this machine"):
        check_free(Address("192.0.2.1", 8080), "LLMROUTER_HTTP_ADDR")
