"""The section `providers` of a configuration file.

- name: openai
  type: openai
  base_url: https://…             where it is not the vendor's own
  api_key: ${OPENAI_API_KEY}      or api_key_env: OPENAI_API_KEY
  enabled: true
  timeouts: {connect: 5s, first_byte: 2m, idle: 90s}
  models: [a-model-its-list-leaves-out]
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from core.config.document import Node
from core.config.reader import Reader, Section
from core.errors import InvalidArgument
from core.providers import fields

KEYS = ("name", "type", "base_url", "api_key", "api_key_env", "enabled", "timeouts", "models")
TIMEOUT_KEYS = ("connect", "first_byte", "idle")

_MAX_MODELS = 1000
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|)")
_MILLISECONDS = {"ms": 1, "s": 1000, "": 1000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredProvider:
    """A provider, as the file has it. Times to wait are in milliseconds, 0 for the default."""

    name: str
    type: str
    base_url: str
    api_key: str = field(default="", repr=False)  # "" for none
    enabled: bool = True
    connect_ms: int = 0
    first_byte_ms: int = 0
    idle_ms: int = 0
    models: tuple[str, ...] = ()  # in addition to those it lists itself


def read_providers(reader: Reader, node: Node | None) -> tuple[DeclaredProvider, ...]:
    """The providers in the order of the file; what can't be read is left out, and noted."""
    found: list[DeclaredProvider] = []
    names: dict[str, int] = {}  # where each is
    for item, path in reader.sequence(node, "providers"):
        section = reader.section(item, path, KEYS)
        name = section.value("name", fields.checked_name, required=True)
        if name in names:
            section.wrong("name", f"there is a provider of this name on line {names[name]} already")
        elif name is not None:
            names[name] = section.place.line
        provider = _provider(reader, section, name)
        if provider is not None:
            found.append(provider)
    return tuple(found)


def _provider(reader: Reader, section: Section, name: str | None) -> DeclaredProvider | None:
    kind = section.value("type", fields.checked_type, required=True)
    base_url = None if kind is None else _base_url(section, kind)
    api_key = _api_key(reader, section)
    enabled = section.flag("enabled", default=True)
    timeouts = section.section("timeouts", TIMEOUT_KEYS)
    connect, first_byte, idle = (timeouts.value(key, _milliseconds) or 0 for key in TIMEOUT_KEYS)
    models = _models(reader, section)
    if name is None or kind is None or base_url is None:
        return None
    return DeclaredProvider(
        name=name,
        type=kind,
        base_url=base_url,
        api_key=api_key,
        enabled=enabled,
        connect_ms=connect,
        first_byte_ms=first_byte,
        idle_ms=idle,
        models=models,
    )


def _base_url(section: Section, kind: str) -> str | None:
    def check(text: str) -> str:
        return fields.checked_base_url(kind, text)

    if section.has("base_url"):
        return section.value("base_url", check)
    try:
        return check("")
    except InvalidArgument as error:
        section.wrong("base_url", str(error))
        return None


def _api_key(reader: Reader, section: Section) -> str:
    if section.has("api_key") and section.has("api_key_env"):
        section.wrong("api_key_env", "api_key says what the key is already; one of the two is enough")
    key = section.value("api_key", fields.checked_key)
    named = section.value("api_key_env", lambda name: fields.checked_key(reader.variable(name.strip())))
    return key or named or ""


def _models(reader: Reader, section: Section) -> tuple[str, ...]:
    names: list[str] = []
    for item, path in section.sequence("models"):
        name = reader.value(item, path, fields.checked_model)
        if name in names:
            reader.problems.add(item.place, path, "this model is in the list already")
        elif name is not None:
            names.append(name)
    if len(names) > _MAX_MODELS:
        section.wrong("models", f"there may be at most {_MAX_MODELS}")
    return tuple(names)


def _milliseconds(text: str) -> int:
    """Milliseconds of a time to wait: "500ms", "30s", "2m", "1h", or seconds without a unit."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be a time such as 500ms, 30s or 2m")
    milliseconds = int(Decimal(match[1]) * _MILLISECONDS[match[2]])
    if milliseconds < 1:
        raise ValueError("must be 1ms or more")
    return fields.checked_wait(milliseconds, "timeouts")
