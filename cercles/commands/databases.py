"""Opens databases for commands, once their tables are seen to be those of this version, and closes them again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def reading(url: str) -> "Iterator[Engine]":
    """Give an engine whose transactions are read-only snapshots. Raises SchemaError and the database's errors."""
    from sinks.database import reading_engine  # noqa: PLC0415 - `cercles --help` should not wait for it

    with _opened(url, reading_engine) as engine:
        yield engine


@contextmanager
def writing(url: str) -> "Iterator[Engine]":
    """Give an engine that writes as the sink does. Raises SchemaError and the database's errors."""
    from sinks.database import writing_engine  # noqa: PLC0415 - `cercles --help` should not wait for it

    with _opened(url, writing_engine) as engine:
        yield engine


@contextmanager
def _opened(url: str, open_engine: "Callable[[str], Engine]") -> "Iterator[Engine]":
    from sinks import migrate  # noqa: PLC0415 - `cercles --help` should not wait for it

    migrate.check(url)
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
