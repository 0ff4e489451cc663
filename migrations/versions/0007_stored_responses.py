"""responses that are kept, to be gone on from"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# As in the first revision, so that the key refers to a column of its own type.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "stored_responses",
        sa.Column("user_id", _NUMBER, nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("previous_id", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("response", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_stored_responses"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_stored_responses_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_stored_responses_created_at", "stored_responses", ["created_at"])
    op.create_table(
        "stored_items",
        sa.Column("user_id", _NUMBER, nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("response_id", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_stored_items"),
        sa.ForeignKeyConstraint(
            ["user_id", "response_id"],
            ["stored_responses.user_id", "stored_responses.id"],
            name="fk_stored_items_user_id_response_id_stored_responses",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_stored_items_user_id_response_id", "stored_items", ["user_id", "response_id"])


def downgrade() -> None:
    op.drop_table("stored_items")
    op.drop_table("stored_responses")
