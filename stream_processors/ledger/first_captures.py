"""The commonest events by a shorter way: captures of pledges that the log has not named before.

Nothing has to be held against such a capture, and nothing of it has to be taken out of any total first. So what
`facts.capture` and `placement.place` do step by step is done at once, and what a run of them adds to the totals is
written down at its end; whatever is not plain goes the long way. That both lead to the same is tested
(tests/ledger/test_first_captures.py), what it is worth is measured (benchmarks/README.md).
"""

from collections.abc import Sequence
from datetime import UTC, date
from typing import Final, NamedTuple

from schemas.events import TYPE_NAMES, LogEvent, PledgeCaptured
from schemas.fields import CIRCLES
from schemas.updates import Entry, Pledge, UnattributedReason
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.moments import YEAR_MAX, YEAR_MIN
from stream_processors.ledger.state import UNATTRIBUTED, Campaign

_CAPTURED: Final = TYPE_NAMES[PledgeCaptured]


class Told(NamedTuple):
    """Records that follow each other in one campaign's story, and the event of each, or None if it is not decoded yet.

    Where there is an event, its record holds no escape: no text takes more bytes in an update than in the record.
    """

    offsets: Sequence[int]
    values: Sequence[bytes]
    events: Sequence[LogEvent | None]


def fold_first_captures(campaign: Campaign, told: Told, first: int, changes: Changes) -> int:
    """Fold the plain first captures from number `first` on, until something has to be said or is not plain.

    Plain: a capture of this campaign, final, in its currency, in time, from one of its sources; of a pledge and a
    capture that are new; without a reward, and without a link or by another's link whose circle is known.

    Returns the number of the first record that was not folded. Where that is not `first`, `changes` stands at the
    record before it, and what comes after every event (milestones, order signals) is still to be said.
    """
    campaign_id, sources, currency = campaign.launch.campaign_id, campaign.sources, campaign.currency
    closes_at, day_of, shares = campaign.closes_at, campaign.local_days.day_of, campaign.shares
    pledges, captures = campaign.pledges, campaign.captures
    entries, rows, are_said = changes.entries, changes.pledges, changes.are_said
    events, offsets, room_minor, sum_minor, without_token = told.events, told.offsets, campaign.room_minor, 0, 0
    circles_minor = [0] * len(CIRCLES)
    days_minor: dict[date, int] = {}
    backers: list[tuple[str | None, int]] = []
    last: PledgeCaptured | None = None
    reason: UnattributedReason | None
    number, end = first, len(events)
    while number < end:
        event = events[number]
        if not isinstance(event, PledgeCaptured):
            break
        data, moment = event.data, event.time
        pledge_id, capture_id, made_at = data.pledge_id, data.capture_id, data.made_at or moment
        if (
            pledge_id in pledges
            or capture_id in captures
            or not data.final
            or data.reward_id is not None
            or data.currency != currency
            or data.campaign_id != campaign_id
            or event.source not in sources
            or made_at >= closes_at
            or made_at.tzinfo is not UTC
            or made_at.year < YEAR_MIN
            or not YEAR_MIN <= moment.year <= YEAR_MAX
        ):
            break
        backer_id, share_token = data.backer_id, data.share_token
        if share_token is None:
            circle, reason = UNATTRIBUTED, "no_token"
            without_token += 1
        else:
            share = shares.get(share_token)
            if share is None or not isinstance(share.standing, int) or share.sharer_id == backer_id:
                break
            # The link's own text: one for all its pledges.
            share_token, circle, reason = share.token, share.standing, None
        amount_minor, day = data.amount_minor, day_of(made_at)
        pledges[pledge_id] = captures[capture_id] = row = Pledge(
            pledge_id,
            CIRCLES[circle],
            amount_minor,
            amount_minor,
            0,
            False,
            day,
            made_at,
            backer_id,
            share_token,
            reason,
        )
        backers.append((backer_id, circle))
        circles_minor[circle] += amount_minor
        days_minor[day] = days_minor.get(day, 0) + amount_minor
        if are_said:
            rows[pledge_id] = row
            entries.append(
                Entry(
                    offsets[number],
                    0,
                    event.id,
                    _CAPTURED,
                    moment,
                    pledge_id,
                    row.circle,
                    day,
                    amount_minor,
                    amount_minor,
                )
            )
        number, last = number + 1, event
        sum_minor += amount_minor
        if sum_minor >= room_minor:
            break
    if last is not None:
        campaign.backers.add(backers)
        campaign.count_captures(circles_minor, days_minor, without_token)
        record_bytes = sum(map(len, told.values[first:number]))
        changes.run(last, offsets[number - 1], days_minor, number - first, record_bytes)
    return number
