"""The section `prices` of a configuration file: US dollars per million tokens.

    - provider: openai          a name or a pattern with * and ?; every provider where it is absent
      model: gpt-4o*
      from: 2026-01-01          the day in UTC; always, where it is absent
      input: 2.50
      output: 10.00
      cached_input: 1.25        cache_write, audio_input and audio_output likewise; absent, a token of
                                that kind costs what any other of the input or output costs

Prices are read as the decimal numbers that are written: no float is on their way.
"""

import re
from datetime import date

from core.config.document import Node
from core.config.reader import Reader, Section
from core.inputs import line
from core.ledger.prices import Override, Price, Rate
from core.money import nanos_from_dollars

RATES = ("input", "output", "cached_input", "cache_write", "audio_input", "audio_output")
KEYS = ("provider", "model", "from", *RATES)

_MAX_PATTERN = 300
_MAX_SOURCE = 200  # what fits into a usage record
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DOLLARS = re.compile(r"([0-9]{1,7})(?:\.([0-9]{1,30}))?|\.([0-9]{1,30})")
_MAX_DOLLARS = 1_000_000


def read_prices(reader: Reader, node: Node | None) -> tuple[Override, ...]:
    """The prices in the order of the file; what can't be read is left out, and noted."""
    found: list[Override] = []
    told: dict[tuple[str, str, date], int] = {}  # where each is
    for item, path in reader.sequence(node, "prices"):
        section = reader.section(item, path, KEYS)
        override = _override(section)
        if override is None:
            continue
        about = (override.provider, override.model, override.since)
        if about in told:
            section.wrong("model", f"line {told[about]} has a price for the same models from the same day already")
        told.setdefault(about, section.place.line)
        found.append(override)
    return tuple(found)


def _override(section: Section) -> Override | None:
    provider = section.value("provider", _pattern) if section.has("provider") else "*"
    model = section.value("model", _pattern, required=True)
    since = section.value("from", _day) or date.min
    rates = {key: section.value(key, _rate, required=key in ("input", "output")) for key in RATES}
    given, made = rates["input"], rates["output"]
    if provider is None or model is None or given is None or made is None:
        return None
    source = f"config {provider}/{model}" + ("" if since == date.min else f" from {since}")
    price = Price(
        source=source[:_MAX_SOURCE],
        input=given,
        output=made,
        cached_input=rates["cached_input"],
        cache_write=rates["cache_write"],
        audio_input=rates["audio_input"],
        audio_output=rates["audio_output"],
    )
    return Override(provider, model, price, since)


def _pattern(text: str) -> str:
    return line(text, "a name or pattern", least=1, most=_MAX_PATTERN)


def _day(text: str) -> date:
    if not _DAY.fullmatch(text.strip()):
        raise ValueError("must be a day such as 2026-01-31")
    return date.fromisoformat(text.strip())


def _rate(text: str) -> Rate:
    match = _DOLLARS.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be dollars per million tokens, such as 2.50")
    if len((match[2] or match[3] or "").rstrip("0")) > 9:
        raise ValueError("must have at most 9 digits after the point")
    nanos = nanos_from_dollars(text.strip())
    if nanos > nanos_from_dollars(_MAX_DOLLARS):
        raise ValueError(f"must be at most {_MAX_DOLLARS} dollars per million tokens")
    return Rate(nanos)
