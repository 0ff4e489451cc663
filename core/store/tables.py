"""The tables, for all surfaces. migrations/versions/ makes them; a test compares the two.

users ─┬─ credentials      sessions, API keys, tokens and virtual keys: one table, one way to authenticate
       │    └─ virtual_keys     what a virtual key has beyond other credentials
       ├─ conversations ── messages
       ├─ goals, personas
       ├─ stored_responses ── stored_items
       ├─ provider_objects      files and batches that lie at providers
       └┄ usage_records    (no foreign key: accounts outlive whom they speak of)
providers ── model_entries, model_lists
budgets ┄ balances ┄ leases, ledger_entries, budget_events    (no foreign keys, for the same reason)
reservations               money that is held for work outside of the router
webhooks ── webhook_deliveries
price_overrides
limits                     how much may be asked for in a minute, in a day, and at once
usage_hourly, usage_daily, usage_monthly, usage_prompts, usage_repeats, usage_waste, usage_days
                           sums over usage_records (core/store/rollups.py, core/store/repeats.py)
usage_marks                how far the sums go, and from when on there are records
journals                   how far each usage journal has been shipped
changes                    what the processes must look at again

Times are microseconds since 1970 in UTC, money is nano-dollars: both integers, the same in both databases.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import from_micros, micros

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware time, kept as an integer: SQLite knows no time zones, and integers compare fast."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return micros(value) if isinstance(value, datetime) else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else from_micros(value)


# SQLite numbers rows by itself only where the key is called INTEGER.
_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", _Number, primary_key=True, autoincrement=True)


def _times() -> tuple[sa.Column[datetime], sa.Column[datetime]]:
    return sa.Column("created_at", Instant, nullable=False), sa.Column("updated_at", Instant, nullable=False)


def _owner() -> sa.Column[int]:
    return sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)


users = sa.Table(
    "users",
    metadata,
    _id(),
    sa.Column("email", sa.String(320), nullable=False, unique=True),  # in lower case
    sa.Column("username", sa.String(320), nullable=False, unique=True),
    sa.Column("full_name", sa.String(200), nullable=False, server_default=""),
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),  # "user" or "admin"
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("must_change_password", sa.Boolean, nullable=False, server_default=sa.false()),
    *_times(),
    sqlite_autoincrement=True,  # a number is never given twice: usage records keep them for ever
)

credentials = sa.Table(
    "credentials",
    metadata,
    _id(),
    sa.Column("kind", sa.String(16), nullable=False),  # "session", "api_key", "token" or "virtual_key"
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),  # SHA-256 of the secret
    sa.Column("prefix", sa.String(32), nullable=False),
    _owner(),
    sa.Column("name", sa.String(200), nullable=False, server_default=""),
    sa.Column("scopes", sa.String(200), nullable=False),  # separated by spaces
    *_times(),
    sa.Column("expires_at", Instant),
    sqlite_autoincrement=True,
)

virtual_keys = sa.Table(
    "virtual_keys",
    metadata,
    sa.Column[int]("credential_id", sa.ForeignKey("credentials.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("cost_centre", sa.String(200), nullable=False, server_default=""),
    sa.Column("environment", sa.String(200), nullable=False, server_default=""),
    sa.Column("agent_name", sa.String(200), nullable=False, server_default=""),
    sa.Column("project_name", sa.String(200), nullable=False, server_default=""),
    sa.Column("max_output_tokens", sa.BigInteger, nullable=False, server_default="0"),  # of a request; 0: no cap
    sa.Column("max_reasoning_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("allow_unpriced", sa.Boolean, nullable=False, server_default=sa.false()),  # under a cap
    sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("revoked_at", Instant),  # for good
)

providers = sa.Table(
    "providers",
    metadata,
    _id(),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("type", sa.String(50), nullable=False),
    sa.Column("base_url", sa.String(2000), nullable=False),
    sa.Column("api_key", sa.LargeBinary),  # encrypted; core/secrets.py
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("source", sa.String(16), nullable=False),  # "api", "environment", "config" or "builtin"
    sa.Column("connect_ms", sa.Integer, nullable=False, server_default="0"),  # 0: the default
    sa.Column("first_byte_ms", sa.Integer, nullable=False, server_default="0"),
    sa.Column("idle_ms", sa.Integer, nullable=False, server_default="0"),
    *_times(),
    sqlite_autoincrement=True,
)

model_entries = sa.Table(
    "model_entries",
    metadata,
    _id(),
    sa.Column[int]("provider_id", sa.ForeignKey("providers.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(300), nullable=False),
    *_times(),
    sa.UniqueConstraint("provider_id", "name"),
)

model_lists = sa.Table(
    "model_lists",
    metadata,
    sa.Column[int]("provider_id", sa.ForeignKey("providers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("base_url", sa.String(2000), nullable=False),  # where they were pulled from
    sa.Column("models", sa.Text, nullable=False),  # a JSON array of names
    sa.Column("pulled_at", Instant, nullable=False),
)

usage_records = sa.Table(
    "usage_records",
    metadata,
    _id(),
    sa.Column("request_id", sa.String(100), nullable=False, unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("user_id", sa.BigInteger, nullable=False),  # 0: nobody was recognised
    sa.Column("credential_id", sa.BigInteger, nullable=False),
    sa.Column("surface", sa.String(32), nullable=False),
    sa.Column("operation", sa.String(32), nullable=False),
    sa.Column("requested_model", sa.String(300), nullable=False),
    sa.Column("provider", sa.String(100), nullable=False),
    sa.Column("model", sa.String(300), nullable=False),
    sa.Column("status_code", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),  # core/ledger/record.py
    sa.Column("error_reason", sa.String(50), nullable=False),
    sa.Column("streamed", sa.Boolean, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("latency_us", sa.BigInteger, nullable=False),
    sa.Column("ttft_us", sa.BigInteger),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
    sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
    sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
    sa.Column("audio_input_tokens", sa.BigInteger, nullable=False),
    sa.Column("audio_output_tokens", sa.BigInteger, nullable=False),
    sa.Column("token_source", sa.String(16), nullable=False),  # "provider", "counted", "estimated" or ""
    sa.Column("cost_nanousd", sa.BigInteger),  # absent: no price is known
    sa.Column("price_source", sa.String(200), nullable=False),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("prompt_hash", sa.String(64), nullable=False),
    sa.Column("project", sa.String(200), nullable=False, server_default=""),  # the virtual key's, at that time
    sa.Index("ix_usage_records_user_id_created_at", "user_id", "created_at"),
    sa.Index("ix_usage_records_user_id_id", "user_id", "id"),  # to page through a user's records, newest first
    sa.Index("ix_usage_records_created_at", "created_at"),
    sa.Index("ix_usage_records_credential_id_id", "credential_id", "id"),
    sqlite_autoincrement=True,
)


def _sums() -> list[sa.Column[int]]:
    """What is added up of records."""
    names = (
        "requests",
        "failures",
        "latency_us",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "reasoning_tokens",
        "messages",
        "cost_nanousd",
    )
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


# Keys of numbers that are given here, never by the database.
def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)


usage_hourly = sa.Table(
    "usage_hourly",
    metadata,
    _key("user_id"),
    sa.Column("hour", Instant, primary_key=True),  # its beginning
    *_sums(),
    sa.Index("ix_usage_hourly_hour", "hour"),
)

usage_daily = sa.Table(
    "usage_daily",
    metadata,
    sa.Column("day", Instant, primary_key=True),
    _key("user_id"),
    _key("credential_id"),
    sa.Column("project", sa.String(200), primary_key=True),
    sa.Column("provider", sa.String(100), primary_key=True),
    sa.Column("model", sa.String(300), primary_key=True),
    sa.Column("status_class", sa.Integer, primary_key=True, autoincrement=False),  # 2 of 200
    *_sums(),
    sa.Index("ix_usage_daily_user_id_day", "user_id", "day"),
)

usage_monthly = sa.Table(
    "usage_monthly",
    metadata,
    _key("user_id"),
    sa.Column("month", Instant, primary_key=True),
    sa.Column("project", sa.String(200), primary_key=True),
    *_sums(),
    sa.Index("ix_usage_monthly_month", "month"),
)

# Which prompts were answered in a month: to know a repeat when it comes.
usage_prompts = sa.Table(
    "usage_prompts",
    metadata,
    sa.Column("month", Instant, primary_key=True),
    sa.Column("prompt_start", sa.String(32), primary_key=True),  # half of its hash is enough to know it
    sa.Column("model", sa.String(300), primary_key=True),
    _key("user_id"),
)

usage_repeats = sa.Table(
    "usage_repeats",
    metadata,
    _key("viewer_id"),  # whose own repeats; 0: those of everybody's prompts taken together
    sa.Column("month", Instant, primary_key=True),
    sa.Column("prompt_hash", sa.String(64), primary_key=True),
    sa.Column("model", sa.String(300), primary_key=True),
    sa.Column("repeats", sa.BigInteger, nullable=False),
    sa.Column("waste_nanousd", sa.BigInteger, nullable=False),
    sa.Index("ix_usage_repeats_viewer_id_month_waste_nanousd", "viewer_id", "month", "waste_nanousd"),
)

usage_waste = sa.Table(
    "usage_waste",
    metadata,
    _key("viewer_id"),  # as in usage_repeats, of which this is the sum
    sa.Column("month", Instant, primary_key=True),
    sa.Column("repeats", sa.BigInteger, nullable=False),
    sa.Column("waste_nanousd", sa.BigInteger, nullable=False),
)

# Between which numbers the records of a day are. Who asks for a time need not look at all numbers.
usage_days = sa.Table(
    "usage_days",
    metadata,
    sa.Column("day", Instant, primary_key=True),
    sa.Column("first_id", sa.BigInteger, nullable=False),
    sa.Column("last_id", sa.BigInteger, nullable=False),
)

usage_marks = sa.Table(
    "usage_marks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # 1: there is one row
    sa.Column("summed_to", sa.BigInteger, nullable=False),  # the last record that the sums have in them
    sa.Column("kept_from", Instant, nullable=False),  # the beginning of a day; older records may be deleted
)

journals = sa.Table(
    "journals",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("segment", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),  # bytes of that segment that are in the database
    sa.Column("updated_at", Instant, nullable=False),
)

changes = sa.Table(
    "changes",
    metadata,
    _id(),
    sa.Column("kind", sa.String(16), nullable=False),  # "user", "credential" or "provider"
    sa.Column("object_id", sa.BigInteger, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

budgets = sa.Table(
    "budgets",
    metadata,
    _id(),
    sa.Column("scope_kind", sa.String(16), nullable=False),  # core/ledger/scope.py
    sa.Column("scope_id", sa.String(200), nullable=False),
    sa.Column("period", sa.String(8), nullable=False),  # "day", "week", "month" or "total"
    sa.Column("limit_nanousd", sa.BigInteger, nullable=False),
    sa.Column("hard", sa.Boolean, nullable=False),  # whether a request that does not fit is refused
    sa.Column("thresholds", sa.String(100), nullable=False, server_default=""),  # percents, separated by spaces
    *_times(),
    sa.UniqueConstraint("scope_kind", "scope_id", "period"),
    sqlite_autoincrement=True,
)

# What a budget's period has spent. No foreign key: the accounts outlive the budget.
balances = sa.Table(
    "balances",
    metadata,
    _id(),
    sa.Column("budget_id", sa.BigInteger, nullable=False),
    sa.Column("scope_kind", sa.String(16), nullable=False),
    sa.Column("scope_id", sa.String(200), nullable=False),
    sa.Column("period", sa.String(8), nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("settled_nanousd", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("leased_nanousd", sa.BigInteger, nullable=False, server_default="0"),  # the sum of its leases
    sa.Column("recalls", sa.BigInteger, nullable=False, server_default="0"),  # how often idle money was called back
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("budget_id", "starts_at"),
    sqlite_autoincrement=True,
)

leases = sa.Table(
    "leases",
    metadata,
    _id(),
    sa.Column("balance_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("holder", sa.String(64), nullable=False),  # a journal or a reservation
    sa.Column("life", sa.BigInteger, nullable=False),  # of a journal: the segment that its process began with
    sa.Column("amount_nanousd", sa.BigInteger, nullable=False),
    sa.Column("drawn_nanousd", sa.BigInteger, nullable=False, server_default="0"),  # what was spent of it before
    sa.Column("recalls", sa.BigInteger, nullable=False),  # which call the holder has answered last
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("balance_id", "holder", "life"),
    sa.Index("ix_leases_holder", "holder"),
    sqlite_autoincrement=True,
)

# Rows are added and never changed.
ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    _id(),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # "hold", "settlement", "release" or "adjustment"
    sa.Column("balance_id", sa.BigInteger, nullable=False),
    sa.Column("request_id", sa.String(100), nullable=False),  # or a reservation, or an adjustment
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("amount_nanousd", sa.BigInteger, nullable=False),
    sa.Column("held_nanousd", sa.BigInteger, nullable=False),  # of a settlement or release: the hold that it ends
    sa.Column("price_source", sa.String(200), nullable=False),
    sa.Column("token_source", sa.String(16), nullable=False),
    sa.Column("estimated", sa.Boolean, nullable=False),
    sa.Column("note", sa.String(200), nullable=False, server_default=""),
    sa.Column("user_id", sa.BigInteger, nullable=False, server_default="0"),  # who adjusted
    sa.UniqueConstraint("request_id", "attempt", "kind", "balance_id"),
    sa.Index("ix_ledger_entries_balance_id_id", "balance_id", "id"),
    sqlite_autoincrement=True,
)

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("user_id", sa.BigInteger, nullable=False),
    sa.Column("credential_id", sa.BigInteger, nullable=False),
    sa.Column("project", sa.String(200), nullable=False),
    sa.Column("note", sa.String(200), nullable=False),
    sa.Column("amount_nanousd", sa.BigInteger, nullable=False),
    sa.Column("cost_nanousd", sa.BigInteger, nullable=False),  # 0 until it is settled
    sa.Column("state", sa.String(16), nullable=False),  # "open", "settled", "released" or "expired"
    sa.Column("expires_at", Instant, nullable=False),
    *_times(),
    sa.Index("ix_reservations_state_expires_at", "state", "expires_at"),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    _id(),
    sa.Column("url", sa.String(2000), nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),  # encrypted; core/secrets.py
    sa.Column("enabled", sa.Boolean, nullable=False),
    *_times(),
    sqlite_autoincrement=True,
)

budget_events = sa.Table(
    "budget_events",
    metadata,
    _id(),
    sa.Column("balance_id", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # "threshold" or "exhausted"
    sa.Column("percent", sa.Integer, nullable=False),
    sa.Column("settled_nanousd", sa.BigInteger, nullable=False),
    sa.Column("limit_nanousd", sa.BigInteger, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("balance_id", "kind", "percent"),
    sqlite_autoincrement=True,
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    _id(),
    sa.Column[int]("webhook_id", sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("event_id", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant),  # absent: delivered, or given up
    sa.Column("delivered_at", Instant),
    sa.Column("failure", sa.String(200), nullable=False),  # of the last attempt
    sa.UniqueConstraint("webhook_id", "event_id"),
    sa.Index("ix_webhook_deliveries_due_at", "due_at"),
    sqlite_autoincrement=True,
)

# Nano-dollars per million tokens.
price_overrides = sa.Table(
    "price_overrides",
    metadata,
    _id(),
    sa.Column("provider", sa.String(300), nullable=False),  # a name or a pattern
    sa.Column("model", sa.String(300), nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("input", sa.BigInteger, nullable=False),
    sa.Column("output", sa.BigInteger, nullable=False),
    sa.Column("cached_input", sa.BigInteger),
    sa.Column("cache_write", sa.BigInteger),
    sa.Column("audio_input", sa.BigInteger),
    sa.Column("audio_output", sa.BigInteger),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("provider", "model", "since"),
    sqlite_autoincrement=True,
)

limits = sa.Table(
    "limits",
    metadata,
    _id(),
    sa.Column("scope_kind", sa.String(16), nullable=False),  # core/ledger/limits.py
    sa.Column("scope_id", sa.String(300), nullable=False),  # "*": everyone of the kind without a limit of their own
    sa.Column("requests_per_minute", sa.BigInteger, nullable=False, server_default="0"),  # 0: no limit
    sa.Column("tokens_per_minute", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("requests_per_day", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("tokens_per_day", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("concurrent_requests", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("source", sa.String(16), nullable=False),  # "api" or "config"
    *_times(),
    sa.UniqueConstraint("scope_kind", "scope_id"),
    sqlite_autoincrement=True,
)

conversations = sa.Table(
    "conversations",
    metadata,
    _id(),
    _owner(),
    sa.Column("title", sa.String(500), nullable=False),
    sa.Column("title_folded", sa.Text, nullable=False),  # without regard to case, to search in
    *_times(),
    sqlite_autoincrement=True,
)

messages = sa.Table(
    "messages",
    metadata,
    _id(),
    sa.Column[int](
        "conversation_id", sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("input_tokens", sa.BigInteger),
    sa.Column("output_tokens", sa.BigInteger),
    sa.Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

goals = sa.Table(
    "goals",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    _owner(),
    sa.Column("title", sa.String(500), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    *_times(),
)

personas = sa.Table(
    "personas",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    _owner(),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("system_prompt", sa.Text, nullable=False),
    *_times(),
)

stored_responses = sa.Table(
    "stored_responses",
    metadata,
    sa.Column[int]("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("previous_id", sa.String(200), nullable=False),  # "" for none
    sa.Column("created_at", Instant, nullable=False, index=True),
    sa.Column("input", sa.Text, nullable=False),  # its own items: those of the responses before are theirs
    sa.Column("response", sa.Text, nullable=False),
)

stored_items = sa.Table(
    "stored_items",
    metadata,
    sa.Column("user_id", _Number, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("response_id", sa.String(200), nullable=False),
    sa.ForeignKeyConstraint(
        ["user_id", "response_id"], ["stored_responses.user_id", "stored_responses.id"], ondelete="CASCADE"
    ),
    sa.Index(None, "user_id", "response_id"),
)

provider_objects = sa.Table(
    "provider_objects",
    metadata,
    sa.Column[int]("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("id", sa.String(80), primary_key=True),  # the provider's
    sa.Column("kind", sa.String(16), nullable=False),  # core/store/provider_objects.py
    sa.Column("provider_id", sa.BigInteger, nullable=False),  # no foreign key: a batch is accounted for without it
    sa.Column("provider", sa.String(100), nullable=False),  # its name, for the record
    sa.Column("purpose", sa.String(100), nullable=False),  # of a file
    sa.Column("credential_id", sa.BigInteger, nullable=False),  # with which it was made; and so on for the record
    sa.Column("surface", sa.String(32), nullable=False),
    sa.Column("project", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("due_at", Instant, index=True),  # of a batch: when to look at it again; absent once it has its record
    sa.Column("body", sa.Text, nullable=False),  # its JSON, as last seen; "" where nobody has looked yet
    sa.UniqueConstraint("provider_id", "id"),
    sa.Index(None, "user_id", "kind", "created_at"),
)
