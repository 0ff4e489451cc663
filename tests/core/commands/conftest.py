"""Commands run as users run them, in a directory and an environment of the test's own."""

import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import cli


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """Somebody's terminal."""

    def isatty(self) -> bool:
        return True


Run = Callable[..., Done]


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Takes back what a command does to the process's logging."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, ("llmrouter", "core", "facade"))]
    handlers, levels = list(root.handlers), [logger.level for logger in loggers]
    hooks = sys.excepthook, threading.excepthook
    yield
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook = hooks
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def run(own_logging: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: run("users", "list", stdin="…", LLMROUTER_ECHO="1").

    typed: what somebody at a terminal answers, one question after the other.
    """
    for name in list(os.environ):
        if name.startswith("LLMROUTER_") or name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, stdin: str = "", typed: Sequence[str] = (), **environ: str) -> Done:
        answers = list(reversed(typed))

        def answer(_question: str) -> str:
            return answers.pop()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", Terminal() if typed else io.StringIO(stdin))
            patch.setattr("core.commands.secret_input.getpass", answer)
            for name, value in environ.items():
                patch.setenv(name, value)
            try:
                code = cli.main(arguments)
            except SystemExit as ended:  # argparse's way
                code = ended.code if isinstance(ended.code, int) else 1
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return command
