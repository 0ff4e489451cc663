"""The command line as a whole: help, mistakes, and that nothing heavy is imported without need."""

import subprocess
import sys
from pathlib import Path

import pytest

from core import __version__
from core.cli import COMMANDS
from tests.core.commands.conftest import Run


def test_help_lists_every_command(run: Run):
    for argument in ("--help", "-h", "help"):
        done = run(argument)
        assert done.code == 0
        assert all(f"  {command} " in done.out for command in COMMANDS)


def test_without_a_command_there_is_help(run: Run):
    assert run().out == run("--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(run: Run, command: str):
    done = run(command, "--help")
    assert done.code == 0
    assert f"usage: llmrouter {command}" in done.out
    assert "example" in done.out
    assert f"llmrouter {command}" in done.out.partition("example")[2]


def test_the_table_of_commands_is_the_directory_of_commands():
    import core.commands

    modules = {path.stem for path in Path(core.commands.__path__[0]).glob("*.py")}
    assert set(COMMANDS) <= modules


def test_an_unknown_command_is_a_mistake_with_a_hint(run: Run):
    done = run("migrat")
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'migrate'?" in done.err


def test_the_version_is_shown(run: Run):
    for argument in ("version", "--version", "-V"):
        assert run(argument).out.startswith(f"llmrouter {__version__} (Python 3.")


def test_a_bad_setting_is_one_line(run: Run):
    done = run("serve", LLMROUTER_CORE_WORKERS="many")
    assert done.code == 78
    assert done.err == "llmrouter: LLMROUTER_CORE_WORKERS: must be a whole number from 1 to 64\n"


def test_a_bad_setting_in_the_env_file_is_too(run: Run):
    Path(".env").write_text("LLMROUTER_ECHOO=1\n")
    done = run("users", "list")
    assert (done.code, done.err.count("\n")) == (78, 1)
    assert "LLMROUTER_ECHOO is not a setting" in done.err


def test_a_database_that_does_not_answer_is_one_line_without_its_password(run: Run):
    done = run("users", "list", LLMROUTER_DATABASE_URL="postgresql://router:the-password@127.0.0.1:1/router")
    assert done.code == 69
    assert done.err.count("\n") == 1
    assert "check LLMROUTER_DATABASE_URL" in done.err
    assert "the-password" not in done.err


def test_the_trace_comes_with_the_log_level_debug(run: Run):
    done = run("keys", "list", "nobody", LLMROUTER_LOG_LEVEL="debug")
    assert "Traceback" in done.err
    assert done.err.endswith("llmrouter: there is no user 'nobody'; `llmrouter users list` shows them all\n")


def test_a_fault_of_ours_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.commands.version.platform", None)
    done = run("version")
    assert (done.code, done.err.count("\n")) == (70, 1)
    assert "AttributeError" in done.err
    assert "LLMROUTER_LOG_LEVEL=debug" in done.err


def test_a_fault_in_a_process_of_the_service_brings_its_trace(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.commands.facade.sockets", None)
    done = run("facade")
    assert done.code == 70
    assert "Traceback" in done.err


@pytest.mark.parametrize("command", ["core", "facade"])
@pytest.mark.parametrize("number", ["-1", "64", "one"])
def test_a_worker_s_number_has_a_bound(run: Run, command: str, number: str):
    done = run(command, f"--worker={number}")
    assert done.code == 2
    assert "is not a number from 0 to 63" in done.err


def test_a_directory_that_cannot_be_made_is_one_line(run: Run):
    Path("file").write_text("")
    done = run("users", "list", LLMROUTER_DATA_DIR="file/data")
    assert (done.code, done.err.count("\n")) == (78, 1)
    assert done.err.startswith("llmrouter: LLMROUTER_DATA_DIR: ")


def imported(program: str) -> set[str]:
    """The top-level modules that a program has imported at its end."""
    end = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{end}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split())


HEAVY = {"asyncio", "grpc", "sqlalchemy", "aiohttp", "cryptography", "google", "uvloop", "alembic", "dotenv", "msgspec"}


@pytest.mark.parametrize(
    "program",
    [
        "from core.cli import main; main(['version'])",
        "from core.cli import main; main(['--help'])",
        "import core.commands.serve",
    ],
)
def test_the_supervisor_and_small_commands_import_nothing_heavy(program: str):
    assert not imported(program) & HEAVY


def test_the_facade_imports_nothing_of_the_database_or_openssl():
    names = imported(
        "import core.commands.facade, facade.app; from core.secrets import internal_token; internal_token('k' * 16)"
    )
    assert not names & {"sqlalchemy", "alembic", "asyncpg", "aiosqlite", "cryptography", "httpx"}
