"""How the commands that read log and database end when something is in the way."""

from collections.abc import Iterator
from contextlib import contextmanager

from cercles.commands.words import fail
from cercles.exit_codes import EXIT_FAILED, EXIT_SETTINGS, EXIT_UNREACHABLE


@contextmanager
def explained() -> Iterator[None]:
    """End the command with words and the exit code that fits, when log or database, or what was asked, is at fault."""
    from kafka.errors import KafkaError  # noqa: PLC0415 - `cercles --help` should not wait for it

    from cercles.command_errors import AskedWronglyError, NotDoneError  # noqa: PLC0415 - likewise
    from producers.publication import BrokerAwayError  # noqa: PLC0415 - likewise
    from sinks.database import DatabaseErrors  # noqa: PLC0415 - likewise
    from sinks.errors import HopelessError, SchemaError, UnsupportedDatabaseError  # noqa: PLC0415 - likewise

    try:
        yield
    except (AskedWronglyError, SchemaError, UnsupportedDatabaseError) as error:
        fail(str(error), EXIT_SETTINGS)
    except (NotDoneError, HopelessError) as error:
        fail(str(error), EXIT_FAILED)
    except (KafkaError, BrokerAwayError) as error:
        fail(f"the broker (CERCLES_KAFKA_BOOTSTRAP_SERVERS): {error}", EXIT_UNREACHABLE)
    except DatabaseErrors as error:
        fail(f"the database (CERCLES_DATABASE_URL): {error}", EXIT_UNREACHABLE)
