"""Run by Alembic: `sinks.migrate` hands over a connection that is already in a transaction and commits it itself."""

from alembic import context

from schemas.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
