"""The tables of models: their numbers, how they were trained, how good they are, and which ones are in use."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    case,
    cast,
    text,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column

from core.types import ArtifactKind, ResizeMode, Split, TrainMode
from db.base import Base, BigId, FileName, word

# Modes whose models have networks of their own; a head shares its backbone with all others.
OWN_NETWORK_MODES = (TrainMode.FINETUNE, TrainMode.SCRATCH)


class ModelTable(Base):
    """A named, versioned pair of backbone and head."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(Integer)
    backbone: Mapped[str] = mapped_column(String(100))  # its architecture, by the catalogue's name
    mode: Mapped[TrainMode | None] = mapped_column(word(TrainMode))  # null: published, not trained here
    resize: Mapped[ResizeMode | None] = mapped_column(word(ResizeMode))  # null: each job decides
    parent_id: Mapped[int | None] = mapped_column(BigInteger)  # the champion when it was asked for
    job_id: Mapped[int | None] = mapped_column(BigInteger)  # the job that trained it
    fingerprint: Mapped[str | None] = mapped_column(String(64))  # of the images and labels that it learned from
    dataset_id: Mapped[int | None] = mapped_column(BigInteger)  # that version of its name's dataset, if it has one
    temperature: Mapped[float | None] = mapped_column(Float(53))  # what its logits were divided by; in the weights
    training: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # core.training.TrainingRecord
    created_at: Mapped[float] = mapped_column(Float(53))
    ready_at: Mapped[float | None] = mapped_column(Float(53))  # null: being trained, or never got there
    # What a worker loads: a backbone that many models share, or this model's own network.
    network: Mapped[str] = column_property(
        case(
            (mode.in_(OWN_NETWORK_MODES), name + "@" + cast(version, String)),
            else_=backbone,
        )
    )

    @property
    def label(self) -> str:
        """The way a user types it."""
        return f"{self.name}@{self.version}"


class ClassLabelTable(Base):
    """What each class of a model's head is called."""

    __tablename__ = "class_label"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    class_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    label: Mapped[str] = mapped_column(FileName)  # a class may be named by a folder
    label_id: Mapped[str] = mapped_column(FileName)


class ArtifactTable(Base):
    """Numbers of a model, as one safetensors file in parts."""

    __tablename__ = "artifact"
    __table_args__ = (Index(None, "model_id", "kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"))
    kind: Mapped[ArtifactKind] = mapped_column(word(ArtifactKind))
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    num_parts: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))  # of the whole file
    is_complete: Mapped[bool] = mapped_column(Boolean)  # whether it counts; parts are written before that
    created_at: Mapped[float] = mapped_column(Float(53))


class ArtifactPartTable(Base):
    """One part of an artifact, small enough for every driver and proxy on the way."""

    __tablename__ = "artifact_part"

    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifact.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # from 0
    sha256: Mapped[str] = mapped_column(String(64))
    data: Mapped[bytes] = mapped_column(LargeBinary)


class EpochTable(Base):
    """How one epoch of a model's training went on one split: core.training.EpochMetrics."""

    __tablename__ = "epoch"

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    split: Mapped[Split] = mapped_column(word(Split), primary_key=True)
    stage: Mapped[TrainMode] = mapped_column(word(TrainMode))
    loss: Mapped[float] = mapped_column(Float(53))
    accuracy: Mapped[float] = mapped_column(Float(53))
    learning_rate: Mapped[float] = mapped_column(Float(53))
    duration_s: Mapped[float] = mapped_column(Float(53))


class EvaluationTable(Base):
    """How good a model is on some labelled images."""

    __tablename__ = "evaluation"
    __table_args__ = (Index(None, "model_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"))
    job_id: Mapped[int | None] = mapped_column(BigInteger)  # whose results were measured
    dataset: Mapped[str] = mapped_column(FileName)  # as the user called it
    split: Mapped[Split | None] = mapped_column(word(Split))  # of the model's own dataset; null for another one
    num_images: Mapped[int] = mapped_column(Integer)
    accuracy: Mapped[float] = mapped_column(Float(53))  # 0..1
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)  # workers.ml.evaluation.Evaluation
    created_at: Mapped[float] = mapped_column(Float(53))


class PromotionTable(Base):
    """A version taken into use. A name's champion is its newest promotion that was not rolled back."""

    __tablename__ = "promotion"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"))
    promoted_at: Mapped[float] = mapped_column(Float(53))
    rolled_back_at: Mapped[float | None] = mapped_column(Float(53))


Index(
    "ix_promotion_in_use",
    PromotionTable.name,
    PromotionTable.id,
    sqlite_where=text("rolled_back_at IS NULL"),
    postgresql_where=text("rolled_back_at IS NULL"),
)


class SampleTable(Base):
    """What a person says an image of a job shows. No foreign keys, as in the other bulk tables."""

    __tablename__ = "sample"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    class_index: Mapped[int] = mapped_column(Integer)  # of the job's first model
    split: Mapped[Split | None] = mapped_column(word(Split))  # as the dataset says; null: it does not say
    used_as: Mapped[Split | None] = mapped_column(word(Split))  # what training made of it; null: left out, or not yet
    left_out: Mapped[str | None] = mapped_column(FileName)  # why it was left out; a sentence, which may name a file
    sha256: Mapped[str | None] = mapped_column(String(64))  # of its content; null until it was read


class ContentTable(Base):
    """What was in a local file when it was last read; db.contents."""

    __tablename__ = "content"
    __table_args__ = (Index(None, "noted_at"),)

    place: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256 of what the file is called
    stamp: Mapped[str] = mapped_column(String(100))  # its size, times and inode
    sha256: Mapped[str] = mapped_column(String(64))  # of its content
    noted_at: Mapped[float] = mapped_column(Float(53))


class FeatureTable(Base):
    """The feature vector of one image, kept so that no image is computed twice."""

    __tablename__ = "feature"
    __table_args__ = (Index(None, "extractor", "created_at"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the image's content
    extractor: Mapped[str] = mapped_column(String(200), primary_key=True)  # backbone and preprocessing
    variant: Mapped[str] = mapped_column(String(32), primary_key=True)  # which augmented copy; empty: the image itself
    vector: Mapped[bytes] = mapped_column(LargeBinary)  # (F,) float32, little-endian
    created_at: Mapped[float | None] = mapped_column(Float(53))  # null: before this was noted
