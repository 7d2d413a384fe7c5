"""The tables of the HTTP API: who may ask for what, and what was uploaded."""

from sqlalchemy import JSON, BigInteger, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, FileName


class TokenTable(Base):
    """A token that someone asks with. Its secret is not here, only what the secret hashes to."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)  # the part of the token that may be seen
    name: Mapped[str] = mapped_column(String(200))  # whose it is, for people
    secret_hash: Mapped[str] = mapped_column(String(64))  # SHA-256 of the other part, in hexadecimal digits
    scopes: Mapped[list[str]] = mapped_column(JSON)  # core.types.Scope
    created_at: Mapped[float] = mapped_column(Float(53))
    expires_at: Mapped[float | None] = mapped_column(Float(53))  # null: never
    revoked_at: Mapped[float | None] = mapped_column(Float(53))  # null: it was not taken back
    used_at: Mapped[float | None] = mapped_column(Float(53))  # when it was last asked with, to the minute


class UploadTable(Base):
    """Files that came through the HTTP API. They lie in a folder of their own, which is named after the id."""

    __tablename__ = "upload"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(FileName)  # for people
    num_files: Mapped[int] = mapped_column(BigInteger)
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(Float(53))
    token_id: Mapped[str | None] = mapped_column(String(16))  # who sent it; null: nobody was asked for a token
