"""What tokens cost: by the overrides, by the published prices, and what nobody knows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.tokens import NO_TOKENS, Tokens
from core.ledger.prices import FREE, Override, Price, Prices, Rate
from core.money import TOKENS_PER_PRICE
from tests.support.clock import FakeClock

DOLLAR = 1_000_000_000  # nano-dollars


def flat(input_: int, output: int = 0, source: str = "test") -> Price:
    return Price(source, Rate(input_), Rate(output))


def prices(*overrides: Override, clock: FakeClock | None = None) -> Prices:
    return Prices(clock or FakeClock(), overrides)


def source(found: Prices, provider: str = "main", model: str = "m", kind: str = "openai-compatible") -> str:
    price = found.find(provider, kind, model)
    return price.source if price else ""


# Overrides


@pytest.mark.parametrize(
    ("provider", "model", "fits"),
    [
        ("main", "m", True),
        ("*", "*", True),
        ("ma*", "m?", False),
        ("mai?", "?", True),
        ("Main", "m", False),
        ("main", "M", False),
        ("other", "m", False),
        ("*n", "*", True),
        ("m", "m", False),
    ],
)
def test_an_override_fits_by_its_patterns(provider: str, model: str, fits: bool) -> None:
    assert bool(source(prices(Override(provider, model, flat(1))))) == fits


def test_a_star_covers_slashes_and_a_bracket_is_itself() -> None:
    found = prices(Override("*", "claude[1m]", flat(1, source="brackets")), Override("*", "org/*", flat(1)))
    assert source(found, model="claude[1m]") == "brackets"
    assert source(found, model="claude1") == ""
    assert source(found, model="org/a/b:free") == "test"


def test_an_override_counts_from_its_day_on_and_the_latest_wins() -> None:
    clock = FakeClock(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))
    found = prices(
        Override("*", "m", flat(3, source="february"), date(2026, 2, 1)),
        Override("*", "m", flat(1, source="always")),
        Override("*", "m", flat(2, source="january"), date(2026, 1, 1)),
        clock=clock,
    )
    assert source(found) == "january"
    clock.advance(1)
    found.roll_over()
    assert source(found) == "february"


def test_of_the_same_day_the_last_wins() -> None:
    assert source(prices(Override("*", "*", flat(1, source="a")), Override("*", "m", flat(1, source="b")))) == "b"
    assert source(prices(Override("*", "m", flat(1, source="b")), Override("*", "*", flat(1, source="a")))) == "a"


def test_an_override_wins_over_what_is_published_and_over_what_costs_nothing() -> None:
    found = prices(Override("main", "*", flat(7)))
    assert source(found, kind="openai", model="gpt-4o") == "test"
    assert source(found, kind="vllm") == "test"
    assert source(found, kind="echo") == "test"
    assert source(found, provider="other", kind="vllm") == "local"


def test_new_overrides_count_at_once() -> None:
    found = prices(Override("*", "m", flat(1, source="before")))
    assert source(found) == "before"
    found.set_overrides([Override("*", "m", flat(2, source="after"))])
    assert source(found) == "after"
    found.set_overrides([])
    assert source(found) == ""


def test_an_override_may_make_a_model_free() -> None:
    found = prices(Override("*", "*", Price("gift", FREE, FREE)))
    assert found.cost("main", "openai", "gpt-4o", Tokens(input=10**6)) == (0, "gift")


# Published prices


def test_a_published_price_is_found_by_the_vendors_own_names() -> None:
    found = prices()
    price = found.find("main", "openai", "gpt-4o-mini-2024-07-18")
    assert price is not None
    assert (price.input, price.output) == (Rate(150_000_000), Rate(600_000_000))
    assert price.cached_input == Rate(75_000_000)
    assert price.source.startswith("genai-prices ")
    assert price.source.endswith(" openai/gpt-4o-mini")
    assert len(price.source) <= 200
    assert source(found, kind="openrouter", model="openai/gpt-4o").endswith(" openrouter/openai/gpt-4o")


@pytest.mark.parametrize(
    ("kind", "model"),
    [("openai", "never-heard-of"), ("openai-compatible", "gpt-4o"), ("nobody", "gpt-4o"), ("openai", "dall-e-3")],
)
def test_a_price_that_nobody_knows_is_none_and_not_nothing(kind: str, model: str) -> None:
    found = prices()
    assert found.find("main", kind, model) is None
    assert found.cost("main", kind, model, Tokens(input=5, output=5)) == (None, "")


@pytest.mark.parametrize("kind", ["echo", "ollama", "vllm", "llamacpp", "lmstudio"])
def test_what_people_run_themselves_costs_nothing(kind: str) -> None:
    assert prices().cost("main", kind, "anything", Tokens(input=10**9, output=10**9)) == (0, "local")


USAGES = [
    Tokens(input=1000, output=1000),
    Tokens(input=1),
    Tokens(input=10_007, output=331, cached_input=9_001),
    Tokens(input=200_000, output=10),
    Tokens(input=200_001, output=10, cached_input=100_000),
    Tokens(input=900_000, output=65_000),
]


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4.1-nano"),
        ("openai", "text-embedding-3-small"),
        ("anthropic", "claude-sonnet-4-5"),
        ("google", "gemini-2.5-pro"),
        ("groq", "llama-3.3-70b-versatile"),
        ("mistral", "mistral-large-latest"),
        ("deepseek", "deepseek-chat"),
    ],
)
def test_the_cost_is_what_the_package_computes_rounded_once(kind: str, model: str) -> None:
    clock = FakeClock(datetime.now(UTC))
    found = prices(clock=clock)
    for tokens in USAGES:
        expected = genai_prices.calc_price(
            genai_prices.Usage(
                input_tokens=tokens.input, output_tokens=tokens.output, cache_read_tokens=tokens.cached_input
            ),
            model,
            provider_id=kind,
            genai_request_timestamp=clock.now(),
        ).total_price
        cost, _ = found.cost("main", kind, model, tokens)
        assert cost is not None
        assert abs(Decimal(cost) - expected * DOLLAR) <= Decimal("0.5"), tokens


# Rates


def test_a_tier_applies_to_the_whole_of_a_longer_prompt() -> None:
    price = Price("tiers", Rate(DOLLAR, ((500_000, 3 * DOLLAR), (200_000, 2 * DOLLAR))), Rate(DOLLAR, ((200_000, 0),)))
    assert price.cost(Tokens(input=200_000, output=1000)) == 200_000 * 1000 + 1000 * 1000
    assert price.cost(Tokens(input=200_001, output=1000)) == 200_001 * 2000
    assert price.cost(Tokens(input=500_001, output=1000)) == 500_001 * 3000


def test_each_kind_of_token_has_its_rate_or_its_familys() -> None:
    tokens = Tokens(input=100, output=50, cached_input=30, cache_write=20, audio_input=10, audio_output=5, reasoning=40)
    mega = 1_000_000 * 1_000_000  # so that a token costs a million nano-dollars times the factor
    plain = Price("plain", Rate(mega), Rate(2 * mega))
    assert plain.cost(tokens) == (100 + 2 * 50) * 1_000_000
    own = Price(
        "own",
        input=Rate(mega),
        output=Rate(2 * mega),
        cached_input=Rate(3 * mega),
        cache_write=Rate(4 * mega),
        audio_input=Rate(5 * mega),
        audio_output=Rate(6 * mega),
    )
    assert own.cost(tokens) == (40 + 2 * 45 + 3 * 30 + 4 * 20 + 5 * 10 + 6 * 5) * 1_000_000


def test_a_free_kind_of_token_is_free() -> None:
    price = Price("free cache", Rate(DOLLAR), Rate(DOLLAR), cached_input=FREE)
    assert price.cost(Tokens(input=1_000_000, cached_input=1_000_000)) == 0


# Times


def test_prices_are_looked_up_anew_in_each_quarter_of_an_hour_and_not_before() -> None:
    clock = FakeClock(datetime(2026, 1, 1, 12, 0, tzinfo=UTC))
    found = prices(clock=clock)
    found.roll_over()
    first = found.find("main", "openai", "gpt-4o")
    clock.advance(15 * 60 - 1)
    found.roll_over()
    assert found.find("main", "openai", "gpt-4o") is first
    clock.advance(1)
    found.roll_over()
    again = found.find("main", "openai", "gpt-4o")
    assert again is not first
    assert again == first


def test_a_published_price_counts_from_its_day_on() -> None:
    """OpenAI lowered the price of o3 on 2025-06-10; the package has both."""
    clock = FakeClock(datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC))
    found = prices(clock=clock)
    found.roll_over()
    assert found.cost("main", "openai", "o3", Tokens(input=1_000_000))[0] == 10 * DOLLAR
    clock.advance(1)
    found.roll_over()
    assert found.cost("main", "openai", "o3", Tokens(input=1_000_000))[0] == 2 * DOLLAR


def test_a_price_that_depends_on_the_time_of_day_follows_it() -> None:
    """DeepSeek's chat model has one price from 00:30 to 16:30 UTC and half of it for the rest of the day."""
    clock = FakeClock(datetime(2025, 6, 1, 0, 29, 59, tzinfo=UTC))
    found = prices(clock=clock)
    costs: list[int | None] = []
    for seconds in (0, 1, 16 * 3600 - 1, 1):
        clock.advance(seconds)
        found.roll_over()
        costs.append(found.cost("main", "deepseek", "deepseek-chat", Tokens(input=1_000_000))[0])
    assert costs == [135_000_000, 270_000_000, 270_000_000, 135_000_000]


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.ledger.prices._REMEMBERED", 10)
    found = prices(Override("*", "*", flat(1)))
    for number in range(100):
        assert source(found, model=f"m{number}") == "test"
        assert len(found._known) <= 10  # pyright: ignore[reportPrivateUsage] - there is no other way to see it


# What always holds

_rates = st.builds(
    Rate,
    st.integers(0, 10**15),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**15)), max_size=3).map(
        lambda tiers: tuple(sorted(tiers, reverse=True))
    ),
)
_flat_rates = st.builds(Rate, st.integers(0, 10**15))


def _price_of(rates: st.SearchStrategy[Rate]) -> st.SearchStrategy[Price]:
    maybe = st.none() | rates
    return st.builds(Price, st.just("any"), rates, rates, maybe, maybe, maybe, maybe)


@st.composite
def _tokens(draw: st.DrawFn) -> Tokens:
    """Tokens as providers report them: the parts are within the whole."""
    parts = [draw(st.integers(0, 10**7)) for _ in range(4)]
    audio_output = draw(st.integers(0, 10**6))
    return Tokens(
        input=sum(parts),
        output=audio_output + draw(st.integers(0, 10**7)),
        cached_input=parts[0],
        cache_write=parts[1],
        audio_input=parts[2],
        audio_output=audio_output,
    )


@given(_price_of(_rates), _tokens())
def test_a_cost_is_a_whole_number_never_negative_and_nothing_for_nothing(price: Price, tokens: Tokens) -> None:
    cost = price.cost(tokens)
    assert type(cost) is int
    assert cost >= 0
    assert price.cost(NO_TOKENS) == 0


def _sum(a: Tokens, b: Tokens) -> Tokens:
    return Tokens(
        input=a.input + b.input,
        output=a.output + b.output,
        cached_input=a.cached_input + b.cached_input,
        cache_write=a.cache_write + b.cache_write,
        audio_input=a.audio_input + b.audio_input,
        audio_output=a.audio_output + b.audio_output,
    )


@given(_price_of(_flat_rates), _tokens(), _tokens())
def test_two_requests_together_cost_what_each_costs_but_for_one_rounding(price: Price, a: Tokens, b: Tokens) -> None:
    assert abs(price.cost(_sum(a, b)) - price.cost(a) - price.cost(b)) <= 1


@given(_price_of(_flat_rates), _tokens())
def test_a_million_requests_cost_exactly_a_million_times_one_unrounded(price: Price, tokens: Tokens) -> None:
    million = Tokens(
        input=tokens.input * TOKENS_PER_PRICE,
        output=tokens.output * TOKENS_PER_PRICE,
        cached_input=tokens.cached_input * TOKENS_PER_PRICE,
        cache_write=tokens.cache_write * TOKENS_PER_PRICE,
        audio_input=tokens.audio_input * TOKENS_PER_PRICE,
        audio_output=tokens.audio_output * TOKENS_PER_PRICE,
    )
    exact = price.cost(million)  # nothing is left to round
    assert price.cost(tokens) == (exact + TOKENS_PER_PRICE // 2) // TOKENS_PER_PRICE


@given(_price_of(_flat_rates), _tokens(), st.integers(0, 10**6))
def test_more_tokens_never_cost_less(price: Price, tokens: Tokens, more: int) -> None:
    assert price.cost(_sum(tokens, Tokens(input=more, output=more))) >= price.cost(tokens)


# What is not paid by the token


@pytest.mark.parametrize(
    ("model", "tokens", "cost"),
    [
        ("whisper-1", Tokens(audio_ms=3_600_000), 360_000_000),  # $0.36 an hour
        ("whisper-1", Tokens(audio_ms=1), 100),
        ("whisper-1", NO_TOKENS, 0),
        ("whisper-1", Tokens(partial=True), None),
        ("whisper-1", Tokens(input=10, output=10), None),  # paid by the hour, and nobody says how long it was
        ("tts-1", Tokens(characters=1_000_000), 15 * DOLLAR),
        ("tts-1", Tokens(input=5), None),
        ("gpt-4o-mini-tts", Tokens(characters=9), None),  # paid by tokens of which nobody knows the number
        ("gpt-image-1", Tokens(input=50, image_input=40, output=100, image_output=100), 4_450_000),
        ("gpt-image-1", Tokens(input=50, output=100, partial=True), None),
        ("omni-moderation-latest", Tokens(input=500), 0),
        ("dall-e-3", NO_TOKENS, None),
    ],
)
def test_each_unit_has_its_price(model: str, tokens: Tokens, cost: int | None) -> None:
    assert prices().cost("main", "openai", model, tokens)[0] == cost


def test_what_is_free_is_free_whatever_is_not_known() -> None:
    assert prices().cost("main", "vllm", "m", Tokens(partial=True)) == (0, "local")
    overridden = prices(Override("*", "*", flat(1)))
    assert overridden.cost("main", "openai", "m", Tokens(partial=True)) == (None, "")
    assert overridden.cost("main", "openai", "m", Tokens(audio_ms=5)) == (None, "")


def test_a_price_is_free_only_where_all_of_it_is() -> None:
    assert flat(0).is_free
    assert not flat(0, 1).is_free
    assert not Price("t", FREE, FREE, characters=Rate(1), by_token=False).is_free
    assert not Price("t", FREE, FREE, audio_ms=Rate(1), by_token=False).is_free
    assert not Price("t", FREE, FREE, image_output=Rate(1)).is_free
