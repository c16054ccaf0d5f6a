"""`cercles dead-letters list`, `show`, `replay` and `drop`."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cercles.commands.databases import reading, writing
from cercles.commands.endings import explained
from cercles.commands.moments import moment
from cercles.commands.words import fail, only_warnings, settings
from cercles.exit_codes import EXIT_FAILED, EXIT_SETTINGS
from schemas.connections import DatabaseConnection, KafkaConnection

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from cercles.dead_letters.letters import Choice, Letter

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 10_000
WHY_LENGTH_MAX: Final = 500
LEFT_IN_WORDS_MAX: Final = 20

dead_letter_commands = typer.Typer(
    name="dead-letters",
    help="Look at refused events, send them again, or put them away. Nothing of them is edited or deleted: a "
    "correction is a new event, sent through a door.",
    short_help="Look at refused events, send them again, or put them away.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


class Shown(StrEnum):
    """Which letters to list, by what was decided about them."""

    open = "open"
    replayed = "replayed"
    dropped = "dropped"
    all = "all"


_Reason = Annotated[str | None, typer.Option(help="Only those refused for this reason.", show_default=False)]
_Campaign = Annotated[str | None, typer.Option(help="Only those of this campaign.", show_default=False)]


@dead_letter_commands.command("list")
def list_letters(
    *,
    reason: _Reason = None,
    campaign: _Campaign = None,
    since: Annotated[
        str | None, typer.Option(help="Refused then or later, such as 2026-03-10T12:00Z.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(help="Refused before then.", show_default=False)] = None,
    state: Annotated[Shown, typer.Option(help="What was decided about them.")] = Shown.open,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="Most to show.")] = LIMIT_DEFAULT,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object a line, values included.")] = False,
) -> None:
    """List dead letters, the newest first: by default those that nobody has decided about.

    Exit codes: 0, also when there are none; 2 an option is wrong, 3 no database answers.
    """
    from rich.console import Console  # noqa: PLC0415 - `cercles --help` should not wait for it

    from cercles.dead_letters import letters, shown  # noqa: PLC0415 - likewise

    choice = letters.Choice(
        state=None if state is Shown.all else state.value,  # type: ignore[arg-type]  # of those three
        reason=reason,
        campaign_id=campaign,
        since=moment("--since", since),
        until=moment("--until", until),
    )
    with explained(), reading(_url()) as engine, engine.begin() as connection:
        number, found = letters.count(connection, choice), letters.newest(connection, choice, limit)
    if json:
        for letter in found:
            _write_json(shown.plain(letter))
        return
    if found:
        Console(width=None if sys.stdout.isatty() else 200).print(shown.table(found))
    typer.echo(f"{len(found)} of {number} shown" if number > len(found) else f"{number} dead letters", err=True)


@dead_letter_commands.command()
def show(
    dead_letter_id: Annotated[int, typer.Argument(help="Its id, as `list` shows it.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object, on one line.")] = False,
) -> None:
    """Show one dead letter whole: why it was refused, its headers, its value, and whether it can be replayed.

    Exit codes: 0 shown, 2 there is no such dead letter, 3 no database answers.
    """
    from cercles.dead_letters import letters, shown  # noqa: PLC0415 - `cercles --help` should not wait for it

    with explained(), reading(_url()) as engine, engine.begin() as connection:
        found = letters.newest(connection, letters.Choice(ids=[dead_letter_id]), 1)
    if not found:
        fail(f"there is no dead letter {dead_letter_id}: `cercles dead-letters list --state all`", EXIT_SETTINGS)
    if json:
        _write_json(shown.plain(found[0]))
    else:
        typer.echo(shown.in_full(found[0]))


@dead_letter_commands.command()
def replay(
    dead_letter_ids: Annotated[
        list[int] | None, typer.Argument(help="Ids, as `list` shows them.", show_default=False)
    ] = None,
    *,
    reason: Annotated[
        str | None, typer.Option(help="Instead of ids: all open ones refused for this reason.", show_default=False)
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(help="With --reason: only those of this campaign.", show_default=False)
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="With ids: also those that were replayed or dropped before.")
    ] = False,
) -> None:
    """Send dead letters to the log again, as they were: key, value and headers, in their order.

    Do that once the cause is gone: a launch that was missing stands on the log, a version reads what an older one
    could not. Facts have ids, so replaying twice changes nothing. A record that is refused again becomes another dead
    letter. Each that was sent is marked as replayed, with its new place on the log (partition:offset).

    Exit codes: 0 all sent, 1 some can't be sent (they are named, with what to do), 2 an option is wrong, 3 no broker or
    no database answers.
    """
    from cercles.dead_letters import letters, replay  # noqa: PLC0415 - `cercles --help` should not wait for it

    only_warnings()
    if bool(dead_letter_ids) == (reason is not None):
        fail("name either ids or a --reason", EXIT_SETTINGS)
    if campaign is not None and reason is None:
        fail("--campaign goes with --reason", EXIT_SETTINGS)
    with explained(), writing(_url()) as engine:
        if dead_letter_ids:
            choice = letters.Choice(ids=sorted(set(dead_letter_ids)))
            if not again:
                with engine.begin() as connection:
                    replay.check_named(letters.newest(connection, choice, len(dead_letter_ids)), dead_letter_ids)
        else:
            choice = letters.Choice(state="open", reason=reason, campaign_id=campaign)
        left = _replay(engine, choice)
    for letter in left[:LEFT_IN_WORDS_MAX]:
        typer.echo(f"not replayed: {letter.dead_letter_id}: {replay.obstacle(letter)}", err=True)
    if left:
        fail(f"{len(left)} can't be replayed", EXIT_FAILED)


@dead_letter_commands.command()
def drop(
    dead_letter_ids: Annotated[list[int], typer.Argument(help="Ids, as `list` shows them.")],
    *,
    why: Annotated[str, typer.Option(help="For whoever asks later.")],
) -> None:
    """Put dead letters away: decided, not deleted. They stay, with the reason, and can still be shown and replayed.

    Exit codes: 0 done, 2 there is no such dead letter, or it was put away before, 3 no database answers.
    """
    from cercles.dead_letters import letters  # noqa: PLC0415 - `cercles --help` should not wait for it

    if not why.strip() or len(why) > WHY_LENGTH_MAX:
        fail(f"--why needs words, at most {WHY_LENGTH_MAX} characters of them", EXIT_SETTINGS)
    wanted = sorted(set(dead_letter_ids))
    with explained(), writing(_url()) as engine, engine.begin() as connection:
        found = letters.newest(connection, letters.Choice(ids=wanted), len(wanted))
        faults = [f"{one}: there is no such dead letter" for one in set(wanted) - {one.dead_letter_id for one in found}]
        faults += [f"{one.dead_letter_id}: it was dropped already" for one in found if one.state == "dropped"]
        if faults:
            fail("nothing was dropped. " + "\n".join(faults), EXIT_SETTINGS)
        letters.resolve(connection, found, "dropped", why=[why] * len(found))
    typer.echo(f"{len(found)} dropped")


def _replay(engine: "Engine", choice: "Choice") -> "list[Letter]":
    from cercles.dead_letters.replay import Replayed, replay  # noqa: PLC0415 - `cercles --help` should not wait for it
    from cercles.publishing import publisher  # noqa: PLC0415 - likewise
    from schemas.topics import LOG, PAYMENTS  # noqa: PLC0415 - likewise

    def tell(done: Replayed) -> None:
        typer.echo(f"{done.letter.dead_letter_id} stands at {done.place}")

    with publisher(settings(KafkaConnection), LOG, PAYMENTS) as publishing:
        sent, left = replay(engine, publishing, choice, tell)
    typer.echo(f"{sent} replayed", err=True)
    return left


def _url() -> str:
    return settings(DatabaseConnection).url.get_secret_value()


def _write_json(plain: dict[str, Any]) -> None:
    import msgspec  # noqa: PLC0415 - `cercles --help` should not wait for it

    sys.stdout.write(msgspec.json.encode(plain).decode() + "\n")
