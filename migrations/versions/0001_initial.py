"""the first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the key is called INTEGER.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _id(table: str) -> tuple[sa.Column[int], sa.PrimaryKeyConstraint]:
    column = sa.Column("id", _NUMBER, autoincrement=True, nullable=False)
    return column, sa.PrimaryKeyConstraint("id", name=f"pk_{table}")


def _text_id(table: str, length: int) -> tuple[sa.Column[str], sa.PrimaryKeyConstraint]:
    return sa.Column("id", sa.String(length), nullable=False), sa.PrimaryKeyConstraint("id", name=f"pk_{table}")


def _times() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def _reference(table: str, column: str, target: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    name = f"fk_{table}_{column}_{target}"
    return (
        sa.Column(column, _NUMBER, nullable=False),
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete="CASCADE"),
    )


def upgrade() -> None:
    _people()
    _providers()
    _accounts()
    _work()


def _people() -> None:
    op.create_table(
        "users",
        *_id("users"),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("username", sa.String(320), nullable=False),
        sa.Column("full_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("must_change_password", sa.Boolean, nullable=False, server_default=sa.false()),
        *_times(),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "credentials",
        *_id("credentials"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("prefix", sa.String(32), nullable=False),
        *_reference("credentials", "user_id", "users"),
        sa.Column("name", sa.String(200), nullable=False, server_default=""),
        sa.Column("scopes", sa.String(200), nullable=False),
        *_times(),
        sa.Column("expires_at", sa.BigInteger),
        sa.UniqueConstraint("hash", name="uq_credentials_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_credentials_user_id", "credentials", ["user_id"])
    op.create_table(
        "changes",
        *_id("changes"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("object_id", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )


def _providers() -> None:
    op.create_table(
        "providers",
        *_id("providers"),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("base_url", sa.String(2000), nullable=False),
        sa.Column("api_key", sa.LargeBinary),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("connect_ms", sa.Integer, nullable=False, server_default="0"),
        sa.Column("first_byte_ms", sa.Integer, nullable=False, server_default="0"),
        sa.Column("idle_ms", sa.Integer, nullable=False, server_default="0"),
        *_times(),
        sa.UniqueConstraint("name", name="uq_providers_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "model_entries",
        *_id("model_entries"),
        *_reference("model_entries", "provider_id", "providers"),
        sa.Column("name", sa.String(300), nullable=False),
        *_times(),
        sa.UniqueConstraint("provider_id", "name", name="uq_model_entries_provider_id_name"),
        sqlite_autoincrement=True,
    )


def _accounts() -> None:
    op.create_table(
        "usage_records",
        *_id("usage_records"),
        sa.Column("request_id", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("credential_id", sa.BigInteger, nullable=False),
        sa.Column("surface", sa.String(32), nullable=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("requested_model", sa.String(300), nullable=False),
        sa.Column("provider", sa.String(100), nullable=False),
        sa.Column("model", sa.String(300), nullable=False),
        sa.Column("status_code", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
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
        sa.Column("token_source", sa.String(16), nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger),
        sa.Column("price_source", sa.String(200), nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("prompt_hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("request_id", name="uq_usage_records_request_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_usage_records_user_id_created_at", "usage_records", ["user_id", "created_at"])
    op.create_index("ix_usage_records_user_id_id", "usage_records", ["user_id", "id"])
    op.create_index("ix_usage_records_created_at", "usage_records", ["created_at"])
    op.create_table(
        "journals",
        *_text_id("journals", 64),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def _work() -> None:
    op.create_table(
        "conversations",
        *_id("conversations"),
        *_reference("conversations", "user_id", "users"),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("title_folded", sa.Text, nullable=False),
        *_times(),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_conversations_user_id", "conversations", ["user_id"])
    op.create_table(
        "messages",
        *_id("messages"),
        *_reference("messages", "conversation_id", "conversations"),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_conversation_id", "messages", ["conversation_id"])
    op.create_table(
        "goals",
        *_text_id("goals", 40),
        *_reference("goals", "user_id", "users"),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        *_times(),
    )
    op.create_index("ix_goals_user_id", "goals", ["user_id"])
    op.create_table(
        "personas",
        *_text_id("personas", 40),
        *_reference("personas", "user_id", "users"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("system_prompt", sa.Text, nullable=False),
        *_times(),
    )
    op.create_index("ix_personas_user_id", "personas", ["user_id"])


def downgrade() -> None:
    for table in (
        "personas",
        "goals",
        "messages",
        "conversations",
        "journals",
        "usage_records",
        "model_entries",
        "providers",
        "changes",
        "credentials",
        "users",
    ):
        op.drop_table(table)
