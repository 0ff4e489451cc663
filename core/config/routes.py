"""The section `routes` of a configuration file.

- alias: fast
  targets:
    - groq/llama-3.3-70b-versatile                                a model at a provider
    - {provider: openrouter, model: meta-llama/llama-3.3-70b}     the same, for a name with slashes
    - llama3.3                                                    wherever there is such a model
"""

from core.config.document import Mapping, Node, Sequence
from core.config.reader import Reader, Section
from core.inputs import line
from core.providers import fields
from core.routing.lookup import Route, RouteTarget

KEYS = ("alias", "targets")
TARGET_KEYS = ("provider", "model")

_MAX_NAME = 300  # as long as a model's name may be in a request
_MAX_TARGETS = 20


def read_routes(reader: Reader, node: Node | None) -> tuple[Route, ...]:
    """The routes in the order of the file; what can't be read is left out, and noted."""
    found: list[Route] = []
    aliases: dict[str, int] = {}  # where each is
    for item, path in reader.sequence(node, "routes"):
        section = reader.section(item, path, KEYS)
        alias = section.value("alias", _alias, required=True)
        targets = _targets(reader, section)
        if alias is None:
            continue
        if alias in aliases:
            section.wrong("alias", f"there is a route of this name on line {aliases[alias]} already")
        aliases.setdefault(alias, section.place.line)
        found.append(Route(alias, targets))
    return tuple(found)


def _targets(reader: Reader, section: Section) -> tuple[RouteTarget, ...]:
    targets: list[RouteTarget] = []
    node = section.node("targets")
    items = list(section.sequence("targets"))
    if node is None or (isinstance(node, Sequence) and not 1 <= len(items) <= _MAX_TARGETS):
        section.wrong("targets", f"must be a list of 1 to {_MAX_TARGETS} models, the first choice first")
    for item, path in items:
        target = _target(reader, item, path)
        if target in targets:
            reader.problems.add(item.place, path, "this target is in the list already")
        elif target is not None:
            targets.append(target)
    return tuple(targets)


def _target(reader: Reader, item: Node, path: str) -> RouteTarget | None:
    if not isinstance(item, Mapping):
        return reader.value(item, path, _named)
    section = reader.section(item, path, TARGET_KEYS)
    provider = section.value("provider", fields.checked_name, required=True)
    model = section.value("model", fields.checked_model, required=True)
    return None if provider is None or model is None else RouteTarget(model, provider)


def _named(text: str) -> RouteTarget:
    name = line(text, "a target", least=1, most=_MAX_NAME)
    if name.startswith("/") or name.endswith("/"):
        raise ValueError('must be a model, or "provider/model"')
    return RouteTarget(name)


def _alias(text: str) -> str:
    return line(text, "alias", least=1, most=_MAX_NAME)
