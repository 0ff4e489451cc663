"""The models that can be called now. (Interface; the body follows.)"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RuntimeModels:
    """What the last pull of a provider's models gave."""

    models: tuple[str, ...] = ()
    error: str = ""
    refreshed_at: datetime | None = None


class Catalog:
    """The models of all enabled providers, kept in memory."""

    def runtime(self, provider_id: int) -> RuntimeModels:
        """The pulled models of a provider; empty for one that is unknown or disabled."""
        ...

    async def provider_changed(self, provider_id: int) -> None:
        """Reads the provider's row anew and pulls its models. A provider that can't be reached raises nothing."""
        ...

    async def refresh(self, provider_id: int) -> None:
        """Pulls a provider's models. Raises RefreshFailed, NotFound."""
        ...
