"""What a campaign's links have brought: by circle and network, by generation, and how many days after.

Nothing of it is kept: it is counted from the rows of links and pledges, in the snapshot that the totals are read from.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, BindParameter, Connection, Integer, bindparam, case, cast, func, literal, select

from readers import answers
from readers.queries import find_campaign, standing, totals_of
from schemas.fields import CIRCLES, AnyCircle
from schemas.money import format_amount
from schemas.tables import pledges, share_visits, shares

NETWORKS_MAX: Final = 20
"""Networks that an answer names, those that brought most; the rest stand together."""

OTHER: Final = "other"
"""All further networks."""

GENERATION_MAX: Final = 10
"""The last generation with a row of its own also holds all that are further away."""

LAG_DAYS_MAX: Final = 30
"""The last number of days with a row of its own also holds all that are longer."""

_NUMBERS: Final[dict[str, int]] = {name: number for number, name in enumerate(CIRCLES)}
_PUBLIC: Final = _NUMBERS["public"]
_ID: Final[BindParameter[str]] = bindparam("campaign_id")


_Place = tuple[AnyCircle, str | None]
"""Circle and network."""


class _Sums(Struct):
    shares: int = 0
    visits: int = 0
    bots: int = 0
    prefetches: int = 0
    pledges: int = 0
    pledged_minor: int = 0
    collected_minor: int = 0

    def add(self, other: "_Sums") -> None:
        self.shares += other.shares
        self.visits += other.visits
        self.bots += other.bots
        self.prefetches += other.prefetches
        self.pledges += other.pledges
        self.pledged_minor += other.pledged_minor
        self.collected_minor += other.collected_minor

    def amounts(self, currency: str) -> dict[str, Any]:
        return {
            "shares": self.shares,
            "visits": self.visits,
            "bots": self.bots,
            "prefetches": self.prefetches,
            "pledges": self.pledges,
            "conversion": ratio(100 * self.pledges, self.visits),
            "pledged_minor": self.pledged_minor,
            "pledged": format_amount(self.pledged_minor, currency),
            "collected_minor": self.collected_minor,
            "collected": format_amount(self.collected_minor, currency),
        }


# Every link that the owner's own ones lead to. A ring has no such beginning, so this ends.
_OWN = select(
    shares.c.share_token,
    shares.c.network,
    shares.c.circle.label("root_circle"),
    literal(0, Integer).label("generation"),
).where(shares.c.campaign_id == _ID, shares.c.parent_token.is_(None))
_WAYS = _OWN.cte("ways", recursive=True)
_WAYS = _WAYS.union_all(
    select(shares.c.share_token, shares.c.network, _WAYS.c.root_circle, _WAYS.c.generation + 1).where(
        shares.c.campaign_id == _ID, shares.c.parent_token == _WAYS.c.share_token
    )
)

_COUNTED: Final = (pledges.c.campaign_id == _ID, pledges.c.late.is_(False), pledges.c.made_at.is_not(None))
_ABOVE_ZERO: Final = func.sum(case((pledges.c.pledged_minor > 0, 1), else_=0))
_LINKS: Final = select(_WAYS.c.root_circle, _WAYS.c.network, _WAYS.c.generation, func.count().label("number")).group_by(
    _WAYS.c.root_circle, _WAYS.c.network, _WAYS.c.generation
)
_LINKS_OF_NETWORK: Final = (
    select(shares.c.network, func.count().label("number")).where(shares.c.campaign_id == _ID).group_by(shares.c.network)
)
_BROUGHT: Final = (
    select(
        pledges.c.circle,
        shares.c.network,
        _WAYS.c.generation,
        cast(_ABOVE_ZERO, BigInteger).label("pledges"),
        cast(func.sum(pledges.c.pledged_minor), BigInteger).label("pledged_minor"),
        cast(func.sum(pledges.c.collected_minor), BigInteger).label("collected_minor"),
    )
    .select_from(pledges)
    .outerjoin(shares, (shares.c.campaign_id == _ID) & (shares.c.share_token == pledges.c.share_token))
    .outerjoin(_WAYS, _WAYS.c.share_token == pledges.c.share_token)
    .where(*_COUNTED)
    .group_by(pledges.c.circle, shares.c.network, _WAYS.c.generation)
)
_COUNTS: Final = tuple(
    cast(func.sum(share_visits.c[name]), BigInteger).label(name) for name in ("visits", "bots", "prefetches")
)
_VISITED: Final = (
    select(_WAYS.c.root_circle, shares.c.network, _WAYS.c.generation, *_COUNTS)
    .select_from(share_visits)
    .outerjoin(shares, (shares.c.campaign_id == _ID) & (shares.c.share_token == share_visits.c.share_token))
    .outerjoin(_WAYS, _WAYS.c.share_token == share_visits.c.share_token)
    .where(share_visits.c.campaign_id == _ID)
    .group_by(_WAYS.c.root_circle, shares.c.network, _WAYS.c.generation)
)
_ORIGINS: Final = (
    select(share_visits.c.origin, *_COUNTS)
    .where(share_visits.c.campaign_id == _ID)
    .group_by(share_visits.c.origin)
    .order_by(share_visits.c.origin)
)
_LAGS: Final = (
    select(shares.c.day.label("posted"), pledges.c.day.label("pledged"), func.count().label("number"))
    .join_from(pledges, shares, (shares.c.campaign_id == _ID) & (shares.c.share_token == pledges.c.share_token))
    .where(*_COUNTED, pledges.c.pledged_minor > 0, pledges.c.circle != "unattributed")
    .group_by(shares.c.day, pledges.c.day)
)


class _Shared:
    """What a campaign's links have brought, by circle and network and by generation."""

    def __init__(self, connection: Connection, which: dict[str, str]) -> None:
        self.by_network: dict[_Place, _Sums] = {}
        self.by_generation: dict[int, _Sums] = {}
        self._links: Counter[int] = Counter()
        self._count_links(connection, which)
        for row in connection.execute(_VISITED, which):
            visited = _Sums(visits=row.visits, bots=row.bots, prefetches=row.prefetches)
            self._add(_circle(row.root_circle, row.generation), row.network, row.generation, visited)
        for row in connection.execute(_BROUGHT, which):
            brought = _Sums(pledges=row.pledges, pledged_minor=row.pledged_minor, collected_minor=row.collected_minor)
            # A pledge by its backer's own link has no circle, though its link has one.
            self._add(row.circle, row.network, None if row.circle == "unattributed" else row.generation, brought)

    def k(self, generation: int) -> str | None:
        """Return how many links of the next generation there are for each of this one."""
        if generation == GENERATION_MAX:
            return None
        return ratio(self._links[generation + 1], self._links[generation])

    def _count_links(self, connection: Connection, which: dict[str, str]) -> None:
        lost: dict[str, int] = {row.network: row.number for row in connection.execute(_LINKS_OF_NETWORK, which)}
        for root_circle, network, generation, number in connection.execute(_LINKS, which):
            lost[network] -= number
            self._links[generation] += number
            self._add(_circle(root_circle, generation), network, generation, _Sums(shares=number))
        for network, number in lost.items():
            if number:
                self._add("unattributed", network, None, _Sums(shares=number))

    def _add(self, circle: AnyCircle, network: str | None, generation: int | None, sums: _Sums) -> None:
        """Without a generation the way to the owner is not known, or not stored yet."""
        self.by_network.setdefault((circle, network), _Sums()).add(sums)
        if generation is not None:
            self.by_generation.setdefault(min(generation, GENERATION_MAX), _Sums()).add(sums)


def read_shares(connection: Connection, campaign_id: str) -> answers.Shares:
    """Return what a campaign's links have brought. Raises CampaignUnknownError."""
    campaign = find_campaign(connection, campaign_id)
    which, currency = {"campaign_id": campaign_id}, campaign.currency
    shared = _Shared(connection, which)
    return answers.Shares(
        **standing(campaign),
        totals=totals_of(campaign),
        networks=[
            answers.NetworkShares(circle=circle, network=network, **sums.amounts(currency))
            for (circle, network), sums in _bounded(shared.by_network)
        ],
        generations=[
            answers.Generation(generation=generation, k=shared.k(generation), **sums.amounts(currency))
            for generation, sums in sorted(shared.by_generation.items())
        ],
        origins=[answers.Origin(**row._mapping) for row in connection.execute(_ORIGINS, which)],  # noqa: SLF001 - SQLAlchemy's public name
        lags=_lags(connection.execute(_LAGS, which)),
    )


def read_circles_shared(connection: Connection, campaign_id: str, currency: str) -> list[answers.CircleShared]:
    """Return what links have brought in each circle, in the order of circles."""
    by_circle = {circle: _Sums() for circle in CIRCLES}
    for (circle, _), sums in _Shared(connection, {"campaign_id": campaign_id}).by_network.items():
        by_circle[circle].add(sums)
    return [answers.CircleShared(circle=circle, **sums.amounts(currency)) for circle, sums in by_circle.items()]


def _circle(root_circle: str | None, generation: int | None) -> AnyCircle:
    """Return the circle that a link opens: each generation is one wider than the link that it began with."""
    if root_circle is None or generation is None:
        return "unattributed"
    return CIRCLES[min(_NUMBERS[root_circle] + generation, _PUBLIC)]


def ratio(counted: int, of: int) -> str | None:
    """Return how many are counted for each of the others, to two decimals, rounded half up; None for each of none."""
    if not of:
        return None
    hundredths = (200 * counted + of) // (2 * of)
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _bounded(
    by_network: dict[_Place, _Sums],
) -> list[tuple[_Place, _Sums]]:
    """Return the sums in the order of circles, with at most NETWORKS_MAX networks by name."""
    whole: dict[str, _Sums] = {}
    for (_, network), sums in by_network.items():
        if network is not None:
            whole.setdefault(network, _Sums()).add(sums)
    ranked = sorted(whole, key=lambda name: (-whole[name].pledged_minor, -whole[name].shares, name))
    place = {name: number for number, name in enumerate(ranked[:NETWORKS_MAX])}
    bounded: dict[_Place, _Sums] = {}
    for (circle, network), sums in by_network.items():
        name = network if network is None or network in place else OTHER
        bounded.setdefault((circle, name), _Sums()).add(sums)

    def rank(line: tuple[_Place, _Sums]) -> tuple[int, int]:
        (circle, name), _ = line
        return _NUMBERS[circle], NETWORKS_MAX + 1 if name is None else place.get(name, NETWORKS_MAX)

    return sorted(bounded.items(), key=rank)


def _lags(found: Iterable[tuple[date, date, int]]) -> list[answers.Lag]:
    """Return the numbers of days that any pledge took; a pledge can be older than its link, if that was told late."""
    counted: dict[int, int] = {}
    for posted, pledged, number in found:
        days = max(-1, min((pledged - posted).days, LAG_DAYS_MAX))
        counted[days] = counted.get(days, 0) + number
    return [answers.Lag(days=days, pledges=counted[days]) for days in sorted(counted)]
