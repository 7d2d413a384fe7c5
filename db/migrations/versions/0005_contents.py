"""What was in local files when they were last read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    op.create_table(
        "content",
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("stamp", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("noted_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_content"),
    )
    op.create_index("ix_content_noted_at", "content", ["noted_at"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("content")
