"""How Alembic reaches the database: through the connection that `db.schema` hands it, in that one's transaction."""

from alembic import context

import db.api_tables
import db.label_tables
import db.model_tables
import db.schedule_tables
import db.tables  # noqa: F401 - imported for the tables that they declare
from db.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite cannot alter a table in place; Alembic then copies it.
    render_as_batch=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
