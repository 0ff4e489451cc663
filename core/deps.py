"""What the service is made of, put together by core/bootstrap.py and handed to who needs it."""

from dataclasses import dataclass, field

from core.auth import Authenticator
from core.clock import Clock
from core.ids import NewId
from core.metrics import Metrics
from core.passwords import Hasher
from core.routing.catalog import Catalog
from core.routing.run import Pipeline
from core.secrets import Cipher
from core.settings import Settings
from core.store.database import Database


@dataclass(slots=True, kw_only=True)
class Deps:
    settings: Settings
    clock: Clock
    new_id: NewId
    database: Database
    authenticator: Authenticator
    cipher: Cipher
    hasher: Hasher
    catalog: Catalog
    pipeline: Pipeline
    metrics: Metrics = field(default_factory=Metrics)
