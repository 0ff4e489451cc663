"""virtual keys, and the project of a usage record"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As in the revision before, so that the key refers to a column of its own type.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "virtual_keys",
        sa.Column("credential_id", _NUMBER, nullable=False),
        sa.Column("cost_centre", sa.String(200), nullable=False, server_default=""),
        sa.Column("environment", sa.String(200), nullable=False, server_default=""),
        sa.Column("agent_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("project_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("max_output_tokens", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("max_reasoning_tokens", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("allow_unpriced", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("credential_id", name="pk_virtual_keys"),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name="fk_virtual_keys_credential_id_credentials",
            ondelete="CASCADE",
        ),
    )
    op.add_column("usage_records", sa.Column("project", sa.String(200), nullable=False, server_default=""))


def downgrade() -> None:
    # A key without its caps would be a key without limits, so the keys go with the table.
    op.execute("DELETE FROM credentials WHERE kind = 'virtual_key'")
    op.drop_column("usage_records", "project")
    op.drop_table("virtual_keys")
