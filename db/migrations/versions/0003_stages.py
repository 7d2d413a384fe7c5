"""What a chunk's seconds went into, and when a feature vector was stored."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FLOAT = sa.Float(precision=53)
STAGES = ("read_s", "decode_s", "wait_s", "engine_s", "write_s")


def upgrade() -> None:
    """Widen both tables; what was stored before has no such figures."""
    for name in STAGES:
        op.add_column("chunk", sa.Column(name, FLOAT, nullable=True))
    op.add_column("feature", sa.Column("created_at", FLOAT, nullable=True))
    op.create_index("ix_feature_extractor_created_at", "feature", ["extractor", "created_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_feature_extractor_created_at", "feature")
    op.drop_column("feature", "created_at")
    for name in reversed(STAGES):
        op.drop_column("chunk", name)
