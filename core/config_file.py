"""The file that LLMROUTER_CONFIG names: it declares providers, models, routes, prices and limits.

    providers, routes, prices, limits ─parse─► Configuration, or ConfigurationError with all that is wrong

The whole file is checked before any of it counts. core/configuration.py puts it in force;
llmrouter.example.yaml shows and explains every key. A section is a file in core/config/.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.config.document import MAX_BYTES, read_document
from core.config.limits import DeclaredLimit, read_limits
from core.config.prices import read_prices
from core.config.problems import ConfigurationError, Place, Problem, Problems
from core.config.providers import DeclaredProvider, read_providers
from core.config.reader import Reader
from core.config.routes import read_routes
from core.ledger.prices import Override
from core.routing.lookup import Route

SECTIONS = ("providers", "routes", "prices", "limits")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the file says, in its order. An empty one says nothing."""

    providers: tuple[DeclaredProvider, ...] = ()
    routes: tuple[Route, ...] = ()
    prices: tuple[Override, ...] = ()
    limits: tuple[DeclaredLimit, ...] = ()


def load(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Reads and checks a file; environ: where `${…}` is looked up. Raises ConfigurationError."""
    return parse(text_of(path), environ, str(path))


def text_of(path: Path) -> str:
    """What a file says, unchecked. Raises ConfigurationError where it can't be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(str(path), [_problem(f"it can't be read: {error.strerror}")]) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].split(b"\n")
        place = Place(len(before), len(before[-1]) + 1)
        raise ConfigurationError(str(path), [Problem(place, "", "this is not UTF-8")]) from None


def parse(text: str, environ: Mapping[str, str], file: str = "the configuration") -> Configuration:
    """Checks a text; file: what it is called in what is said about it. Raises ConfigurationError."""
    if len(text) > MAX_BYTES:
        raise ConfigurationError(file, [_problem(f"it has more than {MAX_BYTES} characters")])
    problems = Problems()
    reader = Reader(environ, problems)
    top = reader.section(read_document(text, problems), "", SECTIONS)
    configuration = Configuration(
        providers=read_providers(reader, top.node("providers")),
        routes=read_routes(reader, top.node("routes")),
        prices=read_prices(reader, top.node("prices")),
        limits=read_limits(reader, top.node("limits")),
    )
    if problems.found:
        raise ConfigurationError(file, problems.found)
    return configuration


def _problem(message: str) -> Problem:
    return Problem(Place(), "", message)
