"""What Alembic runs to run the migrations, on the connection that it was given."""

from __future__ import annotations

from alembic import context

_given = context.config.attributes

context.configure(
    connection=_given["connection"],
    version_table=_given["version_table"],
    version_table_schema=_given["schema"],
)
context.run_migrations()
