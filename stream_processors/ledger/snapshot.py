"""A campaign's state as bytes and back: what a checkpoint holds. Pure; where the bytes go is the shell's business.

`restore(save(campaign))` goes on exactly as the campaign would have. Facts name their pledges by id here, so that a
pledge stands once; the graph of shares is told as its links, from which standings follow again.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

import msgspec
from msgspec import Struct

from schemas.events import CampaignAmendedData, CampaignLaunchedData, StretchGoal
from schemas.fields import DisputeStatus, RefundStatus, VisitOrigin
from schemas.updates import CampaignStatus, Position, UnattributedReason
from schemas.updates import Pledge as PledgeRow
from stream_processors.ledger.pledges import Cumulative, Dispute, Pledge, Refund, Share, Standing
from stream_processors.ledger.state import Campaign

FORM: Final = 3
"""Names the form of what `save` returns: another number for every change of it, since its parts have no names.

An update's row of a pledge is one of the parts.
"""


class _Share(Struct, array_like=True):
    token: str
    posted_at: datetime | None
    sharer_id: str | None
    network: str | None
    parent_token: str | None
    circle: int | None
    standing: Standing
    children: list[str]
    waiting: list[str]
    visits: list[tuple[str, VisitOrigin, int, int, int]]


class _Snapshot(Struct, array_like=True):
    launch: CampaignLaunchedData
    title: str
    goal_minor: int
    stretch_goals: list[StretchGoal]
    closes_at: datetime
    amendments: list[CampaignAmendedData]
    term_revisions: dict[str, int]
    status: CampaignStatus
    pledges: list[Pledge]
    pledge_numbers: list[int]
    rows: list[PledgeRow]
    authorizations: list[tuple[str, str, int]]
    canceled_authorizations: list[tuple[str, str]]
    captures: list[tuple[str, str, int]]
    refunds: list[tuple[str, str, int, RefundStatus]]
    disputes: list[tuple[str, str, int, DisputeStatus, bool, int]]
    attempts: list[tuple[str, str]]
    shares: list[_Share]
    pledged_minor: int
    collected_minor: int
    over_returned_minor: int
    late_minor: int
    circle_pledged_minor: list[int]
    circle_collected_minor: list[int]
    backers: list[tuple[str, list[int]]]
    backers_in_circle: list[int]
    backers_total: int
    unattributed: dict[UnattributedReason, int]
    day_totals: list[tuple[date, int, int]]
    reward_claims: dict[str, int]
    unknown_reward_claims: int
    position: Position
    goal_is_reached: bool
    goal_occurrences: int
    steps_said: list[int]
    overfunding_said_percent: int
    stretch_goals_said: list[str]
    unopened_circles: list[int]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Snapshot)


def save(campaign: Campaign) -> bytes:
    """Return the campaign's whole state, in MessagePack."""
    # The number of each among all pledges, so that they can be put in one order with the rows again.
    whole = [(n, pledge) for n, pledge in enumerate(campaign.pledges.values()) if isinstance(pledge, Pledge)]
    return _encoder.encode(
        _Snapshot(
            launch=campaign.launch,
            title=campaign.title,
            goal_minor=campaign.goal_minor,
            stretch_goals=campaign.stretch_goals,
            closes_at=campaign.closes_at,
            amendments=list(campaign.amendments.values()),
            term_revisions=campaign.term_revisions,
            status=campaign.status,
            pledges=[pledge for _, pledge in whole],
            pledge_numbers=[number for number, _ in whole],
            rows=[row for row in campaign.pledges.values() if isinstance(row, PledgeRow)],
            authorizations=[
                (key, one.pledge.pledge_id, one.amount_minor) for key, one in campaign.authorizations.items()
            ],
            canceled_authorizations=[(key, one.pledge_id) for key, one in campaign.canceled_authorizations.items()],
            captures=campaign.captured(),
            refunds=[
                (key, one.pledge.pledge_id, one.amount_minor, one.status) for key, one in campaign.refunds.items()
            ],
            disputes=[
                (key, one.pledge.pledge_id, one.amount_minor, one.status, one.withdrawn, one.lost_minor)
                for key, one in campaign.disputes.items()
            ],
            attempts=[(key, one.pledge_id) for key, one in campaign.attempts.items()],
            shares=_save_shares(campaign),
            pledged_minor=campaign.pledged_minor,
            collected_minor=campaign.collected_minor,
            over_returned_minor=campaign.over_returned_minor,
            late_minor=campaign.late_minor,
            circle_pledged_minor=campaign.circle_pledged_minor,
            circle_collected_minor=campaign.circle_collected_minor,
            backers=campaign.backers.save(),
            backers_in_circle=campaign.backers.in_circle,
            backers_total=campaign.backers.total,
            unattributed=campaign.unattributed,
            day_totals=[(day, *totals) for day, totals in campaign.day_totals.items()],
            reward_claims=campaign.reward_claims,
            unknown_reward_claims=campaign.unknown_reward_claims,
            position=campaign.position,
            goal_is_reached=campaign.goal_is_reached,
            goal_occurrences=campaign.goal_occurrences,
            steps_said=sorted(campaign.steps_said),
            overfunding_said_percent=campaign.overfunding_said_percent,
            stretch_goals_said=sorted(campaign.stretch_goals_said),
            unopened_circles=campaign.unopened_circles,
        )
    )


def restore(snapshot: bytes) -> Campaign:
    """Return the campaign that was saved. Raises msgspec.MsgspecError for bytes that `save` has not written."""
    saved = _decoder.decode(snapshot)
    campaign = Campaign(saved.launch)
    campaign.title = saved.title
    campaign.goal_minor = saved.goal_minor
    campaign.stretch_goals = saved.stretch_goals
    campaign.closes_at = saved.closes_at
    campaign.amendments = {one.revision: one for one in saved.amendments}
    campaign.term_revisions = saved.term_revisions
    campaign.status = saved.status
    _restore_facts(campaign, saved)
    _restore_shares(campaign, saved.shares)
    campaign.pledged_minor = saved.pledged_minor
    campaign.collected_minor = saved.collected_minor
    campaign.over_returned_minor = saved.over_returned_minor
    campaign.late_minor = saved.late_minor
    campaign.circle_pledged_minor = saved.circle_pledged_minor
    campaign.circle_collected_minor = saved.circle_collected_minor
    campaign.backers.restore(saved.backers, saved.backers_in_circle, saved.backers_total)
    campaign.unattributed = saved.unattributed
    campaign.day_totals = {day: (pledged, collected) for day, pledged, collected in saved.day_totals}
    campaign.reward_claims = saved.reward_claims
    campaign.unknown_reward_claims = saved.unknown_reward_claims
    campaign.position = saved.position
    campaign.goal_is_reached = saved.goal_is_reached
    campaign.goal_occurrences = saved.goal_occurrences
    campaign.steps_said = set(saved.steps_said)
    campaign.overfunding_said_percent = saved.overfunding_said_percent
    campaign.stretch_goals_said = set(saved.stretch_goals_said)
    campaign.unopened_circles = saved.unopened_circles
    return campaign


def _restore_facts(campaign: Campaign, saved: _Snapshot) -> None:
    kept, find = campaign.pledges, campaign.find_pledge
    for pledge in _restore_pledges(saved):
        kept[pledge.pledge_id] = pledge
    for key, pledge_id, amount_minor in saved.authorizations:
        campaign.authorizations[key] = Cumulative(find(pledge_id), amount_minor)
    campaign.canceled_authorizations = {key: find(pledge) for key, pledge in saved.canceled_authorizations}
    for key, pledge_id, amount_minor in saved.captures:
        known = kept[pledge_id]
        # What is kept as a row has no other capture.
        campaign.captures[key] = known if isinstance(known, PledgeRow) else Cumulative(known, amount_minor)
    campaign.refunds = {key: Refund(find(pledge), amount, status) for key, pledge, amount, status in saved.refunds}
    for key, pledge_id, amount, status, withdrawn, lost in saved.disputes:
        dispute = campaign.disputes[key] = Dispute(find(pledge_id), amount)
        dispute.status, dispute.withdrawn, dispute.lost_minor = status, withdrawn, lost
    campaign.attempts = {key: find(pledge) for key, pledge in saved.attempts}


def _restore_pledges(saved: _Snapshot) -> Iterator[Pledge | PledgeRow]:
    whole, rows = dict(zip(saved.pledge_numbers, saved.pledges, strict=True)), iter(saved.rows)
    return (whole.get(number) or next(rows) for number in range(len(whole) + len(saved.rows)))


def _save_shares(campaign: Campaign) -> list[_Share]:
    return [
        _Share(
            token=share.token,
            posted_at=share.posted_at,
            sharer_id=share.sharer_id,
            network=share.network,
            parent_token=share.parent_token,
            circle=share.circle,
            standing=share.standing,
            children=[child.token for child in share.children],
            waiting=list(share.waiting),
            visits=[(*counter, *counts) for counter, counts in share.visits.items()],
        )
        for share in campaign.shares.values()
    ]


def _restore_shares(campaign: Campaign, saved: list[_Share]) -> None:
    campaign.shares = {one.token: Share(one.token) for one in saved}
    for one in saved:
        share = campaign.shares[one.token]
        share.posted_at = one.posted_at
        share.sharer_id = one.sharer_id
        share.network = one.network
        share.parent_token = one.parent_token
        share.circle = one.circle
        share.standing = one.standing
        share.children = [campaign.shares[token] for token in one.children]
        share.waiting = {pledge_id: campaign.find_pledge(pledge_id) for pledge_id in one.waiting}
        share.visits = {
            (counter, origin): (visits, bots, prefetches) for counter, origin, visits, bots, prefetches in one.visits
        }
