"""Alembic migrations; `db.schema` runs them."""
