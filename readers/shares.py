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
from schemas.tables import pledges, shares

NETWORKS_MAX: Final = 20
"""Networks that an answer names, those that brought most; the rest stand together."""

OTHER: Final = "other"
"""All further networks."""

GENERATION_MAX: Final = 10
"""The last generation with a row of its own also holds all that are further away."""

LAG_DAYS_MAX: Final = 30
"""The last number of days with a row of its own also holds all that are longer."""

_PUBLIC: Final = CIRCLES.index("public")
_ID: Final[BindParameter[str]] = bindparam("campaign_id")


class _Sums(Struct):
    shares: int = 0
    pledges: int = 0
    pledged_minor: int = 0
    collected_minor: int = 0

    def add(self, other: "_Sums") -> None:
        self.shares += other.shares
        self.pledges += other.pledges
        self.pledged_minor += other.pledged_minor
        self.collected_minor += other.collected_minor

    def amounts(self, currency: str) -> dict[str, Any]:
        return {
            "shares": self.shares,
            "pledges": self.pledges,
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
_LAGS: Final = (
    select(shares.c.day.label("posted"), pledges.c.day.label("pledged"), func.count().label("number"))
    .join_from(pledges, shares, (shares.c.campaign_id == _ID) & (shares.c.share_token == pledges.c.share_token))
    .where(*_COUNTED, pledges.c.pledged_minor > 0, pledges.c.circle != "unattributed")
    .group_by(shares.c.day, pledges.c.day)
)


def read_shares(connection: Connection, campaign_id: str) -> answers.Shares:
    """Return what a campaign's links have brought. Raises CampaignUnknownError."""
    campaign = find_campaign(connection, campaign_id)
    which, currency = {"campaign_id": campaign_id}, campaign.currency
    by_network: dict[tuple[AnyCircle, str | None], _Sums] = {}
    by_generation: dict[int, _Sums] = {}
    links: Counter[int] = Counter()
    lost: dict[str, int] = {row.network: row.number for row in connection.execute(_LINKS_OF_NETWORK, which)}
    for root_circle, network, generation, number in connection.execute(_LINKS, which):
        circle = CIRCLES[min(CIRCLES.index(root_circle) + generation, _PUBLIC)]
        lost[network] -= number
        links[generation] += number
        by_network.setdefault((circle, network), _Sums()).add(_Sums(shares=number))
        by_generation.setdefault(min(generation, GENERATION_MAX), _Sums()).add(_Sums(shares=number))
    for network, number in lost.items():
        if number:
            by_network.setdefault(("unattributed", network), _Sums()).add(_Sums(shares=number))
    for row in connection.execute(_BROUGHT, which):
        brought = _Sums(0, row.pledges, row.pledged_minor, row.collected_minor)
        by_network.setdefault((row.circle, row.network), _Sums()).add(brought)
        # While a large change is being stored, a pledge may be ahead of its link.
        if row.circle != "unattributed" and row.generation is not None:
            by_generation.setdefault(min(row.generation, GENERATION_MAX), _Sums()).add(brought)
    return answers.Shares(
        **standing(campaign),
        totals=totals_of(campaign),
        networks=[
            answers.NetworkShares(circle=circle, network=network, **sums.amounts(currency))
            for (circle, network), sums in _bounded(by_network)
        ],
        generations=[
            answers.Generation(
                generation=generation,
                k=None if generation == GENERATION_MAX else ratio(links[generation + 1], links[generation]),
                **sums.amounts(currency),
            )
            for generation, sums in sorted(by_generation.items())
        ],
        lags=_lags(connection.execute(_LAGS, which)),
    )


def ratio(counted: int, of: int) -> str | None:
    """Return how many are counted for each of the others, to two decimals, rounded half up; None for each of none."""
    if not of:
        return None
    hundredths = (200 * counted + of) // (2 * of)
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _bounded(
    by_network: dict[tuple[AnyCircle, str | None], _Sums],
) -> list[tuple[tuple[AnyCircle, str | None], _Sums]]:
    """Return the sums in the order of circles, with at most NETWORKS_MAX networks by name."""
    whole: dict[str, _Sums] = {}
    for (_, network), sums in by_network.items():
        if network is not None:
            whole.setdefault(network, _Sums()).add(sums)
    ranked = sorted(whole, key=lambda name: (-whole[name].pledged_minor, -whole[name].shares, name))
    place = {name: number for number, name in enumerate(ranked[:NETWORKS_MAX])}
    bounded: dict[tuple[AnyCircle, str | None], _Sums] = {}
    for (circle, network), sums in by_network.items():
        name = network if network is None or network in place else OTHER
        bounded.setdefault((circle, name), _Sums()).add(sums)

    def rank(line: tuple[tuple[AnyCircle, str | None], _Sums]) -> tuple[int, int]:
        (circle, name), _ = line
        return CIRCLES.index(circle), NETWORKS_MAX + 1 if name is None else place.get(name, NETWORKS_MAX)

    return sorted(bounded.items(), key=rank)


def _lags(found: Iterable[tuple[date, date, int]]) -> list[answers.Lag]:
    """Return the numbers of days that any pledge took; a pledge can be older than its link, if that was told late."""
    counted: dict[int, int] = {}
    for posted, pledged, number in found:
        days = max(-1, min((pledged - posted).days, LAG_DAYS_MAX))
        counted[days] = counted.get(days, 0) + number
    return [answers.Lag(days=days, pledges=counted[days]) for days in sorted(counted)]
