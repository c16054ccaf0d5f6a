"""`cercles topics`."""

from typing import Annotated, Any

import typer

from cercles.commands.words import fail, settings
from cercles.exit_codes import EXIT_UNREACHABLE
from cercles.settings import TopicsSettings
from schemas.connections import KafkaConnection


def topics(
    partitions: Annotated[int | None, typer.Option(help="Partitions of each topic; never changes afterwards.")] = None,
    replication_factor: Annotated[int | None, typer.Option(help="Copies of each partition.")] = None,
    min_insync_replicas: Annotated[
        int | None, typer.Option(help="Copies that must have a record before it counts as written.")
    ] = None,
    *,
    alter: Annotated[bool, typer.Option("--alter", help="Set configuration that differs to what is declared.")] = False,
) -> None:
    """Create the topics, and show where existing ones differ from what is declared.

    Can be run at any time and any number of times: what exists and is right is left alone. The number of partitions of
    an existing topic is never changed.

    Options win over CERCLES_TOPICS_…; the brokers are those of CERCLES_KAFKA_BOOTSTRAP_SERVERS.

    Exit codes: 0 all is as declared, 1 something differs, 2 a setting is wrong, 3 no broker answers.
    """
    from kafka.errors import KafkaError  # noqa: PLC0415 - `cercles --help` should not wait for it

    from cercles.topics import PartitionsDifferError, connect, ensure_topics  # noqa: PLC0415 - likewise

    chosen: dict[str, Any] = {
        "partitions": partitions,
        "replication_factor": replication_factor,
        "min_insync_replicas": min_insync_replicas,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    wanted = settings(lambda: TopicsSettings(**given))
    connection = settings(KafkaConnection)
    try:
        with connect(connection) as admin:
            outcome = ensure_topics(admin, wanted, alter=alter)
    except PartitionsDifferError as error:
        fail(str(error))
    except KafkaError as error:
        fail(f"{connection.bootstrap_servers}: {error}", EXIT_UNREACHABLE)
    for name in outcome.created:
        typer.echo(f"created {name} with {wanted.partitions} partitions")
    for difference in outcome.altered:
        typer.echo(f"altered {difference}")
    for difference in outcome.differences:
        typer.echo(f"differs {difference}")
    if outcome.differences:
        fail("run with --alter to set what differs; the replication factor is changed with Kafka's own tools")
    if not outcome.created and not outcome.altered:
        typer.echo("all topics are as declared")
