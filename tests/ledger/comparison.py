"""Hold the fold against the naive ledger, and against what is always true."""

from collections import Counter
from itertools import pairwise
from typing import Any

import msgspec

from schemas.fields import CIRCLES, AnyCircle
from schemas.updates import Entry, Milestone
from stream_processors.ledger.outcome import Outcome
from stream_processors.ledger.state import Campaign, PartitionState
from tests.ledger.naive_campaign import NaiveCampaign
from tests.ledger.naive_facts import known

Line = tuple[str | None, AnyCircle | None, Any, int, int]


def view(campaign: Campaign) -> dict[str, Any]:
    """Return everything that can be asked of a campaign."""
    return {
        "totals": campaign.totals(),
        "days": campaign.days(),
        "rewards": campaign.rewards(),
        "terms": campaign.terms(),
        "pledges": {pledge_id: campaign.pledge(pledge_id) for pledge_id in sorted(campaign.pledges)},
        "shares": {share.share_token: share for share in campaign.posted_shares()},
        "visits": {f"{one.share_token} from {one.origin}": one for one in campaign.visits()},
    }


def views(state: PartitionState) -> dict[str, dict[str, Any]]:
    return {campaign_id: view(campaign) for campaign_id, campaign in sorted(state.campaigns.items())}


def naive_view(campaign: NaiveCampaign) -> dict[str, Any]:
    return {
        "totals": campaign.totals(),
        "days": campaign.days(),
        "rewards": campaign.rewards(),
        "terms": campaign.terms(),
        "pledges": {pledge.pledge_id: pledge for pledge in campaign.pledges()},
        "shares": {share.share_token: share for share in campaign.shares()},
        "visits": {f"{one.share_token} from {one.origin}": one for one in campaign.visits()},
    }


def check_sums(campaign: Campaign, entries: list[Entry]) -> None:
    """Campaign = sum of circles = sum of days = sum of entries, and 0 ≤ collected ≤ pledged."""
    totals = campaign.totals()
    for name in ("pledged_minor", "collected_minor"):
        total = getattr(totals, name)
        assert total == sum(getattr(circle, name) for circle in totals.circles)
        assert total == sum(getattr(day, name) for day in campaign.days())
        assert total == sum(getattr(entry, name) for entry in entries)
        for circle in totals.circles:
            in_circle = [entry for entry in entries if entry.circle == circle.circle]
            assert getattr(circle, name) == sum(getattr(entry, name) for entry in in_circle)
        for day in campaign.days():
            on_day = [entry for entry in entries if entry.day == day.day]
            assert getattr(day, name) == sum(getattr(entry, name) for entry in on_day)
    check_claims(campaign)
    for pledge_id in campaign.pledges:
        pledge = campaign.pledge(pledge_id)
        assert 0 <= pledge.collected_minor <= pledge.pledged_minor
        assert pledge.over_returned_minor >= 0


def check_claims(campaign: Campaign) -> None:
    """Every pledge in time and above 0 that names a reward claims it: in sum, known rewards and unknown ones."""
    pledges = [campaign.pledge(pledge_id) for pledge_id in campaign.pledges]
    claiming = [one for one in pledges if one.reward_id is not None and not one.late and one.pledged_minor > 0]
    rewards = campaign.rewards()
    assert sum(one.claimed for one in rewards) + campaign.totals().unknown_reward_claims == len(claiming)
    for reward, terms in zip(rewards, campaign.launch.rewards, strict=True):
        assert reward.claimed >= 0
        if terms.quantity is None:
            assert (reward.claims_left, reward.exhausted_claims) == (None, 0)
        elif reward.claims_left is not None:
            assert reward.claimed + reward.claims_left == terms.quantity + reward.exhausted_claims
            assert 0 in {reward.claims_left, reward.exhausted_claims}


def check_numbers(outcome: Outcome, offset: int) -> None:
    """Entries and then milestones stand at the event's offset, numbered in one sequence from 0."""
    everything: list[Entry | Milestone] = [*outcome.entries, *outcome.milestones]
    assert [one.offset for one in everything] == [offset] * len(everything)
    assert [one.number for one in everything] == list(range(len(everything)))


def check_said_once(milestones: list[Milestone]) -> None:
    """No milestone is said twice, and the goal is reached and lost by turns: 1, 1, 2, 2, …"""
    keys = Counter((one.type, *_what(one)) for one in milestones)
    assert max(keys.values(), default=1) == 1
    turns = [one for one in milestones if one.type in {"cercles.goal.reached", "cercles.goal.lost"}]
    for number, turn in enumerate(turns):
        assert turn.type == ("cercles.goal.lost" if number % 2 else "cercles.goal.reached")
        assert turn.occurrence == number // 2 + 1
    assert sum(one.type in {"cercles.campaign.succeeded", "cercles.campaign.failed"} for one in milestones) <= 1
    for before, after in pairwise(milestones):
        assert before.offset != after.offset or _rank(before) <= _rank(after)


def _what(milestone: Milestone) -> tuple[Any, ...]:
    if milestone.circle is not None:
        return (milestone.circle,)
    return milestone.step, milestone.occurrence, milestone.stretch_goal_id


def _rank(milestone: Milestone) -> tuple[int, int]:
    """Return what milestones of one event are ordered by: thresholds, then circles."""
    if milestone.circle is not None:
        return 1, CIRCLES.index(milestone.circle)
    return 0, milestone.threshold_minor


def expected_lines(before: NaiveCampaign | None, after: NaiveCampaign) -> Counter[Line]:
    """Return the entries that the rule book asks for: out of the old place, whole, then into the new one."""
    old = {} if before is None else before.places()
    new = after.places()
    lines: Counter[Line] = Counter()
    for pledge_id in {*old, *new}:
        was, now = old.get(pledge_id), new.get(pledge_id)
        if was is not None and now is not None and was[0] == now[0]:
            if was != now:
                lines[pledge_id, *now[0], now[1][0] - was[1][0], now[1][1] - was[1][1]] += 1
            continue
        if was is not None:
            lines[pledge_id, *was[0], -was[1][0], -was[1][1]] += 1
        if now is not None:
            lines[pledge_id, *now[0], *now[1]] += 1
    moved = {line[0] for line in lines}
    rows = {} if before is None else {row.pledge_id: row for row in before.pledges()}
    for row in after.pledges():
        was_row = rows.get(row.pledge_id, row)
        # What is shown of a pledge comes with an entry, of zero where no money moves.
        if row.pledge_id not in moved and (row.circle, row.unattributed) != (was_row.circle, was_row.unattributed):
            place = new[row.pledge_id][0] if row.pledge_id in new else (None, None)
            lines[row.pledge_id, *place, 0, 0] += 1
    if not lines and (before is None or known(before) != known(after)):
        lines[_line_of_nothing(after)] += 1
    return lines


def _line_of_nothing(campaign: NaiveCampaign) -> Line:
    """An event that moves no money leaves one entry of 0, with the pledge's place where it has one."""
    pledge_id = getattr(campaign.log[-1].event.data, "pledge_id", None)
    circle, day = campaign.places()[pledge_id][0] if pledge_id in campaign.places() else (None, None)
    return pledge_id, circle, day, 0, 0


def check_entries(before: NaiveCampaign | None, after: NaiveCampaign, entries: list[Entry]) -> None:
    """The entries are those of the rule book, each opposite pair in order, and name their event."""
    lines = [(one.pledge_id, one.circle, one.day, one.pledged_minor, one.collected_minor) for one in entries]
    assert Counter(lines) == expected_lines(before, after)
    for first, second in pairwise(lines):
        if first[0] == second[0]:
            old = {} if before is None else before.places()
            assert first[1:3] == old[str(first[0])][0], "a move begins with the old place"
    check_exhausted(before, after, entries)
    last = after.log[-1].event
    assert all((one.event_id, one.occurred_at) == (last.id, last.time) for one in entries)
    assert all(one.event_type == last.__struct_config__.tag for one in entries)


def check_exhausted(before: NaiveCampaign | None, after: NaiveCampaign, entries: list[Entry]) -> None:
    """The last entry of a pledge is flagged when it newly claims a reward of which none was left."""
    old = {} if before is None else before.claims()
    new = after.claims()
    flagged = {one.pledge_id for one in entries if one.reward_exhausted}
    assert len(flagged) == sum(one.reward_exhausted for one in entries)
    last = {one.pledge_id: one for one in entries}
    assert all(last[pledge_id].reward_exhausted for pledge_id in flagged)
    for reward_id, quantity in after.quantities().items():
        made = {pledge_id for pledge_id, claimed in new.items() if claimed == reward_id != old.get(pledge_id)}
        beyond = 0 if quantity is None else max(0, list(new.values()).count(reward_id) - quantity)
        assert len(flagged & made) == min(len(made), beyond)
        flagged -= made
    assert not flagged


def numbered_alone(milestones: list[Milestone], entries_of: dict[int, int]) -> list[Milestone]:
    """Return the milestones numbered within their event as if it had no entries; those are counted by offset."""
    return [msgspec.structs.replace(one, number=one.number - entries_of[one.offset]) for one in milestones]
