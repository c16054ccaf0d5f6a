"""Migrations make exactly the tables of `schemas/tables.py`."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from schemas.tables import DAY_TOTALS, DAY_TOTALS_QUERY, metadata
from sinks import migrate
from sinks.database import writing_engine
from sinks.errors import SchemaError, UnsupportedDatabaseError
from sinks.migrations.versions import v0001_tables

_UPGRADE = "import sys; from sinks.migrate import upgrade; upgrade(sys.argv[1])"


def test_migrations_and_tables_do_not_differ(engine: Engine) -> None:
    """Alembic's own comparison finds nothing to add, to change or to drop."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_constraints_have_the_names_of_the_tables(engine: Engine) -> None:
    """A later migration must be able to name what it drops; Alembic does not compare these."""
    found = inspect(engine)
    for table in metadata.tables.values():
        assert found.get_pk_constraint(table.name)["name"] == table.primary_key.name
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]


def test_the_view_is_the_declared_one(engine: Engine) -> None:
    """Its query is written down in the migration, as every migration is, and must be that of `schemas/tables.py`."""
    assert f"CREATE VIEW day_totals AS {DAY_TOTALS_QUERY}" == v0001_tables.DAY_TOTALS_VIEW
    assert inspect(engine).get_view_names() == ["day_totals"]
    columns = [column["name"] for column in inspect(engine).get_columns("day_totals")]
    assert columns == [column.name for column in DAY_TOTALS.columns]


def test_upgrading_again_changes_nothing(database_url: str) -> None:
    """From no tables to the newest, then from there to there."""
    assert migrate.current(database_url) is None
    with pytest.raises(SchemaError, match=r"(no database|revision none).*`cercles db upgrade`"):
        migrate.check(database_url)
    for _ in range(2):
        migrate.upgrade(database_url)
        assert migrate.current(database_url) == migrate.head()
        migrate.check(database_url)


def test_processes_that_upgrade_at_once_do_it_once(database_url: str) -> None:
    """All of them succeed: one makes the tables, the others wait and find them made."""
    programs = [
        subprocess.Popen([sys.executable, "-c", _UPGRADE, database_url], stderr=subprocess.PIPE) for _ in range(4)
    ]
    for program in programs:
        _, errors = program.communicate(timeout=60)
        assert program.returncode == 0, errors.decode()
    migrate.check(database_url)


def test_a_newer_database_is_told_apart(migrated_url: str) -> None:
    """An older version must not write to tables it does not know."""
    engine = writing_engine(migrated_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaError, match="revision 9999"):
        migrate.check(migrated_url)


def test_other_databases_are_refused_by_name() -> None:
    """The message says what the URL must begin with."""
    with pytest.raises(UnsupportedDatabaseError, match=r"'mysql'.*CERCLES_DATABASE_URL"):
        migrate.upgrade("mysql://localhost/x")
