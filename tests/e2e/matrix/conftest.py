"""The service that all cells share, and the matrix at the end of the run."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from core.store.database import Database
from tests.e2e.matrix import board
from tests.e2e.matrix.stage import Stage, serve_stage


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stage(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("matrix")
    shutil.copyfile(sqlite_template, folder / "matrix.db")
    database = Database(f"sqlite+aiosqlite:///{folder / 'matrix.db'}")
    async with serve_stage(database, folder / "core") as stage:
        yield stage
    await database.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    if found := board.lines(sorted(reports, key=lambda report: report.start)):
        terminalreporter.section("matrix")
        for line in found:
            terminalreporter.write_line(line)
