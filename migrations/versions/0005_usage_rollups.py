"""sums over usage"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SUMS = (
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

_TABLES = (
    "usage_hourly",
    "usage_daily",
    "usage_monthly",
    "usage_prompts",
    "usage_repeats",
    "usage_waste",
    "usage_days",
    "usage_marks",
)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def upgrade() -> None:
    op.create_index("ix_usage_records_credential_id_id", "usage_records", ["credential_id", "id"])
    _make_sums()
    _make_repeats()
    op.create_table(
        "usage_days",
        _number("day"),
        _number("first_id"),
        _number("last_id"),
        sa.PrimaryKeyConstraint("day", name="pk_usage_days"),
    )
    op.create_table(
        "usage_marks",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        _number("summed_to"),
        _number("kept_from"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_marks"),
    )
    # The records that are there are summed up by the service when it runs.
    op.execute("INSERT INTO usage_marks (id, summed_to, kept_from) VALUES (1, 0, 0)")


def _make_sums() -> None:
    op.create_table(
        "usage_hourly",
        _number("user_id"),
        _number("hour"),
        *map(_number, _SUMS),
        sa.PrimaryKeyConstraint("user_id", "hour", name="pk_usage_hourly"),
    )
    op.create_index("ix_usage_hourly_hour", "usage_hourly", ["hour"])
    keys = ("day", "user_id", "credential_id", "project", "provider", "model", "status_class")
    op.create_table(
        "usage_daily",
        _number("day"),
        _number("user_id"),
        _number("credential_id"),
        _text("project", 200),
        _text("provider", 100),
        _text("model", 300),
        sa.Column("status_class", sa.Integer, autoincrement=False, nullable=False),
        *map(_number, _SUMS),
        sa.PrimaryKeyConstraint(*keys, name="pk_usage_daily"),
    )
    op.create_index("ix_usage_daily_user_id_day", "usage_daily", ["user_id", "day"])
    op.create_table(
        "usage_monthly",
        _number("user_id"),
        _number("month"),
        _text("project", 200),
        *map(_number, _SUMS),
        sa.PrimaryKeyConstraint("user_id", "month", "project", name="pk_usage_monthly"),
    )
    op.create_index("ix_usage_monthly_month", "usage_monthly", ["month"])


def _make_repeats() -> None:
    op.create_table(
        "usage_prompts",
        _number("month"),
        _text("prompt_start", 32),
        _text("model", 300),
        _number("user_id"),
        sa.PrimaryKeyConstraint("month", "prompt_start", "model", "user_id", name="pk_usage_prompts"),
    )
    op.create_table(
        "usage_repeats",
        _number("viewer_id"),
        _number("month"),
        _text("prompt_hash", 64),
        _text("model", 300),
        _number("repeats"),
        _number("waste_nanousd"),
        sa.PrimaryKeyConstraint("viewer_id", "month", "prompt_hash", "model", name="pk_usage_repeats"),
    )
    by_waste = ["viewer_id", "month", "waste_nanousd"]
    op.create_index("ix_usage_repeats_viewer_id_month_waste_nanousd", "usage_repeats", by_waste)
    op.create_table(
        "usage_waste",
        _number("viewer_id"),
        _number("month"),
        _number("repeats"),
        _number("waste_nanousd"),
        sa.PrimaryKeyConstraint("viewer_id", "month", name="pk_usage_waste"),
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_index("ix_usage_records_credential_id_id", table_name="usage_records")
