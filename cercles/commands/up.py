"""`cercles up`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from cercles.commands.words import only_warnings

PORT_MAX: Final = 65_535


def up(
    *,
    data: Annotated[Path, typer.Option(help="Directory that keeps everything: log, database, secrets.")] = Path("data"),
    gateway_port: Annotated[int, typer.Option(min=0, max=PORT_MAX, help="Where events come in; 0: a free port.")] = 0,
    reader_port: Annotated[int, typer.Option(min=0, max=PORT_MAX, help="Where answers come out; 0: a free port.")] = 0,
    exporter_port: Annotated[
        int, typer.Option(min=0, max=PORT_MAX, help="Where Prometheus asks for the campaigns; 0: a free port.")
    ] = 0,
    kafka_port: Annotated[int, typer.Option(min=0, max=PORT_MAX, help="Where Kafka listens; 0: a free port.")] = 0,
) -> None:
    """Run everything on this machine, with a real Apache Kafka of its own, until Ctrl-C.

    Makes what is missing in the data directory, its secrets too, and goes on from what is there. Restarts what dies.
    Everything listens on loopback alone.

    Standard output gets every address, and lines to paste: curl launches a campaign, cercles send pledges to it, and
    cercles audit tells whether every number is right. Standard error shows the campaign that changed last.

    Exit codes: 0 stopped when asked, 1 something can't be kept running, 2 a port that was asked for is in use.
    """
    from cercles.stack import Ports  # noqa: PLC0415 - `cercles --help` should not wait for it
    from cercles.upkeep import keep_up  # noqa: PLC0415 - likewise

    only_warnings()
    ports = Ports(gateway=gateway_port, reader=reader_port, exporter=exporter_port, kafka=kafka_port)
    raise typer.Exit(keep_up(data, ports))
