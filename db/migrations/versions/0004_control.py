"""What workers say of themselves, why a job was paused, and how fast both get on."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS_OF_WORKER: dict[str, sa.types.TypeEngine[Any]] = {
    "warm": sa.JSON(),
    "kinds": sa.JSON(),
    "device": sa.String(200),
    "declines": sa.Text(),
}


def upgrade() -> None:
    """Widen both tables, and index chunks by when they were finished."""
    for name, kind in COLUMNS_OF_WORKER.items():
        op.add_column("worker", sa.Column(name, kind, nullable=True))
    op.add_column("job", sa.Column("pause_reason", sa.Text(), nullable=True))
    op.create_index("ix_chunk_job_id_finished_at", "chunk", ["job_id", "finished_at"])
    op.create_index("ix_chunk_worker_id_finished_at", "chunk", ["worker_id", "finished_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_chunk_worker_id_finished_at", "chunk")
    op.drop_index("ix_chunk_job_id_finished_at", "chunk")
    op.drop_column("job", "pause_reason")
    for name in reversed(COLUMNS_OF_WORKER):
        op.drop_column("worker", name)
