"""What tokens cost.

    an override for this provider and model ─► else the package genai-prices ─► else no price is known

A price is looked up once per model and then kept for a quarter of an hour: the package takes a quarter
of a millisecond to find one, and some vendors' prices depend on the time of day. Models that people run
themselves, and `echo`, cost nothing.
"""

import fnmatch
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from core.clock import Clock
from core.dialects.tokens import Tokens
from core.money import cost_of, nanos_from_dollars
from core.providers.vendors import vendor_for

log = logging.getLogger(__name__)

_REMEMBERED = 10_000
_FREE = frozenset({("openai", "moderation")})  # of which the package only says that nothing has a price
_MILLIONS_IN_AN_HOUR = Decimal("3.6")  # of milliseconds
_PERIOD = 15 * 60  # seconds; every known change of a price is at the start of such a period


@dataclass(frozen=True, slots=True)
class Rate:
    """Nano-dollars per million tokens; by the size of the prompt, where the vendor has tiers."""

    base: int
    tiers: tuple[tuple[int, int], ...] = ()  # (for prompts of more than so many tokens, the rate), largest first

    def at(self, prompt_tokens: int) -> int:
        for start, rate in self.tiers:
            if prompt_tokens > start:
                return rate
        return self.base


@dataclass(frozen=True, slots=True)
class Price:
    """The rates of a model. A kind of token without a rate of its own costs what its family costs."""

    source: str  # where it comes from, for the record
    input: Rate
    output: Rate
    cached_input: Rate | None = None
    cache_write: Rate | None = None  # for five minutes
    audio_input: Rate | None = None
    audio_output: Rate | None = None
    cache_write_1h: Rate | None = None
    web_search: Rate | None = None  # for a million of them; None where they are not priced apart
    image_input: Rate | None = None
    image_output: Rate | None = None
    audio_ms: Rate | None = None  # for a million milliseconds of sound; None where its length is not what is billed
    characters: Rate | None = None  # for a million of them; likewise
    by_token: bool = True  # whether tokens are billed at all
    context_window: int | None = None  # the most tokens that a prompt can have, where that is known

    def cost(self, tokens: Tokens) -> int:
        """Nano-dollars of a request."""
        size = tokens.input
        special = tokens.cached_input + tokens.cache_write + tokens.audio_input + tokens.image_input
        plain_input = max(0, tokens.input - special)
        plain_output = max(0, tokens.output - tokens.audio_output - tokens.image_output)
        parts = [(plain_input, self.input.at(size)), (plain_output, self.output.at(size))]
        for count, rate, family in (
            (tokens.cached_input, self.cached_input, self.input),
            (tokens.cache_write - tokens.cache_write_1h, self.cache_write, self.input),
            (tokens.cache_write_1h, self.cache_write_1h or self.cache_write, self.input),
            (tokens.web_searches, self.web_search, FREE),
            (tokens.audio_input, self.audio_input, self.input),
            (tokens.audio_output, self.audio_output, self.output),
            (tokens.image_input, self.image_input, self.input),
            (tokens.image_output, self.image_output, self.output),
            (tokens.audio_ms, self.audio_ms, FREE),
            (tokens.characters, self.characters, FREE),
        ):
            if count:
                parts.append((count, (rate or family).at(size)))
        return cost_of(parts)

    def covers(self, tokens: Tokens) -> bool:
        """Whether what is known of a request is what its cost is made of."""
        used = tokens.input or tokens.output
        if tokens.partial:
            return self.is_free
        if used and self.by_token:
            return True
        if (self.audio_ms and tokens.audio_ms) or (self.characters and tokens.characters):
            return True
        return self.is_free or not (used or tokens.audio_ms or tokens.characters)

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        rates = (self.input, self.output, self.cache_write, self.audio_input, self.audio_output, self.web_search)
        more = (self.cached_input, self.cache_write_1h, self.image_input, self.image_output, self.audio_ms)
        return all(rate is None or rate == FREE for rate in (*rates, *more, self.characters))


FREE = Rate(0)


@dataclass(frozen=True, slots=True)
class Override:
    """A price that an administrator set. `provider` and `model` may hold the wildcards * and ?."""

    provider: str
    model: str
    price: Price
    since: date = date.min


class Prices:
    """All prices, as they are now."""

    def __init__(self, clock: Clock, overrides: Sequence[Override] = ()) -> None:
        self._clock = clock
        self._overrides: tuple[Override, ...] = tuple(overrides)
        self._stored: tuple[Override, ...] = ()
        self._known: dict[tuple[str, str, str], Price | None] = {}
        self._period = -1

    def set_overrides(self, overrides: Sequence[Override]) -> None:
        """Replaces the overrides; records already made keep their cost."""
        self._overrides = tuple(overrides)
        self._known.clear()

    def set_stored(self, overrides: Sequence[Override]) -> None:
        """Replaces the overrides of the database, which win over others of the same day."""
        self._stored = tuple(overrides)
        self._known.clear()

    def find(self, provider: str, provider_type: str, model: str) -> Price | None:
        """The price of a model at a provider, or None where no price is known."""
        key = (provider, provider_type, model)
        try:
            return self._known[key]
        except KeyError:
            pass
        price = (
            self._override(provider, model)
            or _built_in(provider_type)
            or _published(provider_type, model, self._clock.now())
        )
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = price
        return price

    def cost(self, provider: str, provider_type: str, model: str, tokens: Tokens) -> tuple[int | None, str]:
        """What a request cost and by which price; (None, "") where that is not known."""
        price = self.find(provider, provider_type, model)
        if price is None or not price.covers(tokens):
            return None, ""
        return price.cost(tokens), price.source

    def roll_over(self) -> None:
        """Forgets the looked-up prices when another quarter of an hour begins. Call it every few seconds."""
        period = int(self._clock.now().timestamp()) // _PERIOD
        if period != self._period:
            self._period = period
            self._known.clear()

    def _override(self, provider: str, model: str) -> Price | None:
        today = self._clock.now().date()
        best: Override | None = None
        for override in (*self._overrides, *self._stored):
            if (
                override.since <= today
                and _fits(provider, override.provider)
                and _fits(model, override.model)
                and (best is None or override.since >= best.since)
            ):
                best = override
        return best.price if best else None


def _fits(name: str, pattern: str) -> bool:
    """Whether a name is meant by a pattern; brackets, which models' names may have, stand for themselves."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _built_in(provider_type: str) -> Price | None:
    vendor = vendor_for(provider_type)
    if provider_type == "echo" or (vendor is not None and vendor.local):
        return Price(source="local", input=FREE, output=FREE)
    return None


def _published(provider_type: str, model: str, now: datetime) -> Price | None:
    """The price in the package genai-prices, which is imported at its first use: it is large."""
    vendor = vendor_for(provider_type)
    if vendor is None or vendor.prices_id is None:
        return None
    from genai_prices.data_snapshot import get_snapshot

    try:
        provider, found = get_snapshot().find_provider_model(model, None, vendor.prices_id, None)
    except LookupError:
        return None
    rates: Any = found.get_prices(now)
    length, characters = _rate(_listening(rates)), _rate(getattr(rates, "input_mchars", None))
    by_token = not (rates.input_mtok is None and rates.output_mtok is None)
    if not (by_token or length or characters or (provider.id, found.id) in _FREE):
        return None  # priced by the picture, the search or the like
    return Price(
        source=f"genai-prices {version('genai-prices')} {provider.id}/{found.id}",
        input=_rate(rates.input_mtok) or FREE,
        output=_rate(rates.output_mtok) or FREE,
        cached_input=_rate(rates.cache_read_mtok),
        cache_write=_rate(rates.cache_write_mtok),
        cache_write_1h=_rate(getattr(rates, "cache_write_1h_mtok", None)),
        web_search=_rate(getattr(rates, "web_searches_kcount", None), thousands=True),
        audio_input=_rate(rates.input_audio_mtok),
        audio_output=_rate(rates.output_audio_mtok),
        image_input=_rate(getattr(rates, "input_image_mtok", None)),
        image_output=_rate(getattr(rates, "output_image_mtok", None)),
        audio_ms=length,
        characters=characters,
        by_token=by_token,
        context_window=found.context_window,
    )


def _listening(rates: Any) -> Decimal | None:
    """The price of a million milliseconds of sound that is listened to; None where that is not what is billed."""
    hours = getattr(rates, "input_audio_hours", None) or getattr(rates, "audio_hours", None)
    return hours / _MILLIONS_IN_AN_HOUR if isinstance(hours, Decimal) else None


def _rate(price: Any, *, thousands: bool = False) -> Rate | None:
    """A rate per million of a price per million, or per thousand."""
    if price is None:
        return None
    if thousands:
        return Rate(nanos_from_dollars(price * 1000)) if isinstance(price, Decimal) else None
    if isinstance(price, Decimal):
        return Rate(nanos_from_dollars(price))
    tiers = sorted(((tier.start, nanos_from_dollars(tier.price)) for tier in price.tiers), reverse=True)
    return Rate(nanos_from_dollars(price.base), tuple(tiers))
