"""`cercles rebuild`."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from cercles.commands.audit import progress_shown
from cercles.commands.databases import reading, writing
from cercles.commands.endings import explained
from cercles.commands.words import fail, only_warnings, settings
from cercles.exit_codes import EXIT_SETTINGS
from schemas.connections import DatabaseConnection, KafkaConnection

if TYPE_CHECKING:
    from cercles.rebuild.campaign import Rebuilt
    from cercles.rebuild.database import Filled


def rebuild(
    *,
    campaign: Annotated[
        str | None, typer.Option(help="Make this campaign's rows and updates again.", show_default=False)
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Fill the empty database at this URL from the log.", metavar="URL", show_default=False),
    ] = None,
    database: Annotated[
        bool, typer.Option(help="With --campaign: replace its rows in the database of CERCLES_DATABASE_URL.")
    ] = True,
    emit: Annotated[
        bool, typer.Option(help="With --campaign: say its updates again, for subscribers and other databases.")
    ] = True,
) -> None:
    """Make rows again from the log. The log itself is only read.

    `--campaign ID` repairs one campaign, after a gap or whatever went wrong with its rows. They are replaced in one
    transaction while the sinks of its partition wait, so readers see the old figures and then the right ones. Then its
    updates are said again from the beginning: whoever missed some applies them, all others skip them by their
    positions, so nothing is said twice.

    `--to URL` fills an empty database, whose tables `cercles db upgrade` has made, while the old one serves; with the
    rules of this version, which may be newer. It can be interrupted and run again. What people decided about dead
    letters goes along from the database of CERCLES_DATABASE_URL, where that is set. Afterwards start a sink on the new
    database with a group of its own (CERCLES_SINK_GROUP_ID), run `cercles audit` on it, and point the readers there:
    docs/runbook-proof.md.

    Exit codes: 0 done, 1 it failed and nothing is half done, 2 a setting or an option is wrong, 3 no broker or no
    database answers.
    """
    only_warnings()
    if (campaign is None) == (to is None):
        fail("say either --campaign ID or --to URL", EXIT_SETTINGS)
    if to is not None:
        with explained():
            _tell_filled(_fill(to))
        return
    if not (database or emit):
        fail("with both --no-database and --no-emit there is nothing to do", EXIT_SETTINGS)
    with explained():
        _tell_rebuilt(_rebuild_campaign(str(campaign), database=database, emit=emit), database=database)


def _rebuild_campaign(campaign_id: str, *, database: bool, emit: bool) -> "Rebuilt":
    from cercles.publishing import publisher  # noqa: PLC0415 - `cercles --help` should not wait for it
    from cercles.rebuild.campaign import CampaignRebuild  # noqa: PLC0415 - likewise
    from cercles.rebuild.folding import CampaignStory  # noqa: PLC0415 - likewise
    from cercles.topic_reader import TopicReader  # noqa: PLC0415 - likewise
    from schemas.topics import UPDATES  # noqa: PLC0415 - likewise

    kafka, url = settings(KafkaConnection), settings(DatabaseConnection).url.get_secret_value()
    with (
        writing(url) if database else nullcontext() as engine,
        TopicReader(kafka) as reader,
        CampaignStory() as story,
        progress_shown("folding") as show,
    ):
        rebuilding = CampaignRebuild(reader, campaign_id, story, show)
        if engine is not None:
            rebuilding.replace_rows(engine)
        if emit:
            with publisher(kafka, UPDATES) as publishing:
                rebuilding.say_again(publishing)
        return rebuilding.outcome


def _fill(url: str) -> "Filled":
    from cercles.rebuild.database import DatabaseFill  # noqa: PLC0415 - `cercles --help` should not wait for it
    from cercles.topic_reader import TopicReader  # noqa: PLC0415 - likewise

    old = settings(DatabaseConnection)
    old_url = old.url.get_secret_value() if "url" in old.model_fields_set else None
    if old_url == url:
        fail("--to names the database of CERCLES_DATABASE_URL: a new one is filled beside it", EXIT_SETTINGS)
    with (
        writing(url) as new,
        nullcontext() if old_url is None else reading(old_url) as serving,
        TopicReader(settings(KafkaConnection)) as reader,
        progress_shown("filling") as show,
    ):
        return DatabaseFill(new, reader, show).run(serving)


def _tell_rebuilt(done: "Rebuilt", *, database: bool) -> None:
    at = f"{done.partition}:{done.position.offset}"
    if database:
        typer.echo(f"campaign {done.campaign_id}: {done.entries} entries, {done.milestones} milestones, up to {at}")
    if done.updates_said:
        typer.echo(f"campaign {done.campaign_id}: {done.updates_said} updates said again, up to {at}")
    typer.echo(f"to see that all is well: cercles audit --campaign {done.campaign_id}", err=True)


def _tell_filled(done: "Filled") -> None:
    typer.echo(
        f"filled by fold version {done.fold_version}: {done.events} events, {done.campaigns} campaigns, "
        f"{done.entries} entries, {done.dead_letters} dead letters, {done.resolutions} decisions about them"
    )
    typer.echo("up to " + ", ".join(f"{partition}:{end}" for partition, end in done.positions.items()))
    typer.echo(
        "now start a sink on it, with CERCLES_DATABASE_URL and a CERCLES_SINK_GROUP_ID of its own; then run "
        "`cercles audit` with the same CERCLES_DATABASE_URL",
        err=True,
    )
