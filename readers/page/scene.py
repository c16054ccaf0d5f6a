"""What the page shows of a campaign, in words and places, ready to be laid out by the template."""

from dataclasses import dataclass
from datetime import datetime

from readers.answers import Campaign, Circle, Milestone, StretchGoal
from readers.live.following import event_id
from readers.live.whole import WholeCampaign, WholeDay
from readers.page.charts import DaysChart, ProgressChart, days_chart, minor_of, progress_chart, tone
from readers.page.languages import Language
from schemas.fields import CIRCLES, AnyCircle
from schemas.updates import MilestoneType
from schemas.zones import zone

GOAL_STEP = 100
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class CircleRow:
    """A circle, with the length of its bars in percent of the longest."""

    circle: AnyCircle
    name: str
    pledged: str
    collected: str
    backers: str
    part: str
    links: str
    visits: str
    conversion: str
    pledged_bar: float
    collected_bar: float


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day of the table: amounts by circle, then together."""

    day: str
    by_circle: tuple[str, ...]
    total: str
    collected: str


@dataclass(frozen=True, slots=True)
class MilestoneRow:
    """A milestone of the list."""

    moment: str
    iso: str
    words: str
    amount: str
    tone: str


@dataclass(frozen=True, slots=True)
class StretchRow:
    """A stretch goal, and how far away it is."""

    title: str
    amount: str
    state: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything on the page of a campaign."""

    campaign: WholeCampaign
    event_id: str
    status: str
    term: str
    total: str
    goal: str
    percent: str
    reached: bool
    distance: str
    announced: str
    backers: str
    pledged: str
    collected: str
    late: str | None
    over_returned: str | None
    progress: ProgressChart
    progress_described: str
    stretch: tuple[StretchRow, ...]
    circles: tuple[CircleRow, ...]
    backers_shared: bool
    shared: bool
    chart: DaysChart | None
    chart_described: str
    days: tuple[DayRow, ...]
    milestones: tuple[MilestoneRow, ...]
    as_of: str


def scene(campaign: WholeCampaign, language: Language, now: datetime) -> Scene:
    """Return what the page shows of a campaign at that moment."""
    words, totals, currency = language.words, campaign.totals, campaign.totals.currency
    basis = campaign.terms.goal_basis
    total_minor = minor_of(totals, basis)
    total, goal = language.money(total_minor, currency), language.money(totals.goal_minor, currency)
    percent, backers = language.percent(totals.percent), language.count(totals.backers, words.backers)
    pledged, collected = (language.money(one, currency) for one in (totals.pledged_minor, totals.collected_minor))
    missing_minor = totals.goal_minor - total_minor
    milestones = tuple(_milestone(one, campaign, language) for one in campaign.milestones)
    chart = days_chart(campaign, language, [f"{one.words}, {one.moment}" for one in milestones])
    return Scene(
        campaign=campaign,
        event_id=event_id(campaign),
        status=_status(campaign, language, now),
        term=_term(campaign, language, now),
        total=total,
        goal=goal,
        percent=percent,
        reached=missing_minor <= 0,
        distance=(words.goal_to_go if missing_minor > 0 else words.goal_passed_by).format(
            amount=language.money(abs(missing_minor), currency)
        ),
        announced=words.announced.format(total=total, goal=goal, percent=percent, backers=backers),
        backers=language.number(totals.backers),
        pledged=pledged,
        collected=collected,
        late=language.money(totals.late_minor, currency) if totals.late_minor else None,
        over_returned=language.money(totals.over_returned_minor, currency) if totals.over_returned_minor else None,
        progress=progress_chart(campaign),
        progress_described=words.progress_described.format(
            total=total, goal=goal, percent=percent, pledged=pledged, collected=collected
        ),
        stretch=tuple(_stretch(one, total_minor, currency, language) for one in campaign.terms.stretch_goals),
        circles=_circles(campaign, language),
        backers_shared=sum(circle.backers for circle in campaign.circles) > totals.backers,
        shared=any(circle.shares for circle in campaign.shared),
        chart=chart,
        chart_described=""
        if chart is None
        else words.days_described.format(
            first=language.day(chart.first),
            last=language.day(chart.last),
            best=language.day(chart.best),
            amount=language.money(chart.best_minor, currency),
        ),
        days=tuple(_day(day, campaign, language) for day in reversed(campaign.days)),
        milestones=milestones[::-1],
        as_of=_as_of(campaign, language),
    )


def milestone_words(milestone: Milestone, campaign: WholeCampaign, language: Language) -> str:
    """Return what a milestone says."""
    words = language.words
    again = milestone.occurrence not in (None, 1)
    percent = "" if milestone.step is None else language.percent(milestone.step)
    circle, narrower = (
        "" if name is None else words.circles[name] for name in (milestone.circle, milestone.narrower_circle)
    )
    titles = {goal.stretch_goal_id: goal.title for goal in campaign.terms.stretch_goals}
    stretch = milestone.stretch_goal_id or ""
    said: dict[MilestoneType, str] = {
        "cercles.milestone.passed": words.milestone_passed.format(percent=percent),
        "cercles.goal.reached": words.goal_reached_again if again else words.goal_reached,
        "cercles.goal.lost": words.goal_lost,
        # The first step says that the goal is exceeded at all, by however little.
        "cercles.goal.overfunded": words.above_goal
        if milestone.step == GOAL_STEP
        else words.overfunded.format(percent=percent),
        "cercles.stretch_goal.reached": words.stretch_goal_reached.format(title=titles.get(stretch, stretch)),
        "cercles.circle.opened_early": words.circle_opened_early.format(
            circle=circle, narrower=narrower, percent=percent
        ),
        "cercles.campaign.succeeded": words.campaign_succeeded,
        "cercles.campaign.failed": words.campaign_failed,
    }
    return said[milestone.type]


def _status(campaign: Campaign, language: Language, now: datetime) -> str:
    if campaign.status == "open" and now >= campaign.terms.closes_at:
        return language.words.settling
    return language.words.statuses[campaign.status]


def _term(campaign: Campaign, language: Language, now: datetime) -> str:
    words, there = language.words, zone(campaign.terms.timezone)
    closes = language.moment(campaign.terms.closes_at, there)
    left_seconds = (campaign.terms.closes_at - now).total_seconds()
    if campaign.status != "open" or left_seconds <= 0:
        return words.closed.format(day=closes)
    days = int(left_seconds // _DAY_SECONDS)
    left = language.count(days, words.days_left) if days else words.last_day
    return f"{words.closes.format(day=closes)} · {left}"


def _stretch(goal: StretchGoal, total_minor: int, currency: str, language: Language) -> StretchRow:
    missing_minor = goal.amount_minor - total_minor
    words = language.words
    return StretchRow(
        title=goal.title,
        amount=language.money(goal.amount_minor, currency),
        state=words.stretch_to_go.format(amount=language.money(missing_minor, currency))
        if missing_minor > 0
        else words.stretch_reached,
        reached=missing_minor <= 0,
    )


def _circles(campaign: WholeCampaign, language: Language) -> tuple[CircleRow, ...]:
    totals, currency = campaign.totals, campaign.totals.currency
    longest_minor = max(1, *(circle.pledged_minor for circle in campaign.circles))
    shared = {one.circle: one for one in campaign.shared}

    def row(circle: Circle) -> CircleRow:
        part = round(100 * circle.pledged_minor / totals.pledged_minor) if totals.pledged_minor else 0
        return CircleRow(
            circle=circle.circle,
            name=language.words.circles[circle.circle],
            pledged=language.money(circle.pledged_minor, currency),
            collected=language.money(circle.collected_minor, currency),
            backers=language.number(circle.backers),
            part=language.percent(part),
            links=language.number(shared[circle.circle].shares),
            visits=language.number(shared[circle.circle].visits),
            conversion=language.decimal(shared[circle.circle].conversion),
            pledged_bar=100 * max(circle.pledged_minor, 0) / longest_minor,
            collected_bar=100 * max(circle.collected_minor, 0) / longest_minor,
        )

    return tuple(row(circle) for circle in campaign.circles)


def _day(day: WholeDay, campaign: WholeCampaign, language: Language) -> DayRow:
    basis, currency = campaign.terms.goal_basis, campaign.totals.currency
    by_circle = {share.circle: minor_of(share, basis) for share in day.circles}
    return DayRow(
        day=language.day(day.day),
        by_circle=tuple(language.money(by_circle.get(circle, 0), currency) for circle in CIRCLES),
        total=language.money(day.pledged_minor, currency),
        collected=language.money(day.collected_minor, currency),
    )


def _milestone(one: Milestone, campaign: WholeCampaign, language: Language) -> MilestoneRow:
    return MilestoneRow(
        moment=language.moment(one.occurred_at, zone(campaign.terms.timezone)),
        iso=one.occurred_at.isoformat(),
        words=milestone_words(one, campaign, language),
        amount=language.words.with_total.format(amount=language.money(one.total_minor, campaign.totals.currency)),
        tone=tone(one.type),
    )


def _as_of(campaign: WholeCampaign, language: Language) -> str:
    if campaign.last_change_at is None:
        return language.words.as_of_nothing.format(position=campaign.as_of)
    name = campaign.terms.timezone
    moment = language.moment(campaign.last_change_at, zone(name))
    return language.words.as_of.format(moment=moment, zone=name, position=campaign.as_of)
