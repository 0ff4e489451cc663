"""limits: how much may be asked for in a minute, in a day, and at once"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_COUNTS = ("requests_per_minute", "tokens_per_minute", "requests_per_day", "tokens_per_day", "concurrent_requests")


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("scope_kind", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(300), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in _COUNTS),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_limits"),
        sa.UniqueConstraint("scope_kind", "scope_id", name="uq_limits_scope_kind_scope_id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("limits")
