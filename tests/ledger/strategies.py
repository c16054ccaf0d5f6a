"""Hypothesis strategies: stories of a campaign whose facts do not conflict.

Few ids, few moments and small goals, so that facts meet: pledges share backers and links, moments fall on both sides of
midnight, of a change of summer time and of the deadline, and goals are crossed again and again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from hypothesis import strategies as st

from schemas.events import CampaignLaunched, CircleThresholds, LogEvent, Reward, StretchGoal
from tests.ledger.events import (
    CLOSES,
    OPENS,
    amend,
    authorize,
    cancel,
    capture,
    dispute,
    fail,
    launch,
    promise,
    refund,
    share,
    visit,
)

_TICK: Final = timedelta(microseconds=1)
_KOLKATA: Final = timezone(timedelta(hours=5, minutes=30))

DEADLINES: Final = (CLOSES - timedelta(days=7), CLOSES, CLOSES + timedelta(days=7))
AMENDED_AT: Final = OPENS + timedelta(hours=1)
"""Before every deadline, so that in any order no amendment comes too late."""

MOMENTS: Final = (
    # Both sides of midnight in Paris in winter, in UTC and told from elsewhere.
    datetime(2026, 3, 10, 22, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 10, 23, tzinfo=UTC),
    datetime(2026, 3, 10, 23, tzinfo=UTC).astimezone(_KOLKATA),
    # The day that summer time begins has 23 hours.
    datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 28, 23, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 22, tzinfo=UTC),
    # Both sides of each deadline.
    *(deadline - _TICK for deadline in DEADLINES),
    *DEADLINES,
    CLOSES.astimezone(_KOLKATA) + _TICK,
)

BACKERS: Final = ("backer-01", "backer-02", "backer-03")
TOKENS: Final = ("t0", "t1", "t2", "t3", "t4")
LOST_TOKEN: Final = "t-never-posted"
REWARDS: Final = ("r0", "r1", "r2")
PLEDGES: Final = ("p0", "p1", "p2", "p3")

amounts = st.one_of(st.integers(1, 40), st.integers(1, 2000), st.sampled_from([10**12, 10**12 - 1]))
goals = st.sampled_from([1, 3, 40, 100, 1000, 10**12])
moments = st.sampled_from(MOMENTS)
maybe_moments = st.none() | moments
maybe_backers = st.none() | st.sampled_from(BACKERS)
maybe_tokens = st.none() | st.sampled_from((*TOKENS, LOST_TOKEN))
maybe_rewards = st.none() | st.sampled_from(REWARDS)


@st.composite
def stretch_goals(draw: st.DrawFn) -> list[StretchGoal]:
    names = draw(st.lists(st.sampled_from(["s0", "s1", "s2"]), unique=True, max_size=3))
    return [StretchGoal(stretch_goal_id=name, title=name, amount_minor=draw(amounts)) for name in names]


@st.composite
def circle_thresholds(draw: st.DrawFn) -> CircleThresholds:
    percents = st.sampled_from([0, 1, 30, 33, 100])
    return CircleThresholds(friends=draw(percents), friends_of_friends=draw(percents))


@st.composite
def rewards(draw: st.DrawFn) -> list[Reward]:
    """Few of each, so that they are soon exhausted; pledges name those that the terms leave out too."""
    names = draw(st.lists(st.sampled_from(REWARDS), unique=True))
    return [Reward(reward_id=name, quantity=draw(st.none() | st.integers(1, 2))) for name in names]


@st.composite
def launches(draw: st.DrawFn, campaign: str = "c0") -> CampaignLaunched:
    """Launches in euros, with every way to count toward the goal."""
    basis = draw(st.sampled_from(["pledged", "collected"]))
    return launch(
        campaign=campaign,
        goal_minor=draw(goals),
        goal_basis=basis,
        funding_model="keep_it_all" if basis == "collected" else "all_or_nothing",
        stretch_goals=draw(stretch_goals()),
        milestone_steps=draw(st.lists(st.integers(1, 99), unique=True, max_size=3) | st.just([25, 50, 75])),
        overfunding_step=draw(st.sampled_from([5, 7, 100, 1000])),
        circle_thresholds=draw(st.none() | circle_thresholds()),
        settle_hours=draw(st.sampled_from([0, 1, 24])),
        timezone=draw(st.sampled_from(["Europe/Paris", "Asia/Tokyo", "America/St_Johns"])),
        rewards=draw(rewards()),
    )


@st.composite
def sightings(draw: st.DrawFn) -> dict[str, Any]:
    """What an authorization or a capture tells beside its amount."""
    return {
        "at": draw(moments),
        "made_at": draw(maybe_moments),
        "backer_id": draw(maybe_backers),
        "share_token": draw(maybe_tokens),
        "reward_id": draw(maybe_rewards),
    }


def _few(low: int = 0) -> st.SearchStrategy[int]:
    return st.integers(low, 2)


@st.composite
def _authorizations(draw: st.DrawFn, pledge: str, campaign: str) -> list[LogEvent]:
    return [
        authorize(pledge, draw(amounts), authorization=f"{pledge}-a{index}", campaign=campaign, **draw(sightings()))
        for index in range(draw(_few()))
        for _ in range(draw(_few(1)))
    ]


@st.composite
def _captures(draw: st.DrawFn, pledge: str, campaign: str) -> list[LogEvent]:
    return [
        capture(
            pledge,
            draw(amounts),
            capture_id=f"{pledge}-c{index}",
            final=draw(st.booleans()),
            campaign=campaign,
            **draw(sightings()),
        )
        for index in range(draw(_few()))
        for _ in range(draw(_few(1)))
    ]


@st.composite
def _refunds(draw: st.DrawFn, pledge: str, campaign: str) -> list[LogEvent]:
    events: list[LogEvent] = []
    for index in range(draw(_few())):
        amount = draw(amounts)
        statuses = draw(st.lists(st.sampled_from(["pending", "succeeded", "failed", "canceled"]), max_size=2))
        events += [refund(pledge, amount, one, refund_id=f"{pledge}-r{index}", campaign=campaign) for one in statuses]
    return events


@st.composite
def _disputes(draw: st.DrawFn, pledge: str, campaign: str) -> list[LogEvent]:
    events: list[LogEvent] = []
    for index in range(draw(_few())):
        amount = draw(amounts)
        events += [
            dispute(
                pledge,
                amount,
                status,
                withdrawn=draw(st.booleans()),
                lost_minor=draw(st.none() | st.integers(1, amount)),
                dispute_id=f"{pledge}-d{index}",
                campaign=campaign,
            )
            for status in draw(st.lists(st.sampled_from(["open", "lost", "won"]), max_size=2))
        ]
    return events


@st.composite
def _changes_of_mind(draw: st.DrawFn, pledge: str, campaign: str) -> list[LogEvent]:
    events: list[LogEvent] = [
        promise(pledge, revision, draw(amounts), campaign=campaign) for revision in range(1, draw(_few()) + 1)
    ]
    canceled = draw(st.lists(st.sampled_from([f"{pledge}-a0", f"{pledge}-a1", None]), max_size=1))
    events += [cancel(pledge, authorization, campaign=campaign) for authorization in canceled]
    return [*events, fail(pledge, campaign=campaign)] if draw(st.booleans()) else events


@st.composite
def pledge_facts(draw: st.DrawFn, pledge: str, campaign: str = "c0") -> list[LogEvent]:
    """Everything that happened to one pledge."""
    kinds = (_authorizations, _captures, _refunds, _disputes, _changes_of_mind)
    return [event for kind in kinds for event in draw(kind(pledge, campaign))]


_counts = st.integers(0, 9)
visits: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"token": st.sampled_from(TOKENS), "visits": _counts},
    optional={
        "counter": st.sampled_from(["site", "app"]),
        "origin": st.sampled_from(["direct", "x"]),
        "bots": _counts,
        "prefetches": _counts,
    },
)


@st.composite
def shares(draw: st.DrawFn, campaign: str = "c0") -> list[LogEvent]:
    """Links in trees, some on a ring, some under a link that was never posted, some their backer's own."""
    events: list[LogEvent] = []
    for token in draw(st.lists(st.sampled_from(TOKENS), unique=True)):
        parent = draw(maybe_tokens)
        circle = None if parent else draw(st.sampled_from([None, "friends", "friends_of_friends", "public"]))
        sharer = draw(st.sampled_from((*BACKERS, "owner", "owner")))
        told: dict[str, Any] = {"parent": parent, "circle": circle, "sharer": sharer, "campaign": campaign}
        events += [share(token, at=at, **told) for at in draw(st.lists(moments, min_size=1, max_size=2))]
    return events + [visit(campaign=campaign, **one) for one in draw(st.lists(visits, max_size=3))]


@st.composite
def amendments(draw: st.DrawFn, campaign: str = "c0") -> list[LogEvent]:
    """New terms, in time in whatever order they come."""
    events: list[LogEvent] = []
    for revision in range(1, draw(_few()) + 1):
        terms = {
            "title": draw(st.none() | st.sampled_from(["A title", "Another title"])),
            "goal_minor": draw(st.none() | goals),
            "stretch_goals": draw(st.none() | stretch_goals()),
            "closes_at": draw(st.none() | st.sampled_from(DEADLINES)),
        }
        if any(term is not None for term in terms.values()):
            events.append(amend(revision, at=AMENDED_AT, campaign=campaign, **terms))
    return events


@dataclass(frozen=True)
class Story:
    """A launch, and facts of that campaign that do not conflict."""

    launch: CampaignLaunched
    events: list[LogEvent]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    events = draw(amendments()) + draw(shares())
    for pledge in PLEDGES[: draw(st.integers(1, len(PLEDGES)))]:
        events += draw(pledge_facts(pledge))
    return Story(draw(launches()), events)


@st.composite
def retellings(draw: st.DrawFn, story: Story) -> list[LogEvent]:
    """The story's facts in another order, some of them told more than once."""
    repeated = draw(st.lists(st.sampled_from(story.events), max_size=5)) if story.events else []
    return draw(st.permutations(story.events + repeated))
