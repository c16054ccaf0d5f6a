"""The totals of a soak's traffic once more, by sums over remembered facts: nothing of it is the ledger's code.

The tests' naive ledger recomputes everything at each question, which takes minutes for a campaign with ten thousand
events. This one keeps the facts by their ids and knows only the kinds of event that a soak sends; the few campaigns of
`audit` that are given to both must come to the same. The rules are those of docs/ledger.md.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.events import LogEvent, PledgeAuthorized, PledgeCaptured, PledgeRefunded, SharePosted
from schemas.fields import CIRCLES, AnyCircle

_RANKS = {"pending": 0, "succeeded": 1, "failed": 2, "canceled": 2}
_UNATTRIBUTED: AnyCircle = "unattributed"


class Sums(NamedTuple):
    """Pledged and collected minor units, and distinct backers."""

    pledged_minor: int = 0
    collected_minor: int = 0
    backers: int = 0


@dataclass(slots=True)
class _Pledge:
    share_token: str | None = None
    backer_id: str | None = None
    authorized: dict[str, int] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)
    is_final: bool = False
    refunds: dict[str, tuple[int, str]] = field(default_factory=dict)

    def amounts(self) -> tuple[int, int]:
        """Return what is pledged and what is collected."""
        captured = sum(self.captured.values())
        promised = 0 if self.is_final else sum(self.authorized.values())
        returned = sum(amount for amount, status in self.refunds.values() if _RANKS[status] < _RANKS["failed"])
        given_back = min(captured, returned)
        return max(promised, captured) - given_back, captured - given_back


@dataclass(slots=True)
class NaiveTotals:
    """One campaign's facts."""

    pledges: dict[str, _Pledge] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)

    def hear(self, event: LogEvent) -> None:
        """Remember the facts of an event."""
        match event:
            case SharePosted(data=data):
                self.parents[data.share_token] = data.parent_token
            case PledgeAuthorized(data=data):
                pledge = self._sighted(data.pledge_id, data.share_token, data.backer_id)
                known = pledge.authorized.get(data.authorization_id, 0)
                pledge.authorized[data.authorization_id] = max(known, data.amount_minor)
            case PledgeCaptured(data=data):
                pledge = self._sighted(data.pledge_id, data.share_token, data.backer_id)
                known = pledge.captured.get(data.capture_id, 0)
                pledge.captured[data.capture_id] = max(known, data.amount_minor)
                pledge.is_final = pledge.is_final or data.final
            case PledgeRefunded(data=data):
                pledge = self.pledges.setdefault(data.pledge_id, _Pledge())
                _, status = pledge.refunds.get(data.refund_id, (0, data.status))
                pledge.refunds[data.refund_id] = data.amount_minor, max(status, data.status, key=_RANKS.__getitem__)
            case _:
                pass  # a launch, a close and visits move no money

    def totals(self) -> dict[AnyCircle | None, Sums]:
        """Return the sums of each circle, and under None those of the campaign."""
        found: dict[AnyCircle | None, Sums] = {None: Sums()} | dict.fromkeys(CIRCLES, Sums())
        backers: dict[AnyCircle | None, set[str | None]] = {name: set() for name in found}
        for pledge in self.pledges.values():
            pledged, collected = pledge.amounts()
            for name in (None, self._circle(pledge.share_token)):
                found[name] = Sums(found[name].pledged_minor + pledged, found[name].collected_minor + collected)
                if pledged:
                    backers[name].add(pledge.backer_id)
        return {name: sums._replace(backers=len(backers[name])) for name, sums in found.items()}

    def _sighted(self, pledge_id: str, share_token: str | None, backer_id: str | None) -> _Pledge:
        """Return the pledge; every sighting of it names the same link and backer."""
        pledge = self.pledges.setdefault(pledge_id, _Pledge())
        pledge.share_token, pledge.backer_id = share_token, backer_id
        return pledge

    def _circle(self, share_token: str | None) -> AnyCircle:
        if share_token is None:
            return _UNATTRIBUTED
        depth = 0
        while (parent := self.parents[share_token]) is not None:
            share_token, depth = parent, depth + 1
        return CIRCLES[min(depth, CIRCLES.index("public"))]
