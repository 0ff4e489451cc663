"""files and batches that lie at providers"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# As in the first revision, so that the key refers to a column of its own type.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "provider_objects",
        sa.Column("user_id", _NUMBER, nullable=False),
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("provider_id", sa.BigInteger, nullable=False),
        sa.Column("provider", sa.String(100), nullable=False),
        sa.Column("purpose", sa.String(100), nullable=False),
        sa.Column("credential_id", sa.BigInteger, nullable=False),
        sa.Column("surface", sa.String(32), nullable=False),
        sa.Column("project", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_provider_objects"),
        sa.UniqueConstraint("provider_id", "id", name="uq_provider_objects_provider_id_id"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_provider_objects_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_provider_objects_due_at", "provider_objects", ["due_at"])
    op.create_index(
        "ix_provider_objects_user_id_kind_created_at", "provider_objects", ["user_id", "kind", "created_at"]
    )


def downgrade() -> None:
    op.drop_table("provider_objects")
