"""Labels by people, datasets made of them, schedules with what became of them, and who is told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.Float(precision=53)
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TABLES = ("annotation", "dataset", "dataset_item", "review", "schedule", "schedule_run", "notification")


def upgrade() -> None:
    """Seven tables, and four columns of those that are there."""
    _make_label_tables()
    _make_schedule_tables()
    _make_notification_table()
    op.add_column("model", sa.Column("dataset_id", sa.BigInteger(), nullable=True))
    op.add_column("image", sa.Column("sha256", sa.String(64), nullable=True))
    op.add_column("result", sa.Column("sha256", sa.String(64), nullable=True))
    op.add_column("result", sa.Column("needs_review", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Take them back."""
    op.drop_column("result", "needs_review")
    op.drop_column("result", "sha256")
    op.drop_column("image", "sha256")
    op.drop_column("model", "dataset_id")
    for table in reversed(TABLES):
        op.drop_table(table)


def _make_label_tables() -> None:
    op.create_table(
        "annotation",
        sa.Column("id", ID, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("annotator", sa.String(200), nullable=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("split", sa.String(32), nullable=True),
        sa.Column("shown_model_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_annotation"),
    )
    op.create_index("ix_annotation_model_sha256", "annotation", ["model", "sha256"])
    op.create_table(
        "dataset",
        sa.Column("id", ID, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("names_validation", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dataset"),
        sa.UniqueConstraint("model", "version", name="uq_dataset_model_version"),
    )
    op.create_table(
        "dataset_item",
        sa.Column("dataset_id", ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("class_index", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_dataset_item_dataset_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dataset_id", "sha256", name="pk_dataset_item"),
    )
    op.create_table(
        "review",
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("strategy", sa.String(32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("shown_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("model", "sha256", name="pk_review"),
    )
    op.create_index("ix_review_model_shown_at", "review", ["model", "shown_at"])


def _make_schedule_tables() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("cron", sa.String(200), nullable=False),
        sa.Column("time_zone", sa.String(100), nullable=False),
        sa.Column("dataset", sa.JSON(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("promotion_rule", sa.Text(), nullable=False),
        sa.Column("catch_up", sa.String(32), nullable=False),
        sa.Column("tunes", sa.Boolean(), nullable=False),
        sa.Column("relabel_job_id", sa.BigInteger(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("considered_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedule"),
        sa.UniqueConstraint("name", name="uq_schedule_name"),
    )
    op.create_table(
        "schedule_run",
        sa.Column("id", ID, nullable=False),
        sa.Column("schedule_id", ID, nullable=False),
        sa.Column("fire_at", TIME, nullable=False),
        sa.Column("trigger", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.Column("dataset_id", sa.BigInteger(), nullable=True),
        sa.Column("train_job_id", sa.BigInteger(), nullable=True),
        sa.Column("compare_job_id", sa.BigInteger(), nullable=True),
        sa.Column("relabel_job_id", sa.BigInteger(), nullable=True),
        sa.Column("champion_id", sa.BigInteger(), nullable=True),
        sa.Column("challenger_id", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.JSON(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedule.id"], name="fk_schedule_run_schedule_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_run"),
        sa.UniqueConstraint("schedule_id", "fire_at", name="uq_schedule_run_schedule_id_fire_at"),
    )
    op.create_index(
        "ix_schedule_run_unfinished",
        "schedule_run",
        ["id"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _make_notification_table() -> None:
    op.create_table(
        "notification",
        sa.Column("id", ID, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", TIME, nullable=True),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
        sa.UniqueConstraint("event", "subject", "channel", name="uq_notification_event_subject_channel"),
    )
    op.create_index(
        "ix_notification_due",
        "notification",
        ["next_try_at"],
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
