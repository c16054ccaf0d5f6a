"""Alembic's migrations of the tables in `schemas/tables.py`; `sinks.migrate` runs them."""
