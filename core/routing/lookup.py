"""Where a model can be called: the look-up tables behind core/routing/catalog.py, made anew with each change.

    "fast"            a route's alias          ─► its targets, in their order
    "gpt-4o"          a model                  ─► every enabled provider that has it
    "azure/gpt-4o"    a model at a provider    ─► that one

An alias wins over a model, and a model over the reading as provider/model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.providers.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a request may go."""

    upstream: Upstream
    model: str  # its name there


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """A model that a route leads to.

    Without a provider the model is read as "provider/model" where a provider is so called, be it
    enabled or not; else it is a model of whoever has it.
    """

    model: str
    provider: str = ""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.provider else self.model


@dataclass(frozen=True, slots=True)
class Route:
    """An alias for an ordered list of models, as the configuration declares it.

    It wins over a model of the same name, even while none of its targets can be called.
    """

    alias: str
    targets: tuple[RouteTarget, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A target of a route that leads nowhere now, or perhaps."""

    alias: str
    target: RouteTarget
    reason: str

    def __str__(self) -> str:
        return f"route '{self.alias}', target '{self.target}': {self.reason}"


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider and the models it has."""

    name: str
    upstream: Upstream | None  # None: it can't be called
    models: Mapping[str, None] = field(default_factory=dict[str, None])  # an ordered set; empty: nobody knows


class Lookup:
    """The tables. They never change: who looked something up has seen all of them in one state."""

    def __init__(self, offers: Iterable[Offer] = (), routes: Sequence[Route] = ()) -> None:
        """offers: where several have a model, the first is the first choice."""
        self._offers = {offer.name: offer for offer in offers}
        self._routes = routes
        self._plain = self._by_own_name()
        aliases = {route.alias: self._places(route) for route in routes}
        self._aliases = frozenset(aliases)
        self.models: Mapping[str, tuple[Candidate, ...]] = {
            name: places for name, places in (self._plain | aliases).items() if places
        }

    def candidates(self, model: str) -> tuple[Candidate, ...]:
        """Where a model can be called; () for nowhere."""
        found = self.models.get(model)
        if found is not None:
            return found
        name, slash, rest = model.partition("/")
        offer = self._offers.get(name) if slash else None
        if offer is None or offer.upstream is None or not rest or model in self._aliases:
            return ()
        if offer.models and rest not in offer.models:  # one that lists no models is believed to have it
            return ()
        return (Candidate(offer.upstream, rest),)

    def is_alias(self, model: str) -> bool:
        return model in self._aliases

    def doubts(self) -> Sequence[Doubt]:
        """What the routes' author should look at."""
        targets = [(route.alias, target) for route in self._routes for target in route.targets]
        return [Doubt(alias, target, why) for alias, target in targets if (why := self._why_doubtful(target))]

    def _by_own_name(self) -> dict[str, tuple[Candidate, ...]]:
        by_model: dict[str, list[Candidate]] = {}
        for offer in self._offers.values():
            if offer.upstream is not None:
                for name in offer.models:
                    by_model.setdefault(name, []).append(Candidate(offer.upstream, name))
        return {name: tuple(places) for name, places in by_model.items()}

    def _places(self, route: Route) -> tuple[Candidate, ...]:
        """The places of a route in its order, each once. A named provider is believed to have the model."""
        places: list[Candidate] = []
        for target in map(self._parted, route.targets):
            if not target.provider:
                places += self._plain.get(target.model, ())
            elif (offer := self._offers.get(target.provider)) is not None and offer.upstream is not None:
                places.append(Candidate(offer.upstream, target.model))
        return tuple(dict.fromkeys(places))

    def _parted(self, target: RouteTarget) -> RouteTarget:
        """The target with its provider named apart, where one is in it."""
        name, slash, rest = target.model.partition("/")
        return target if target.provider or not slash or name not in self._offers else RouteTarget(rest, name)

    def _why_doubtful(self, target: RouteTarget) -> str:
        target = self._parted(target)
        if not target.provider:
            return "" if target.model in self._plain else "no enabled provider has this model"
        offer = self._offers.get(target.provider)
        if offer is None:
            return "there is no such provider"
        if offer.upstream is None:
            return "the provider is disabled or can't be used"
        return "the provider does not list this model" if offer.models and target.model not in offer.models else ""
