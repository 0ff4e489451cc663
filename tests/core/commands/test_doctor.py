"""`llmrouter doctor` and `llmrouter config check`: what is wrong is found and said."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.commands.instance import locked
from core.settings import Settings
from tests.core.commands.conftest import Run


@pytest.fixture
def addresses() -> Iterator[dict[str, str]]:
    """Two addresses at which nobody listens."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield {
            "LLMROUTER_HTTP_ADDR": f"127.0.0.1:{one.getsockname()[1]}",
            "LLMROUTER_GRPC_ADDR": f"127.0.0.1:{other.getsockname()[1]}",
        }


def wrong(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("✗")]


def test_before_the_first_start_all_is_well(run: Run, addresses: dict[str, str]):
    done = run("doctor", **addresses)
    assert (done.code, wrong(done.out)) == (0, [])
    assert done.out.splitlines()[-1] == "everything is well"
    assert not Path("data").exists()


def test_a_database_without_an_administrator_needs_attention(run: Run, addresses: dict[str, str]):
    run("users", "list")
    done = run("doctor", **addresses)
    assert done.code == 1
    assert wrong(done.out) == ["✗ administrator: there is none; `llmrouter users add --admin EMAIL` makes one"]


def test_providers_are_asked_unless_it_is_offline(run: Run, addresses: dict[str, str]):
    run("users", "add", "--admin", "ann@example.com", "--password-stdin", stdin="hunter22\n")
    run("providers", "add", "gpu", "vllm", "--base-url", "http://127.0.0.1:1")
    run("providers", "add", "echo", "echo")
    done = run("doctor", **addresses)
    assert [line.split(":")[0] for line in wrong(done.out)] == ["✗ provider gpu"]
    assert "✓ provider echo: not offered, for LLMROUTER_ECHO is off" in done.out
    assert run("doctor", "--offline", **addresses).code == 0


def test_another_secret_key_than_the_providers_is_found(run: Run, addresses: dict[str, str]):
    run("users", "add", "--admin", "ann@example.com", "--password-stdin", stdin="hunter22\n")
    run("providers", "add", "gpu", "vllm", "--base-url", "http://127.0.0.1:1", "--key-stdin", stdin="sk-upstream\n")
    done = run("doctor", "--offline", LLMROUTER_SECRET_KEY="another secret key", **addresses)
    (said,) = wrong(done.out)
    assert said.startswith("✗ provider gpu: can't be used: its key was encrypted with another secret key")
    Path("data/secret.key").unlink()
    done = run("doctor", "--offline", **addresses)
    assert wrong(done.out) == ["✗ provider gpu: its key is lost with the secret key"]
    assert not Path("data/secret.key").exists()


def test_a_secret_key_that_others_can_read_is_found(run: Run, addresses: dict[str, str]):
    Path("data").mkdir()
    Path("data/secret.key").write_text("0123456789abcdef\n")
    Path("data/secret.key").chmod(0o644)
    assert wrong(run("doctor", **addresses).out) == [
        "✗ secret key: others can read data/secret.key; `chmod 600 data/secret.key`"
    ]


def test_a_taken_address_is_found_unless_we_took_it(run: Run, addresses: dict[str, str]):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        environ = addresses | {"LLMROUTER_GRPC_ADDR": taken}
        done = run("doctor", **environ)
        assert [line.split(": ")[0] for line in wrong(done.out)] == [f"✗ address {taken}"]
        assert "LLMROUTER_GRPC_ADDR=" in wrong(done.out)[0]

        settings = Settings()
        settings.run_dir.mkdir(parents=True)
        with locked(settings, "serve"):
            done = run("doctor", **environ)
        assert wrong(done.out) == []
        assert f"✓ address {taken}: used by llmrouter on this data directory" in done.out


def test_a_database_that_does_not_answer_is_found(run: Run, addresses: dict[str, str]):
    done = run("doctor", LLMROUTER_DATABASE_URL="postgresql://router:the-password@127.0.0.1:1/router", **addresses)
    assert [line.split(":")[0] for line in wrong(done.out)] == ["✗ database"]
    assert "the-password" not in done.out


def test_both_databases_are_looked_at(run: Run, database_url: str, addresses: dict[str, str]):
    done = run("doctor", LLMROUTER_DATABASE_URL=database_url, **addresses)
    assert [line.split(":")[0] for line in wrong(done.out)] == ["✗ administrator"]
    assert "✓ database's time: agrees with this machine's" in done.out


def test_a_bad_setting_ends_it_at_once(run: Run):
    done = run("doctor", LLMROUTER_ECHO="perhaps")
    assert (done.code, done.out) == (1, "✗ settings: LLMROUTER_ECHO: must be 0 or 1\n")


def test_a_configuration_file_is_checked(run: Run):
    Path("good.yaml").write_text("providers: []\n")
    assert run("config", "check", "good.yaml").out == "good.yaml is good: 0 providers, 0 routes, 0 prices, 0 limits\n"
    Path("bad.yaml").write_text("providers:\n  - nam: x\nsurprise: 1\n")
    done = run("config", "check", "bad.yaml")
    assert (done.code, done.out) == (78, "")
    assert done.err.startswith("bad.yaml can't be used:\n  line 2, column ")
    assert run("config", "check", "none.yaml").code == 78
