"""Which places a model's name leads to."""

from collections.abc import Sequence

from core.routing.lookup import Lookup, Offer, Route, RouteTarget
from core.store.providers import ProviderRow
from tests.support.clock import FakeClock
from tests.support.upstreams import FakeUpstream, Shelf

NOW = FakeClock().now()


def offer(name: str, *models: str, enabled: bool = True) -> Offer:
    row = ProviderRow(0, name, "openai", "http://x", None, enabled, "api", 0, 0, 0, NOW, NOW)
    return Offer(name, FakeUpstream(row, Shelf()) if enabled else None, dict.fromkeys(models))


def route(alias: str, *targets: str | tuple[str, str]) -> Route:
    """targets: as a text, or as (provider, model)."""
    return Route(alias, tuple(RouteTarget(t) if isinstance(t, str) else RouteTarget(t[1], t[0]) for t in targets))


def places(lookup: Lookup, model: str) -> list[str]:
    """Where a model leads, as provider:model."""
    return [f"{place.upstream.target.name}:{place.model}" for place in lookup.candidates(model)]


def doubts(offers: Sequence[Offer], *targets: str | tuple[str, str]) -> list[str]:
    return [doubt.reason for doubt in Lookup(offers, [route("r", *targets)]).doubts()]


def test_a_model_leads_to_everyone_who_has_it_in_order() -> None:
    lookup = Lookup([offer("a", "m", "n"), offer("b", "m"), offer("c", "n")])
    assert places(lookup, "m") == ["a:m", "b:m"]
    assert places(lookup, "n") == ["a:n", "c:n"]
    assert places(lookup, "M") == places(lookup, "") == places(lookup, "absent") == []


def test_a_provider_can_be_named_before_a_slash() -> None:
    lookup = Lookup([offer("a", "m", "x/y"), offer("b", "m")])
    assert places(lookup, "b/m") == ["b:m"]
    assert places(lookup, "a/x/y") == ["a:x/y"]
    assert (
        places(lookup, "b/absent") == places(lookup, "nobody/m") == places(lookup, "a/") == places(lookup, "/m") == []
    )


def test_a_models_name_may_have_slashes() -> None:
    lookup = Lookup([offer("openrouter", "openai/gpt-4o", "meta/llama:free")])
    assert places(lookup, "openai/gpt-4o") == ["openrouter:openai/gpt-4o"]
    assert places(lookup, "openrouter/meta/llama:free") == ["openrouter:meta/llama:free"]


def test_a_whole_name_wins_over_its_reading_as_provider_and_model() -> None:
    lookup = Lookup([offer("openai", "gpt-4o"), offer("openrouter", "openai/gpt-4o")])
    assert places(lookup, "openai/gpt-4o") == ["openrouter:openai/gpt-4o"]


def test_a_provider_that_lists_nothing_is_believed_to_have_what_is_asked_of_it_by_name() -> None:
    lookup = Lookup([offer("quiet")])
    assert places(lookup, "quiet/anything") == ["quiet:anything"]
    assert places(lookup, "anything") == []


def test_a_disabled_provider_is_nowhere() -> None:
    lookup = Lookup([offer("a", "m", enabled=False), offer("b", "m")], [route("r", "a/m", ("a", "m"), "m")])
    assert places(lookup, "m") == ["b:m"]
    assert places(lookup, "a/m") == []
    assert places(lookup, "r") == ["b:m"]
    assert places(Lookup([offer("a", "m", enabled=False)]), "m") == []


def test_a_route_keeps_its_order_and_names_each_place_once() -> None:
    offers = [offer("a", "m", "n"), offer("b", "m"), offer("c", "m")]
    lookup = Lookup(offers, [route("r", "c/m", ("a", "n"), "m", "n", "absent")])
    assert places(lookup, "r") == ["c:m", "a:n", "a:m", "b:m"]
    assert lookup.is_alias("r")
    assert not lookup.is_alias("m")
    assert set(lookup.models) == {"m", "n", "r"}


def test_a_target_names_a_provider_first_and_a_model_with_a_slash_else() -> None:
    offers = [offer("openai", "gpt-4o"), offer("openrouter", "openai/gpt-4o", "meta/llama")]
    lookup = Lookup(offers, [route("r", "openai/gpt-4o", "meta/llama", ("openrouter", "openai/gpt-4o"))])
    assert places(lookup, "r") == ["openai:gpt-4o", "openrouter:meta/llama", "openrouter:openai/gpt-4o"]


def test_a_target_at_a_disabled_provider_does_not_go_elsewhere() -> None:
    offers = [offer("openai", "gpt-4o", enabled=False), offer("openrouter", "openai/gpt-4o")]
    assert places(Lookup(offers, [route("r", "openai/gpt-4o")]), "r") == []


def test_a_route_believes_a_named_provider_to_have_the_model() -> None:
    assert places(Lookup([offer("a", "m")], [route("r", "a/unlisted")]), "r") == ["a:unlisted"]


def test_a_route_wins_over_a_model_of_its_name_and_may_lead_to_it() -> None:
    offers = [offer("a", "gpt-4o"), offer("b", "gpt-4o", "mine")]
    assert places(Lookup(offers, [route("gpt-4o", "b/mine", "gpt-4o")]), "gpt-4o") == ["b:mine", "a:gpt-4o", "b:gpt-4o"]


def test_a_route_that_leads_nowhere_does_not_give_way_to_what_it_stands_for() -> None:
    offers = [offer("a", "gpt-4o"), offer("b", enabled=False)]
    lookup = Lookup(offers, [route("gpt-4o", "b/gpt-4o"), route("a/gpt-4o", "b/gpt-4o")])
    assert places(lookup, "gpt-4o") == places(lookup, "a/gpt-4o") == []
    assert "gpt-4o" not in lookup.models


def test_routes_do_not_lead_to_routes() -> None:
    assert places(Lookup([offer("a", "m")], [route("one", "m"), route("two", "one")]), "two") == []


def test_doubts_tell_what_leads_nowhere() -> None:
    offers = [offer("a", "m"), offer("off", "m", enabled=False), offer("quiet")]
    assert doubts(offers, "m", "a/m", ("a", "m"), "quiet/x", ("quiet", "x")) == []
    assert doubts(offers, "absent", "nobody/m") == ["no enabled provider has this model"] * 2
    assert doubts(offers, ("nobody", "m")) == ["there is no such provider"]
    assert doubts(offers, "off/m") == ["the provider is disabled or can't be used"]
    assert doubts(offers, "a/x") == ["the provider does not list this model"]
    (doubt,) = Lookup(offers, [route("fast", ("a", "x/y"))]).doubts()
    assert str(doubt) == "route 'fast', target 'a/x/y': the provider does not list this model"
