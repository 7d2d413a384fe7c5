"""Tokens, uploads, and the key that a request for a job came with."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.Float(precision=53)


def upgrade() -> None:
    """Two tables, and two columns of jobs."""
    op.create_table(
        "token",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("used_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
    )
    op.create_table(
        "upload",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("num_files", sa.BigInteger(), nullable=False),
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("token_id", sa.String(16), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_upload"),
    )
    op.add_column("job", sa.Column("idempotency_key", sa.String(64), nullable=True))
    op.add_column("job", sa.Column("idempotency_body", sa.String(64), nullable=True))
    op.create_index("ix_job_idempotency_key", "job", ["idempotency_key"], unique=True)


def downgrade() -> None:
    """Take them back."""
    op.drop_index("ix_job_idempotency_key", "job")
    op.drop_column("job", "idempotency_body")
    op.drop_column("job", "idempotency_key")
    op.drop_table("upload")
    op.drop_table("token")
