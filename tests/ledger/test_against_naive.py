"""The fold and the naive ledger hear the same log, whatever is on it, and agree after every event.

Here facts do conflict, come from strangers, in other currencies, for unknown campaigns, too late and too early.
"""

import copy
from datetime import timedelta
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.events import CampaignLaunched, LogEvent, PledgeEvent, ShareEvent
from tests.ledger.comparison import (
    check_entries,
    check_numbers,
    check_said_once,
    check_sums,
    naive_view,
    numbered_alone,
    view,
    views,
)
from tests.ledger.events import (
    OPENS,
    SOURCE,
    amend,
    authorize,
    cancel,
    capture,
    close,
    dispute,
    fail,
    moved,
    promise,
    refund,
    share,
    visit,
)
from tests.ledger.log import Log
from tests.ledger.naive import NaiveLedger
from tests.ledger.naive_milestones import milestones
from tests.ledger.strategies import (
    AMENDED_AT,
    BACKERS,
    DEADLINES,
    TOKENS,
    amounts,
    goals,
    launches,
    maybe_tokens,
    moments,
    sightings,
    stretch_goals,
    visits,
)

CAMPAIGNS: Final = ("c0", "c1")
EARLY: Final = OPENS - timedelta(hours=1)
HOURS: Final = (0, 1, 24)


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 6 + list(others))


campaigns = mostly("c0", "c1", "never-launched")
pledge_sources = mostly(SOURCE, "sources/stranger", "admin")
places = st.fixed_dictionaries({"campaign": campaigns, "source": pledge_sources})
priced_places = st.fixed_dictionaries(
    {"campaign": campaigns, "source": pledge_sources, "currency": mostly("EUR", "USD")}
)
pledges = st.sampled_from(["p0", "p1", "p2"])
authorizations = st.sampled_from(["a0", "a1", "a2"])
captures = st.sampled_from(["k0", "k1", "k2"])
refunds = st.sampled_from(["r0", "r1"])
disputes = st.sampled_from(["d0", "d1"])
revisions = st.integers(1, 4)
new_terms = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["A title", "Another title"]),
        "goal_minor": goals,
        "stretch_goals": stretch_goals(),
        "closes_at": st.sampled_from([*DEADLINES, EARLY, OPENS]),
    },
).filter(bool)
amended_at = st.sampled_from([AMENDED_AT] * 3 + [*DEADLINES, EARLY - timedelta(hours=1)])
closed_at = st.sampled_from([deadline + timedelta(hours=hours) for deadline in DEADLINES for hours in HOURS])


class LedgerMachine(RuleBasedStateMachine):
    """Appends to one log that both ledgers fold."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.naive = NaiveLedger()

    def hear(self, event: LogEvent) -> None:
        """Fold the event with both, and compare what each makes of it."""
        seen = copy.deepcopy(views(self.log.state))
        before = self.naive.campaigns.get(event.data.campaign_id)
        outcome = self.log.append(event)
        reason = self.naive.hear(event, len(self.log.events) - 1)
        assert (None if outcome.refusal is None else outcome.refusal.reason) == reason
        check_numbers(outcome, len(self.log.events) - 1)
        if outcome.refusal is None:
            after = self.naive.campaigns[event.data.campaign_id]
            check_entries(before, after, outcome.entries)
            return
        assert outcome.refusal.detail
        assert (outcome.entries, outcome.milestones) == ([], [])
        assert views(self.log.state) == seen

    @initialize(first=launches("c0"), second=launches("c1"))
    def launch_both(self, first: CampaignLaunched, second: CampaignLaunched) -> None:
        self.hear(first)
        self.hear(second)

    @rule(event=st.one_of(launches("c0"), launches("c1")))
    def launch_again(self, event: CampaignLaunched) -> None:
        self.hear(event)

    @rule(campaign=campaigns, revision=revisions, at=amended_at, terms=new_terms)
    def amend(self, campaign: str, revision: int, at: Any, terms: dict[str, Any]) -> None:
        self.hear(amend(revision, at=at, campaign=campaign, **terms))

    @rule(campaign=campaigns, deadline=st.sampled_from(DEADLINES), at=closed_at)
    def close(self, campaign: str, deadline: Any, at: Any) -> None:
        self.hear(close(deadline, at=at, campaign=campaign))

    @rule(campaign=st.sampled_from(CAMPAIGNS), hours=st.integers(-1, 1))
    def close_on_time(self, campaign: str, hours: int) -> None:
        terms = self.naive.campaigns[campaign].terms()
        settled_at = terms.closes_at + timedelta(hours=terms.settle_hours + hours)
        self.hear(close(terms.closes_at, at=settled_at, campaign=campaign))

    @rule(pledge=pledges, amount=amounts, name=authorizations, sighting=sightings(), place=priced_places)
    def authorize(self, pledge: str, amount: int, name: str, sighting: Any, place: Any) -> None:
        self.hear(authorize(pledge, amount, authorization=name, **sighting, **place))

    @rule(
        pledge=pledges,
        amount=amounts,
        taking=st.fixed_dictionaries({"capture_id": captures, "final": st.booleans()}),
        sighting=sightings(),
        place=priced_places,
    )
    def capture(self, pledge: str, amount: int, taking: Any, sighting: Any, place: Any) -> None:
        self.hear(capture(pledge, amount, **taking, **sighting, **place))

    @rule(pledge=pledges, revision=revisions, amount=amounts, place=places)
    def promise(self, pledge: str, revision: int, amount: int, place: Any) -> None:
        self.hear(promise(pledge, revision, amount, **place))

    @rule(
        pledge=pledges,
        amount=st.integers(1, 9) | amounts,
        name=refunds,
        status=st.sampled_from(["pending", "succeeded", "failed", "canceled"]),
        place=priced_places,
    )
    def refund(self, pledge: str, amount: int, name: str, status: str, place: Any) -> None:
        self.hear(refund(pledge, amount, status, refund_id=name, **place))

    @rule(
        data=st.data(),
        pledge=pledges,
        amount=st.integers(1, 9) | amounts,
        name=disputes,
        status=st.sampled_from(["open", "lost", "won"]),
        withdrawn=st.booleans(),
        place=priced_places,
    )
    def dispute(self, data: st.DataObject, pledge: str, amount: int, **given: Any) -> None:
        place = given.pop("place")
        lost = data.draw(st.none() | st.integers(1, amount))
        name, status = given.pop("name"), given.pop("status")
        self.hear(dispute(pledge, amount, status, dispute_id=name, lost_minor=lost, **given, **place))

    @rule(pledge=pledges, name=st.none() | authorizations, place=places)
    def cancel(self, pledge: str, name: str | None, place: Any) -> None:
        self.hear(cancel(pledge, name, **place))

    @rule(pledge=pledges, name=st.sampled_from(["f0", "f1"]), place=places)
    def fail(self, pledge: str, name: str, place: Any) -> None:
        self.hear(fail(pledge, attempt=name, **place))

    @rule(
        token=st.sampled_from(TOKENS),
        parent=maybe_tokens,
        circle=st.sampled_from([None, "friends", "friends_of_friends", "public"]),
        sharer=st.sampled_from((*BACKERS, "owner")),
        network=mostly("mail", "web"),
        at=moments,
        place=places,
    )
    def share(self, token: str, parent: str | None, circle: str | None, sharer: str, **more: Any) -> None:
        place = more.pop("place")
        self.hear(share(token, parent=parent, circle=None if parent else circle, sharer=sharer, **more, **place))

    @rule(visited=visits, place=places)
    def visit(self, visited: Any, place: Any) -> None:
        self.hear(visit(**visited, **place))

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Send again, under another id, any event that the log already has."""
        self.hear(data.draw(st.sampled_from(self.log.events)))

    @rule(data=st.data())
    def send_to_another_campaign(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.log.events))
        if isinstance(event, PledgeEvent | ShareEvent):
            self.hear(moved(event, "c1"))

    @invariant()
    def agree(self) -> None:
        for campaign_id, naive in self.naive.campaigns.items():
            campaign = self.log.state.campaigns[campaign_id]
            assert view(campaign) == naive_view(naive)
            check_sums(
                campaign, [entry for entry in self.log.entries if self._campaign_of(entry.offset) == campaign_id]
            )

    def teardown(self) -> None:
        entries_of = {offset: len(outcome.entries) for offset, outcome in enumerate(self.log.outcomes)}
        for campaign_id, naive in self.naive.campaigns.items():
            said = [one for one in self.log.milestones if self._campaign_of(one.offset) == campaign_id]
            check_said_once(said)
            assert numbered_alone(said, entries_of) == milestones(naive)

    def _campaign_of(self, offset: int) -> str:
        return self.log.events[offset].data.campaign_id


LedgerMachine.TestCase.settings = settings(stateful_step_count=30)
TestLedgerMachine = LedgerMachine.TestCase
