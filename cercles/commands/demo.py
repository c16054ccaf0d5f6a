"""`cercles demo`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from cercles.commands.words import only_warnings

PACE_SECONDS: Final = 28.0
PACE_SECONDS_MAX: Final = 600.0


def demo(
    *,
    json: Annotated[bool, typer.Option("--json", help="End with one line on standard output, a JSON object.")] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Keep everything running afterwards, until Ctrl-C.")] = False,
    pace: Annotated[
        float, typer.Option(min=0, max=PACE_SECONDS_MAX, help="Seconds that telling the story takes; 0: no pauses.")
    ] = PACE_SECONDS,
    story: Annotated[
        Path | None, typer.Option(help="Tell the story of this file instead; it has the form of the built-in one.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Keep the data in this new directory, instead of a temporary one.", show_default=False),
    ] = None,
) -> None:
    """Show the film Les Anges Anonymes being funded: 17 230 € of 15 000 €, circle by circle.

    Runs the whole pipeline on this machine, with a real Apache Kafka of its own, and sends the campaign through it over
    HTTP. Needs no Docker, no Java, no fixed port and no terminal. Takes less than a minute and a half, after the first
    run has downloaded Kafka.

    Progress goes to standard error, results to standard output.

    Exit codes: 0 every number is the story's, 1 not, or something failed; 130 interrupted.
    """
    from cercles.demo.show import show  # noqa: PLC0415 - `cercles --help` should not wait for it

    only_warnings()
    raise typer.Exit(show(as_json=json, stay=stay, pace_seconds=pace, story_path=story, data=data))
