"""Training: what models weigh, how they were trained, how good they are, and which one is in use."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORD = sa.String(32)
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLOAT = sa.Float(precision=53)

COLUMNS_OF_MODEL: dict[str, sa.types.TypeEngine[Any]] = {
    "mode": WORD,
    "resize": WORD,
    "parent_id": sa.BigInteger(),
    "job_id": sa.BigInteger(),
    "fingerprint": sa.String(64),
    "temperature": FLOAT,
    "training": sa.JSON(),
    "ready_at": FLOAT,
}


def upgrade() -> None:
    """Apply."""
    _widen_models()
    _create_artifacts()
    _create_metrics()
    op.create_table(
        "promotion",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("promoted_at", FLOAT, nullable=False),
        sa.Column("rolled_back_at", FLOAT, nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_promotion_model_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion")),
    )
    op.create_index(
        "ix_promotion_in_use",
        "promotion",
        ["name", "id"],
        sqlite_where=sa.text("rolled_back_at IS NULL"),
        postgresql_where=sa.text("rolled_back_at IS NULL"),
    )
    op.create_table(
        "sample",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("class_index", sa.Integer(), nullable=False),
        sa.Column("split", WORD, nullable=True),
        sa.Column("used_as", WORD, nullable=True),
        sa.Column("left_out", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "ordinal", name=op.f("pk_sample")),
    )
    op.create_table(
        "feature",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("extractor", sa.String(200), nullable=False),
        sa.Column("variant", sa.String(32), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "extractor", "variant", name=op.f("pk_feature")),
    )


def _widen_models() -> None:
    # Column by column: Alembic's copy of the whole table would, on SQLite, take the class labels with it.
    for name, kind in COLUMNS_OF_MODEL.items():
        op.add_column("model", sa.Column(name, kind, nullable=True))
    # All models that there are so far are published ones.
    op.execute("UPDATE model SET ready_at = created_at")


def _create_artifacts() -> None:
    op.create_table(
        "artifact",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("num_parts", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("created_at", FLOAT, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_artifact_model_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifact")),
    )
    op.create_index("ix_artifact_model_id_kind", "artifact", ["model_id", "kind"])
    op.create_table(
        "artifact_part",
        sa.Column("artifact_id", BIG_ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifact.id"], name=op.f("fk_artifact_part_artifact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("artifact_id", "number", name=op.f("pk_artifact_part")),
    )


def _create_metrics() -> None:
    op.create_table(
        "epoch",
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("split", WORD, nullable=False),
        sa.Column("stage", WORD, nullable=False),
        sa.Column("loss", FLOAT, nullable=False),
        sa.Column("accuracy", FLOAT, nullable=False),
        sa.Column("learning_rate", FLOAT, nullable=False),
        sa.Column("duration_s", FLOAT, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_epoch_model_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_id", "number", "split", name=op.f("pk_epoch")),
    )
    op.create_table(
        "evaluation",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("split", WORD, nullable=True),
        sa.Column("num_images", sa.Integer(), nullable=False),
        sa.Column("accuracy", FLOAT, nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created_at", FLOAT, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_evaluation_model_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
    )
    op.create_index("ix_evaluation_model_id", "evaluation", ["model_id"])


def downgrade() -> None:
    """Take back."""
    for table in ("feature", "sample", "promotion", "evaluation", "epoch", "artifact_part", "artifact"):
        op.drop_table(table)
    for name in COLUMNS_OF_MODEL:
        op.drop_column("model", name)
