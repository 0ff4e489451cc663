"""budgets, their ledger, and the webhooks that tell of them"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the key is called INTEGER.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _id(table: str) -> tuple[sa.Column[int], sa.PrimaryKeyConstraint]:
    column = sa.Column("id", _NUMBER, autoincrement=True, nullable=False)
    return column, sa.PrimaryKeyConstraint("id", name=f"pk_{table}")


def _times() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def upgrade() -> None:
    _budgets()
    _ledger()
    _webhooks()
    _prices()


def _budgets() -> None:
    op.create_table(
        "budgets",
        *_id("budgets"),
        sa.Column("scope_kind", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(200), nullable=False),
        sa.Column("period", sa.String(8), nullable=False),
        sa.Column("limit_nanousd", sa.BigInteger, nullable=False),
        sa.Column("hard", sa.Boolean, nullable=False),
        sa.Column("thresholds", sa.String(100), nullable=False, server_default=""),
        *_times(),
        sa.UniqueConstraint("scope_kind", "scope_id", "period", name="uq_budgets_scope_kind_scope_id_period"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "balances",
        *_id("balances"),
        sa.Column("budget_id", sa.BigInteger, nullable=False),
        sa.Column("scope_kind", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(200), nullable=False),
        sa.Column("period", sa.String(8), nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("settled_nanousd", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("leased_nanousd", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("recalls", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("budget_id", "starts_at", name="uq_balances_budget_id_starts_at"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leases",
        *_id("leases"),
        sa.Column("balance_id", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("life", sa.BigInteger, nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger, nullable=False),
        sa.Column("drawn_nanousd", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("recalls", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("balance_id", "holder", "life", name="uq_leases_balance_id_holder_life"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_leases_balance_id", "leases", ["balance_id"])
    op.create_index("ix_leases_holder", "leases", ["holder"])


def _ledger() -> None:
    op.create_table(
        "ledger_entries",
        *_id("ledger_entries"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("balance_id", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.String(100), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger, nullable=False),
        sa.Column("held_nanousd", sa.BigInteger, nullable=False),
        sa.Column("price_source", sa.String(200), nullable=False),
        sa.Column("token_source", sa.String(16), nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("note", sa.String(200), nullable=False, server_default=""),
        sa.Column("user_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.UniqueConstraint(
            "request_id", "attempt", "kind", "balance_id", name="uq_ledger_entries_request_id_attempt_kind_balance_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_ledger_entries_balance_id_id", "ledger_entries", ["balance_id", "id"])
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reservations"),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("credential_id", sa.BigInteger, nullable=False),
        sa.Column("project", sa.String(200), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger, nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        *_times(),
    )
    op.create_index("ix_reservations_state_expires_at", "reservations", ["state", "expires_at"])


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        *_id("webhooks"),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        *_times(),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "budget_events",
        *_id("budget_events"),
        sa.Column("balance_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("percent", sa.Integer, nullable=False),
        sa.Column("settled_nanousd", sa.BigInteger, nullable=False),
        sa.Column("limit_nanousd", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("balance_id", "kind", "percent", name="uq_budget_events_balance_id_kind_percent"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook_deliveries",
        *_id("webhook_deliveries"),
        sa.Column("webhook_id", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_webhook_deliveries_webhook_id_webhooks", ondelete="CASCADE"
        ),
        sa.Column("event_id", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("failure", sa.String(200), nullable=False),
        sa.UniqueConstraint("webhook_id", "event_id", name="uq_webhook_deliveries_webhook_id_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_deliveries_due_at", "webhook_deliveries", ["due_at"])


def _prices() -> None:
    op.create_table(
        "price_overrides",
        *_id("price_overrides"),
        sa.Column("provider", sa.String(300), nullable=False),
        sa.Column("model", sa.String(300), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("input", sa.BigInteger, nullable=False),
        sa.Column("output", sa.BigInteger, nullable=False),
        sa.Column("cached_input", sa.BigInteger),
        sa.Column("cache_write", sa.BigInteger),
        sa.Column("audio_input", sa.BigInteger),
        sa.Column("audio_output", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("provider", "model", "since", name="uq_price_overrides_provider_model_since"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in (
        "price_overrides",
        "webhook_deliveries",
        "budget_events",
        "webhooks",
        "reservations",
        "ledger_entries",
        "leases",
        "balances",
        "budgets",
    ):
        op.drop_table(table)
