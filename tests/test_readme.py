"""README.md: what it says of settings, links, targets, endpoints and vendors is so, and what it shows runs.

`python -m tests.support.readme` writes the parts that are made from the code anew.
"""

import os
import re
import sys
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from core.settings import RESERVED, VARIABLES, Settings
from facade.app import Facade
from tests.repository.test_proto_readme import GRPCURL, run
from tests.support.facade import facade_settings
from tests.support.readme import README, renewed
from tests.support.service import Service, StartService

ROOT = README.parent
TEXT = README.read_text()
HTTP, GRPC = "127.0.0.1:8080", "127.0.0.1:50051"
SNIPPETS = ("With curl", "With grpcurl or buf")


def section(title: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    match = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |^\1 |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert match, f"there is no section {title}"
    return match[2]


def blocks(text: str, language: str) -> list[str]:
    """The code in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def defaults() -> dict[str, str]:
    """variable → its default, as the table shows it."""
    values: dict[str, Any] = {field.name: getattr(Settings(), field.name) for field in fields(Settings)}
    return {variable: shown(values[name]) for variable, (name, _) in VARIABLES.items()}


def shown(value: Any) -> str:
    if value in ("", (), None):
        return ""
    if isinstance(value, Enum):
        return f"`{value.value}`"
    return f"`{int(value) if isinstance(value, bool | float) else value}`"


def test_the_table_of_settings_is_that_of_the_settings():
    rows = re.findall(r"^\| `(LLMROUTER_\w+)` \| (.*?) ?\| (.+) \|$", section("Settings"), re.MULTILINE)
    assert {variable: default for variable, default, _ in rows} == defaults()
    assert [variable for variable, _, _ in rows] == list(VARIABLES)
    assert {variable for variable, _, meaning in rows if "nothing reads it" in meaning} == set(RESERVED)


def test_every_setting_that_it_names_exists():
    assert set(re.findall(r"\bLLMROUTER_[A-Z_]+\b", TEXT)) - {"LLMROUTER_"} == set(VARIABLES)


def test_links_lead_somewhere():
    headings = {slug(heading) for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("https://"):
            assert (ROOT / target.partition("#")[0]).exists(), target


def slug(heading: str) -> str:
    """A heading as the anchor that readers of Markdown make of it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_make_targets_exist_and_are_all_there():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):.* ## ", makefile, re.MULTILINE))
    named = set(
        re.findall(r"\bmake ([a-z0-9-]+)", " ".join([*re.findall(r"`([^`\n]+)`", TEXT), *blocks(TEXT, "console")]))
    )
    assert named <= targets
    assert targets - named == {"help"}


async def test_the_endpoints_are_those_that_are_served():
    facade = Facade(facade_settings())
    served = {(route.method, route.path) for route in facade.routes}
    await facade.relay.close()
    await facade.cores.close()
    told = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`]*)`", section("Endpoints"))
    assert set(told) == served


def test_what_is_made_from_the_code_is_up_to_date():
    assert renewed(TEXT) == TEXT, "run `python -m tests.support.readme`"


@pytest.fixture
def echo(start_service: StartService) -> Service:
    """A service with the echo provider, as `make run` starts it."""
    return start_service(environ={"LLMROUTER_ECHO_TOKENS_PER_SECOND": "0"})


def here(source: str, service: Service) -> str:
    """A snippet with this service's addresses."""
    return source.replace(HTTP, service.base_url.removeprefix("http://")).replace(GRPC, service.grpc_target)


@pytest.mark.e2e
def test_every_command_runs(echo: Service, tmp_path: Path):
    commands = [block for title in SNIPPETS for block in blocks(section(title), "sh")]
    tools = Path(sys.executable).parent
    grpcurl = tmp_path / "bin" / "grpcurl"
    grpcurl.parent.mkdir()
    grpcurl.write_text(GRPCURL)
    grpcurl.chmod(0o700)
    script = here("set -ex -o pipefail\n" + "\n".join(commands), echo).replace("curl -N", "curl -N -f")
    path = os.pathsep.join((str(grpcurl.parent), str(tools), os.environ["PATH"]))
    said = run(["bash", "-c", script], tmp_path, PATH=path, BUF=str(tools / "buf"), KEY=echo.key)
    for expected in (
        '"content":"Hello, router"',
        "data: [DONE]",
        "POST   /v1/chat/completions",
        "llmrouter.v1.RouterService",
        '"finishReasons"',
        '"requestedModel": "echo"',
    ):
        assert expected in said, f"nothing printed {expected}"


@pytest.mark.e2e
def test_every_python_program_runs(echo: Service, tmp_path: Path):
    sdk, claude, grpc_client = blocks(TEXT, "python")
    assert OpenAI.__name__ in sdk
    for number, source in enumerate((sdk, grpc_client, claude)):
        (tmp_path / f"{number}.py").write_text(here(source, echo))
    variables = {"KEY": echo.key, "PYTHONPATH": str(ROOT / "gen")}
    first = run([sys.executable, "0.py"], tmp_path, **variables).splitlines()
    assert first == ["Hello, router 9", "One word after the other"]
    assert run([sys.executable, "2.py"], tmp_path, **variables).splitlines() == ["Hello, router 2"]
    second = run([sys.executable, "1.py"], tmp_path, **variables).splitlines()
    assert [line.split()[0] for line in second][0 :: len(second) - 1] == ["started", "finished"]
    assert "delta Hello, router" in second or {"delta Hello,", "delta  router"} <= set(second)
