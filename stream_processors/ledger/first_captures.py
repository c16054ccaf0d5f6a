"""The commonest events by a shorter way: captures of pledges that the log has not named before.

Nothing has to be held against such a capture, and nothing of it has to be taken out of any total first. So what
`facts.capture` and `placement.place` do step by step is done at once, and what a run of them adds to the totals is
written down at its end; whatever is not plain goes the long way. That both lead to the same is tested
(tests/ledger/test_properties.py), what it is worth is measured (benchmarks/README.md).
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from schemas.events import TYPE_NAMES, PledgeCaptured
from schemas.fields import CIRCLES
from schemas.updates import Entry, Pledge, UnattributedReason
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.moments import YEAR_MAX, YEAR_MIN
from stream_processors.ledger.pledges import UNATTRIBUTED
from stream_processors.ledger.state import Campaign
from stream_processors.ledger.told import Told

_CAPTURED: Final = TYPE_NAMES[PledgeCaptured]

_FIRST: Final = datetime(YEAR_MIN, 1, 1, tzinfo=UTC)
_END: Final = datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)
"""From when to when a moment in UTC is one that the ledger holds (`moments.is_moment`)."""

_FIRST_ANYWHERE: Final = _FIRST + timedelta(days=1)
_END_ANYWHERE: Final = _END - timedelta(days=1)
"""From when to when it is one in whatever zone it is told."""


# The loop is one function, and long: a call for a part of it would take as long as the part. What breaks it stands
# before anything of its event is written down.
def fold_first_captures(  # noqa: C901
    campaign: Campaign, told: Told, first: int, end: int, changes: Changes
) -> int:
    """Fold the plain first captures from number `first` to `end`, until something has to be said or is not plain.

    Plain: a capture of this campaign, final, in its currency, in time, from one of its sources; of a pledge and a
    capture that are new; without a reward, and without a link or by another's link whose circle is known.

    Returns the number of the first record that was not folded. Where that is not `first`, `changes` stands at the
    record before it, and what comes after every event (milestones, order signals) is still to be said.
    """
    campaign_id, sources, currency = campaign.launch.campaign_id, campaign.sources, campaign.currency
    pledges, captures, shares = campaign.pledges, campaign.captures, campaign.shares
    entries, rows, are_said = changes.entries, changes.pledges, changes.are_said
    room_minor, without_token, circles_minor = campaign.room_minor, 0, [0] * len(CIRCLES)
    backers: list[tuple[str | None, int]] = []
    days_minor: list[tuple[date, int]] = []
    begins, ends, day, day_minor, source = _END, _END, date.max, 0, ""
    last: PledgeCaptured | None = None
    reason: UnattributedReason | None
    for offset, event in zip(told.offsets[first:end], told.events[first:end], strict=True):
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
            or (event.source != source and event.source not in sources)
            or made_at.tzinfo is not UTC
            # Without one of its own the pledge's moment is this, which is held against its day's ends below.
            or (made_at is not moment and not _FIRST_ANYWHERE <= moment < _END_ANYWHERE)
        ):
            break
        backer_id, share_token = data.backer_id, data.share_token
        if share_token is None:
            circle, reason = UNATTRIBUTED, "no_token"
        else:
            share = shares.get(share_token)
            if share is None or not isinstance(share.standing, int) or share.sharer_id == backer_id:
                break
            # The link's own text: one for all its pledges.
            share_token, circle, reason = share.token, share.standing, None
        if not begins <= made_at < ends:
            if not _FIRST <= made_at < min(campaign.closes_at, _END):
                break
            days_minor.append((day, day_minor))
            begins, ends, day = campaign.local_days.span_of(made_at)
            begins, ends, day_minor = max(begins, _FIRST), min(ends, campaign.closes_at, _END), 0
        if reason is not None:
            without_token += 1
        amount_minor = data.amount_minor
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
        day_minor += amount_minor
        if are_said:
            rows[pledge_id] = row
            entries.append(
                Entry(
                    offset,
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
        last, source = event, event.source
        room_minor -= amount_minor
        if room_minor <= 0:
            break
    if last is None:
        return first
    # The first of them was told before there was a day.
    days_minor = [*days_minor[1:], (day, day_minor)]
    campaign.count_captures(backers, without_token, circles_minor, days_minor)
    reached = first + len(backers)
    days = [day for day, _ in days_minor]
    changes.end_run(last, told.offsets[reached - 1], days, told.taken_bytes_max(first, reached))
    return reached
