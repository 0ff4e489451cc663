"""What the service is made of, put together by core/bootstrap.py and handed to who needs it."""

from dataclasses import dataclass, field

from core.access_tokens import AccessTokens
from core.auth import Authenticator
from core.clock import Clock
from core.ids import NewId
from core.ledger.budgets import Budgets
from core.ledger.limits import Limits
from core.metrics import Metrics
from core.passwords import Hasher
from core.routing.batches import Batches
from core.routing.catalog import Catalog
from core.routing.objects import Objects
from core.routing.responses import Responses
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
    access_tokens: AccessTokens
    cipher: Cipher
    hasher: Hasher
    catalog: Catalog
    limits: Limits
    pipeline: Pipeline
    responses: Responses
    objects: Objects
    batches: Batches
    metrics: Metrics = field(default_factory=Metrics)
    budgets: Budgets | None = None  # where no inference runs there are none
