"""Providers that are not there: they tell which models they have, and answer nothing else."""

from core.dialects.table import DIALECTS
from core.errors import ProviderError, RefreshFailed
from core.providers.objects import ProviderObjects
from core.providers.upstream import Reply, Target
from core.providers.wire import Headers
from core.store.providers import ProviderRow


class FakeUpstream:
    """A provider whose models a test decides."""

    asks_usage = False
    operations = frozenset(DIALECTS)
    translates_to = ""

    def __init__(self, row: ProviderRow, shelf: "Shelf") -> None:
        self.target = Target(
            id=row.id,
            name=row.name,
            type=row.type,
            base_url=row.base_url,
            api_key="",
            connect_timeout=1.0,
            first_byte_timeout=1.0,
            idle_timeout=1.0,
        )
        self._shelf = shelf

    @property
    def objects(self) -> ProviderObjects | None:
        return self._shelf.objects

    async def send(
        self, operation: str, body: bytes, headers: Headers = (), *, model: str = "", streamed: bool = False
    ) -> Reply:
        raise ProviderError

    async def models(self) -> list[str]:
        self._shelf.pulls.append(self.target.name)
        try:
            return self._shelf.models[self.target.name]
        except KeyError:
            raise RefreshFailed("nobody answers there") from None


class Shelf:
    """The models of every fake provider, by the provider's name; of one that is not named, nobody answers."""

    def __init__(self) -> None:
        self.models: dict[str, list[str]] = {}
        self.objects: ProviderObjects | None = None  # of all
        self.pulls: list[str] = []  # the providers that were asked, in order

    def make(self, row: ProviderRow) -> FakeUpstream:
        """For core.routing.catalog.Catalog."""
        return FakeUpstream(row, self)
