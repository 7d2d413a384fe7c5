"""The tables of what people say that images show: labels, the datasets made of them, and what was handed out.

Labels belong to a model's name, whatever its version. No foreign keys to models: labels outlive every version.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.types import AnnotationOrigin, Split, Strategy
from db.base import Base, BigId, FileName, word


class AnnotationTable(Base):
    """What a person says that an image shows. Rows are never changed; of one image the newest counts."""

    __tablename__ = "annotation"
    __table_args__ = (Index(None, "model", "sha256"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model: Mapped[str] = mapped_column(String(200))  # the name that its versions share
    sha256: Mapped[str] = mapped_column(String(64))  # of the image's content
    label: Mapped[str] = mapped_column(FileName)  # the class's name
    annotator: Mapped[str] = mapped_column(String(200))  # who says so
    origin: Mapped[AnnotationOrigin] = mapped_column(word(AnnotationOrigin))
    split: Mapped[Split | None] = mapped_column(word(Split))  # test: to be measured on; null: to be learned from
    shown_model_id: Mapped[int | None] = mapped_column(BigInteger)  # whose prediction the person saw
    name: Mapped[str] = mapped_column(FileName)  # what the image was called
    locator: Mapped[str] = mapped_column(Text)  # core.items.locator_to_text
    created_at: Mapped[float] = mapped_column(Float(53))


class DatasetTable(Base):
    """A version of what a model's name learns from and is measured on: fixed once it is written."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("model", "version"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model: Mapped[str] = mapped_column(String(200))  # the name that its versions share
    version: Mapped[int] = mapped_column(Integer)
    fingerprint: Mapped[str] = mapped_column(String(64))  # of contents, classes and splits
    classes: Mapped[list[str]] = mapped_column(JSON)  # their names by class index, escaped as FileName does
    names_validation: Mapped[bool] = mapped_column(Boolean)  # whether its first version had that part from its user
    created_at: Mapped[float] = mapped_column(Float(53))


class DatasetItemTable(Base):
    """One image of a dataset."""

    __tablename__ = "dataset_item"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    class_index: Mapped[int] = mapped_column(Integer)
    split: Mapped[Split] = mapped_column(word(Split))
    name: Mapped[str] = mapped_column(FileName)
    locator: Mapped[str] = mapped_column(Text)  # core.items.locator_to_text


class ReviewTable(Base):
    """An image that was handed out for a human look; none comes twice."""

    __tablename__ = "review"
    __table_args__ = (Index(None, "model", "shown_at"),)

    model: Mapped[str] = mapped_column(String(200), primary_key=True)  # the name that its versions share
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    job_id: Mapped[int] = mapped_column(BigInteger)  # whose prediction it is
    ordinal: Mapped[int] = mapped_column(BigInteger)  # of the image in that job
    model_id: Mapped[int] = mapped_column(BigInteger)  # the version that predicted
    strategy: Mapped[Strategy] = mapped_column(word(Strategy))
    name: Mapped[str] = mapped_column(FileName)
    locator: Mapped[str] = mapped_column(Text)  # core.items.locator_to_text
    shown_at: Mapped[float] = mapped_column(Float(53))
