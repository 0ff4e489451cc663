"""The tables, for all surfaces. migrations/versions/ makes them; a test compares the two.

users ─┬─ credentials      sessions, API keys, tokens and virtual keys: one table, one way to authenticate
       ├─ conversations ── messages
       ├─ goals, personas
       └┄ usage_records    (no foreign key: accounts outlive whom they speak of)
providers ── model_entries
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
    sa.Index("ix_usage_records_user_id_created_at", "user_id", "created_at"),
    sa.Index("ix_usage_records_user_id_id", "user_id", "id"),  # to page through a user's records, newest first
    sa.Index("ix_usage_records_created_at", "created_at"),
    sqlite_autoincrement=True,
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
