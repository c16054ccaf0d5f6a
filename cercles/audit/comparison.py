"""Compares what the fold says with the rows, column by column. Columns are those of the structs, by name."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.updates import Entry, Milestone
from stream_processors.ledger.state import Campaign

Columns = Mapping[str, Any]

_RENAMED: Final = {
    Entry: {"offset": "log_offset", "number": "entry_number"},
    Milestone: {"offset": "log_offset", "number": "milestone_number"},
}


def line_columns(campaign_id: str, line: Entry | Milestone) -> Columns:
    """Return the columns of an entry or a milestone."""
    renamed = _RENAMED[type(line)]
    columns = {renamed.get(name, name): value for name, value in msgspec.structs.asdict(line).items()}
    return columns | {"campaign_id": campaign_id}


def terms_columns(campaign: Campaign) -> Columns:
    """Return the columns of `campaigns`."""
    terms = campaign.terms()
    return msgspec.structs.asdict(terms) | {
        "currency": campaign.launch.currency,
        "stretch_goals": msgspec.to_builtins(terms.stretch_goals),
        "rewards": msgspec.to_builtins(terms.rewards),
    }


def totals_columns(campaign: Campaign) -> Columns:
    """Return the columns of `campaign_totals` that are sums."""
    columns = msgspec.structs.asdict(campaign.totals())
    del columns["circles"]
    return columns


def circle_columns(campaign: Campaign) -> dict[str, Columns]:
    """Return the rows of `circle_totals` by circle."""
    return {one.circle: msgspec.structs.asdict(one) for one in campaign.totals().circles}


def reward_columns(campaign: Campaign) -> dict[str, Columns]:
    """Return the rows of `reward_totals` by reward."""
    return {one.reward_id: msgspec.structs.asdict(one) for one in campaign.rewards()}


def pledge_columns(campaign: Campaign, pledge_id: str) -> Columns:
    """Return the columns of a row of `pledges`."""
    return msgspec.structs.asdict(campaign.pledge(pledge_id))


def share_columns(campaign: Campaign) -> dict[str, Columns]:
    """Return the rows of `shares` by token."""
    return {one.share_token: msgspec.structs.asdict(one) for one in campaign.posted_shares()}


def visit_columns(campaign: Campaign) -> dict[tuple[str, str], Columns]:
    """Return the rows of `share_visits` by token and origin."""
    return {(one.share_token, one.origin): msgspec.structs.asdict(one) for one in campaign.visits()}


def day_columns(campaign: Campaign) -> dict[Any, Columns]:
    """Return the rows of `day_totals` that are not zero, by day."""
    return {one.day: msgspec.structs.asdict(one) for one in campaign.days() if one.pledged_minor or one.collected_minor}


def differing(found: Columns, wanted: Columns) -> list[tuple[str, Any, Any]]:
    """Return name, stored and wanted value of every column that differs."""
    return [(name, found[name], value) for name, value in wanted.items() if found[name] != value]
