"""Which rows a batch of updates changes: pure, given how far each campaign's rows have come."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from schemas.updates import (
    BEFORE_EVERYTHING,
    Entry,
    Pledge,
    Position,
    RewardTotals,
    Share,
    ShareVisits,
    Update,
)
from sinks import rows
from sinks.bulk import Values

GapKind = Literal["missed", "disagreeing"]
"""`missed`: an update begins above the position. `disagreeing`: its totals are not ours plus its entries."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a campaign's rows have come."""

    position: Position
    gap_offset: int | None
    pledged_minor: int
    collected_minor: int


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """An update that was not applied, since its campaign's rows are not what it continues from."""

    kind: GapKind
    first: bool
    """Whether the campaign had no mark yet."""
    campaign_id: str
    partition: int
    position: Position
    before: Position
    after: Position


class _Campaign:
    """One campaign while a batch is planned."""

    __slots__ = ("collected_minor", "gap_offset", "last", "pledged_minor", "position", "terms")

    def __init__(self, standing: Standing | None) -> None:
        self.position = BEFORE_EVERYTHING if standing is None else standing.position
        self.gap_offset = None if standing is None else standing.gap_offset
        self.pledged_minor = 0 if standing is None else standing.pledged_minor
        self.collected_minor = 0 if standing is None else standing.collected_minor
        self.last: Update | None = None
        self.terms: Update | None = None

    def take(self, update: Update) -> None:
        """Go on to the end of an update whose totals agree."""
        self.position = update.after
        self.gap_offset = None
        self.last = update
        if update.terms is not None:
            self.terms = update
        self.pledged_minor = update.totals.pledged_minor
        self.collected_minor = update.totals.collected_minor

    def agrees(self, update: Update, entries: Iterable[Entry]) -> bool:
        """Whether the update's totals are ours plus its entries, and the sums of its circles."""
        totals = update.totals
        pledged, collected = self.pledged_minor, self.collected_minor
        for entry in entries:
            pledged += entry.pledged_minor
            collected += entry.collected_minor
        return totals.pledged_minor == pledged == sum(
            circle.pledged_minor for circle in totals.circles
        ) and totals.collected_minor == collected == sum(circle.collected_minor for circle in totals.circles)


class Plan:
    """What to write for updates, those of one partition in its order.

    Of rows that are replaced (terms, totals, circles, rewards, pledges, shares, visits) only the last is written;
    entries and milestones are all written, since each stands above the position that its campaign had.
    """

    def __init__(self, standings: Mapping[str, Standing]) -> None:
        self._standings = standings
        self._campaigns: dict[str, _Campaign] = {}
        self._pledges: dict[tuple[str, str], Pledge] = {}
        self._shares: dict[tuple[str, str], Share] = {}
        self._visits: dict[tuple[str, str, str], ShareVisits] = {}
        self._rewards: dict[tuple[str, str], RewardTotals] = {}
        self._gap_updates: dict[str, Update] = {}
        self.entries: list[Values] = []
        self.milestones: list[Values] = []
        self.gaps: list[Gap] = []
        """Every update that was skipped because of a gap, in order."""
        self.applied = 0
        """Updates of which at least a part was new."""
        self.known = 0
        """Updates that the rows were already past."""

    def add(self, update: Update) -> None:
        """Take in the next update of its partition."""
        campaign = self._campaigns.get(update.campaign_id)
        if campaign is None:
            campaign = self._campaigns[update.campaign_id] = _Campaign(self._standings.get(update.campaign_id))
        if update.after <= campaign.position:
            self.known += 1
            return
        if update.before > campaign.position:
            self._skip(campaign, update, "missed")
            return
        reached = (campaign.position.offset, campaign.position.number)
        entries = [entry for entry in update.entries if (entry.offset, entry.number) > reached]
        if not campaign.agrees(update, entries):
            self._skip(campaign, update, "disagreeing")
            return
        self.applied += 1
        self.entries += [rows.entry(update, entry) for entry in entries]
        self.milestones += [
            rows.milestone(update, milestone)
            for milestone in update.milestones
            if (milestone.offset, milestone.number) > reached
        ]
        for pledge in update.pledges:
            self._pledges[update.campaign_id, pledge.pledge_id] = pledge
        for share in update.shares:
            self._shares[update.campaign_id, share.share_token] = share
        for visits in update.visits:
            self._visits[update.campaign_id, visits.share_token, visits.origin] = visits
        for reward in update.rewards:
            self._rewards[update.campaign_id, reward.reward_id] = reward
        campaign.take(update)

    def _skip(self, campaign: _Campaign, update: Update, kind: GapKind) -> None:
        first = campaign.gap_offset is None
        if first:
            campaign.gap_offset = max(update.before.offset, 0)
            self._gap_updates[update.campaign_id] = update
        self.gaps.append(
            Gap(
                kind=kind,
                first=first,
                campaign_id=update.campaign_id,
                partition=update.partition,
                position=campaign.position,
                before=update.before,
                after=update.after,
            )
        )

    def campaigns(self) -> list[Values]:
        """Return the rows of `campaigns` whose terms have changed."""
        return [rows.campaign(changed.terms) for changed in self._campaigns.values() if changed.terms is not None]

    def campaign_totals(self) -> list[Values]:
        """Return the rows of `campaign_totals` to put in place, those of campaigns that begin with a gap included."""
        written: list[Values] = []
        for campaign_id, campaign in self._campaigns.items():
            if campaign.last is not None:
                written.append(rows.campaign_totals(campaign.last, campaign.gap_offset))
            elif campaign_id in self._gap_updates and campaign_id not in self._standings:
                written.append(rows.nothing_yet(self._gap_updates[campaign_id], campaign.gap_offset))
        return written

    def circle_totals(self) -> list[Values]:
        """Return the rows of `circle_totals` to put in place."""
        return [
            row
            for campaign in self._campaigns.values()
            if campaign.last is not None
            for row in rows.circle_totals(campaign.last)
        ]

    def pledges(self) -> list[Values]:
        """Return the rows of `pledges` to put in place."""
        return [rows.pledge(campaign_id, pledge) for (campaign_id, _), pledge in self._pledges.items()]

    def shares(self) -> list[Values]:
        """Return the rows of `shares` to put in place."""
        return [rows.share(campaign_id, share) for (campaign_id, _), share in self._shares.items()]

    def visits(self) -> list[Values]:
        """Return the rows of `share_visits` to put in place."""
        return [rows.visits(campaign_id, visits) for (campaign_id, *_), visits in self._visits.items()]

    def reward_totals(self) -> list[Values]:
        """Return the rows of `reward_totals` to put in place."""
        return [rows.reward_totals(campaign_id, reward) for (campaign_id, _), reward in self._rewards.items()]

    def marks(self) -> list[tuple[str, int]]:
        """Return the campaigns, with the gap's offset, whose row stands and is to be marked without other changes."""
        return [
            (campaign_id, campaign.gap_offset)
            for campaign_id, campaign in self._campaigns.items()
            if campaign.last is None
            and campaign.gap_offset is not None
            and campaign_id in self._gap_updates
            and campaign_id in self._standings
        ]
