"""The fold: one event onto the state of its partition."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NoReturn

from schemas.events import (
    CampaignAmended,
    CampaignClosed,
    CampaignLaunched,
    Event,
    LogEvent,
    PledgeAmended,
    PledgeAuthorized,
    PledgeCanceled,
    PledgeCaptured,
    PledgeDisputed,
    PledgeFailed,
    PledgeRefunded,
    SharePosted,
    ShareVisited,
)
from stream_processors.ledger import facts, life
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.first_captures import fold_first_captures
from stream_processors.ledger.milestones import say_milestones
from stream_processors.ledger.moments import check_moment
from stream_processors.ledger.order import say_order_signals
from stream_processors.ledger.outcome import Outcome, Refusal
from stream_processors.ledger.placement import place
from stream_processors.ledger.pledges import Pledge
from stream_processors.ledger.state import Campaign, PartitionState
from stream_processors.ledger.told import Told

_FACTS: Final[dict[type[Event], Callable[[Campaign, Any, datetime], Pledge | None]]] = {
    PledgeAuthorized: facts.authorize,
    PledgeAmended: facts.amend,
    PledgeCaptured: facts.capture,
    PledgeRefunded: facts.refund,
    PledgeDisputed: facts.dispute,
    PledgeFailed: facts.fail,
    PledgeCanceled: facts.cancel,
}
_CAMPAIGN_EVENTS: Final[dict[type[Event], Callable[[Campaign, Any, datetime, Changes], bool]]] = {
    CampaignAmended: life.amend_terms,
    CampaignClosed: life.close,
}
_SHARE_EVENTS: Final[dict[type[Event], Callable[[Campaign, Any, datetime, Changes], bool]]] = {
    SharePosted: life.post_share,
    ShareVisited: life.count_visits,
}


def apply(state: PartitionState, event: LogEvent, offset: int) -> Outcome:
    """Apply the event that stands at `offset` of the partition's log, and say what it changed.

    A refused event changes nothing; neither does one that is known already.
    """
    try:
        campaign = find_campaign(state, event)
        changes = Changes(campaign)
        fold_event(campaign, event, offset, changes)
    except Refusal as refusal:
        return Outcome(refusal=refusal)
    return Outcome(changes.entries, changes.milestones)


def find_campaign(state: PartitionState, event: LogEvent) -> Campaign:
    """Return the event's campaign, which a launch makes.

    Raises Refusal: `campaign_unknown` when no launch of it stands before the event, `invalid_event` for a time that the
    ledger cannot hold.
    """
    check_moment(event.time)
    campaign_id = event.data.campaign_id
    campaign = state.campaigns.get(campaign_id)
    if campaign is None:
        if not isinstance(event, CampaignLaunched):
            raise Refusal("campaign_unknown", f"no launch of campaign {campaign_id} stands before this event")
        check_moment(event.data.opens_at)
        check_moment(event.data.closes_at)
        campaign = state.campaigns[campaign_id] = Campaign(event.data)
    return campaign


def fold_event(campaign: Campaign, event: LogEvent, offset: int, changes: Changes) -> None:
    """Apply the event to its campaign and take down what it changed, milestones last.

    Raises Refusal, with nothing changed.
    """
    changes.event, changes.offset, changes.number = event, offset, 0
    fact = _FACTS.get(type(event))
    if fact is not None:
        if event.source not in campaign.sources:
            _refuse_source(event.source)
        pledge = fact(campaign, event.data, event.time)
        if pledge is None:
            return
        place(pledge, changes)
    elif isinstance(event, CampaignLaunched):
        life.relaunch(campaign, event.data)
        if campaign.position.offset >= 0:
            return
        changes.terms_changed = True
        changes.entry()
    elif not _fold_campaign_event(campaign, event, changes):
        return
    _say_what_follows(campaign, changes)


def fold_run(campaign: Campaign, told: Told, first: int, end: int, changes: Changes) -> int:
    """Apply those of the events from number `first` to `end` that can be applied together, as `fold_event` would each.

    Returns the number of the first event that was not applied: `first`, if it has to be looked at by itself.
    """
    if not isinstance(told.events[first], PledgeCaptured):
        return first
    if changes.size_bytes_max:
        changes.make_room(told.taken_bytes_max(first, end))
    reached = fold_first_captures(campaign, told, first, end, changes)
    if reached > first:
        changes.cut_if_full()
        _say_what_follows(campaign, changes)
    return reached


def _say_what_follows(campaign: Campaign, changes: Changes) -> None:
    """Say the milestones and order signals that the last event has led to."""
    total = campaign.pledged_minor if campaign.goal_counts_pledged else campaign.collected_minor
    if total >= campaign.next_threshold_minor or (campaign.goal_is_reached and total < campaign.goal_minor):
        say_milestones(campaign, changes)
    if campaign.unopened_circles:
        say_order_signals(campaign, changes)


def _fold_campaign_event(campaign: Campaign, event: Event, changes: Changes) -> bool:
    """Apply an amendment, a close or a share; return whether it changed anything."""
    change = _CAMPAIGN_EVENTS.get(type(event))
    if change is None:
        if event.source not in campaign.share_sources:
            _refuse_source(event.source)
        change = _SHARE_EVENTS[type(event)]
    if not change(campaign, event.data, event.time, changes):
        return False
    if not changes.number:
        changes.entry()
    changes.cut_if_full()
    return True


def _refuse_source(source: str) -> NoReturn:
    raise Refusal("source_not_allowed", f"the campaign does not list {source} among its sources")
