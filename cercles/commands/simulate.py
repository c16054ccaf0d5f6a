"""`cercles simulate`."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import httpx
import typer

from cercles.commands.doors import launcher, sender
from cercles.commands.send import BATCH_EVENTS_MAX
from cercles.commands.words import fail
from cercles.exit_codes import EXIT_FAILED, EXIT_UNREACHABLE
from cercles.simulation.plan import CAMPAIGNS_MAX, DAYS_MAX, OPENS_AT, PLEDGES_MAX, Plan, Rates
from producers.sending import (
    ANSWER_SECONDS_MAX,
    BATCH_EVENTS_DEFAULT,
    Gateway,
    GatewayAwayError,
    Pace,
    RefusedError,
)
from producers.settings import NAME_PATTERN
from schemas.money import EXPONENTS
from schemas.strictness import AHEAD_MAX, EARLIEST

if TYPE_CHECKING:
    from cercles.simulation.totals import CampaignTotals

STANDARD_OUTPUT: Final = "-"
DEFAULTS: Final = Plan(seed=0)
RATES: Final = DEFAULTS.rates
OPENS_ON: Final = OPENS_AT.replace(tzinfo=None)
OPENS_YEAR_MAX: Final = 2999
RATE_MIN: Final = 0.01
RATE_MAX: Final = 1_000_000
BATCHES_PER_SECOND: Final = 4
"""A given rate is kept by batches that are small enough for so many a second."""

RATES_PANEL: Final = "How often, from 0 to 1"


def _share(words: str) -> Any:
    return typer.Option(min=0, max=1, help=words, rich_help_panel=RATES_PANEL)


def simulate(
    file: Annotated[
        str | None,
        typer.Argument(help="File to write the events to, one JSON object a line; - is standard output."),
    ] = None,
    *,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and options give the same bytes.")] = 0,
    campaigns: Annotated[int, typer.Option(min=1, max=CAMPAIGNS_MAX, help="Campaigns.")] = DEFAULTS.campaigns,
    pledges: Annotated[int, typer.Option(min=0, max=PLEDGES_MAX, help="Pledges of each.")] = DEFAULTS.pledges,
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="Days on which pledges are made.")] = DEFAULTS.days,
    opens_on: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Day on which the campaigns open, in UTC.")
    ] = OPENS_ON,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of what is pledged.")] = DEFAULTS.currency,
    authorize_rate: Annotated[float, _share("Pledges that are promised first and paid later.")] = RATES.authorize,
    fail_rate: Annotated[float, _share("Pledges whose first attempt to pay fails.")] = RATES.fail,
    cancel_rate: Annotated[float, _share("Promised pledges that are canceled.")] = RATES.cancel,
    amend_rate: Annotated[float, _share("Promised pledges, not canceled, that get another amount.")] = RATES.amend,
    capture_rate: Annotated[float, _share("Promised pledges, not canceled, that are paid at last.")] = RATES.capture,
    refund_rate: Annotated[float, _share("Paid pledges that are given back, whole or in part.")] = RATES.refund,
    dispute_rate: Annotated[float, _share("Paid pledges that a bank asks back.")] = RATES.dispute,
    share_rate: Annotated[float, _share("Backers who came by a link and pass on one of their own.")] = RATES.share,
    unattributed_rate: Annotated[float, _share("Pledges that come by no link.")] = RATES.unattributed,
    repeat_rate: Annotated[float, _share("Events that arrive a second time.")] = RATES.repeat,
    disorder_rate: Annotated[float, _share("Events that arrive late, by up to a day.")] = RATES.disorder,
    gateway: Annotated[str | None, typer.Option(help="Send to the gateway at this address instead of a file.")] = None,
    source: Annotated[
        str, typer.Option(help="Name of the source that vouches for the events; of up's own, unless told otherwise.")
    ] = DEFAULTS.source,
    rate: Annotated[
        float | None,
        typer.Option(
            min=RATE_MIN, max=RATE_MAX, help="Events a second, at most; without it as fast as the gateway takes them."
        ),
    ] = None,
    batch_events: Annotated[
        int, typer.Option(min=1, max=BATCH_EVENTS_MAX, help="Most events of one batch.")
    ] = BATCH_EVENTS_DEFAULT,
    secret: Annotated[
        str | None,
        typer.Option(help="The source's secret (whsec_…); better by CERCLES_SEND_SECRET.", show_default=False),
    ] = None,
    admin_key: Annotated[
        str | None,
        typer.Option(help="The gateway's admin key; better by CERCLES_SEND_ADMIN_KEY.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the totals as one JSON object, on one line.")] = False,
) -> None:
    """Make up campaigns, write their events to a file or send them to a gateway, and say what they must come to.

    Links are passed on from the owner's through the circles; pledges are promised, paid, canceled, refunded and
    disputed; events arrive twice and in disorder. Nothing in it is random but for the seed. Campaigns of other options
    have other ids, so that the same ones may be sent again at any time and change nothing.

    `cercles send` can't send the file as it is: it begins with the launches, which no source's door takes.

    Ends with the totals of each campaign, by the ledger's own rules: once everything is stored, the reader's
    /v1/campaigns/ID must answer the same. They go to standard output, or to standard error where the events go there.

    Exit codes: 0 done, 1 the gateway refused something, or the file can't be written, 2 a setting or an option
    is wrong, 3 the gateway can't be reached.
    """
    rates = _rates(
        authorize=authorize_rate,
        fail=fail_rate,
        cancel=cancel_rate,
        amend=amend_rate,
        capture=capture_rate,
        refund=refund_rate,
        dispute=dispute_rate,
        share=share_rate,
        unattributed=unattributed_rate,
        repeat=repeat_rate,
        disorder=disorder_rate,
    )
    if currency not in EXPONENTS:
        raise typer.BadParameter(f"{currency!r} is not an active ISO 4217 code in capitals, such as EUR")
    if re.fullmatch(NAME_PATTERN, source) is None:
        raise typer.BadParameter(f"{source!r} is no name of a source: letters, digits and . _ - are, at most 64")
    if not EARLIEST.year <= opens_on.year <= OPENS_YEAR_MAX:
        raise typer.BadParameter(f"campaigns open between {EARLIEST.year} and {OPENS_YEAR_MAX}")
    plan = Plan(
        seed=seed,
        campaigns=campaigns,
        pledges=pledges,
        days=days,
        opens_at=opens_on.replace(tzinfo=UTC),
        currency=currency,
        source=source,
        rates=rates,
    )
    from cercles.simulation.run import say, say_json  # noqa: PLC0415 - `cercles --help` should not wait for it

    if gateway is None:
        found = _to_file(plan, file, rate)
    else:
        found = _to_gateway(
            plan, gateway, file=file, rate=rate, batch_events=batch_events, secret=secret, admin_key=admin_key
        )
    (say_json if json else say)(found, sys.stderr if file == STANDARD_OUTPUT else sys.stdout)


def _rates(**rates: float) -> Rates:
    try:
        return Rates(**rates)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _to_file(plan: Plan, name: str | None, rate: float | None) -> "list[CampaignTotals]":
    from cercles.simulation.run import to_file  # noqa: PLC0415 - `cercles --help` should not wait for it

    if name is None:
        raise typer.BadParameter("name a file to write to (- is standard output), or a gateway with --gateway")
    if rate is not None:
        raise typer.BadParameter("--rate is for --gateway: a file is written as fast as it goes")
    if name == STANDARD_OUTPUT:
        return to_file(plan, sys.stdout.buffer)
    try:
        with Path(name).open("wb") as opened:
            return to_file(plan, opened)
    except OSError as error:
        fail(f"{name}: {error.strerror}", EXIT_FAILED)


def _to_gateway(
    plan: Plan,
    url: str,
    *,
    file: str | None,
    rate: float | None,
    batch_events: int,
    secret: str | None,
    admin_key: str | None,
) -> "list[CampaignTotals]":
    from cercles.simulation.run import to_gateway  # noqa: PLC0415 - `cercles --help` should not wait for it
    from cercles.simulation.telling import Doors  # noqa: PLC0415 - likewise

    if file is not None:
        raise typer.BadParameter("either a file or --gateway, not both")
    _check_times(plan)
    with _explained(), httpx.Client(timeout=ANSWER_SECONDS_MAX) as client:
        gateway = Gateway(client, url)
        doors = Doors(
            launcher(gateway, admin_key),
            sender(gateway, plan.source, secret),
            batch_events if rate is None else max(1, min(batch_events, int(rate / BATCHES_PER_SECOND))),
            None if rate is None else Pace(rate),
        )
        return to_gateway(plan, doors)


def _check_times(plan: Plan) -> None:
    """Refuse a story whose end no gateway takes, before its beginning is sent."""
    latest = datetime.now(UTC) + AHEAD_MAX
    if plan.ends_at > latest:
        opens = latest - (plan.ends_at - plan.opens_at) - timedelta(days=1)
        raise typer.BadParameter(
            f"a gateway takes nothing of the future, and the last event may be of {plan.ends_at:%Y-%m-%d}: let the "
            f"campaigns open on {opens:%Y-%m-%d} or earlier (--opens-on)"
        )


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        fail(str(error), EXIT_FAILED)
    except GatewayAwayError as error:
        fail(str(error), EXIT_UNREACHABLE)
