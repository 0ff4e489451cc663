"""the models that providers had"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As in the first revision, so that the key refers to a column of its own type.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "model_lists",
        sa.Column("provider_id", _NUMBER, nullable=False),
        sa.Column("base_url", sa.String(2000), nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("pulled_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name="pk_model_lists"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.id"], name="fk_model_lists_provider_id_providers", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("model_lists")
