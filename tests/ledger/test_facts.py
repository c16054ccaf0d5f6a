"""docs/ledger.md, Facts: a pledge is a set of facts, each known by campaign, kind and id."""

import pytest

from schemas.events import LogEvent
from tests.ledger.comparison import views
from tests.ledger.events import (
    CAMPAIGN,
    authorize,
    cancel,
    capture,
    dispute,
    fail,
    launch,
    moved,
    promise,
    refund,
    renamed,
    share,
    visit,
)
from tests.ledger.log import Log

ONE_OF_EACH: dict[str, LogEvent] = {
    "authorization": authorize("p", 5000, authorization="a", share_token="t", backer_id="b"),
    "capture": capture("p", 3000, capture_id="c", final=False),
    "refund": refund("p", 1000, refund_id="r"),
    "dispute": dispute("p", 500, "lost", dispute_id="d", lost_minor=400),
    "amendment": promise("p", 1, 6000),
    "failed attempt": fail("p", attempt="f"),
    "cancellation of an authorization": cancel("p", "a"),
    "cancellation of the pledge": cancel("q"),
    "share": share("t"),
    "visits": visit("t", 3),
}


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_fact_seen_again_changes_nothing(kind: str) -> None:
    """Told again, by an event of the same or of another id, a fact leaves no entry and no total changes."""
    log = Log(launch(), *ONE_OF_EACH.values())
    before = views(log.state)
    for event in (ONE_OF_EACH[kind], renamed(ONE_OF_EACH[kind], "another-event")):
        outcome = log.append(event)
        assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)
    assert views(log.state) == before


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_new_fact_leaves_at_least_one_entry(kind: str) -> None:
    """Every kind of fact changes state the first time it is seen."""
    log = Log(launch(), *(event for name, event in ONE_OF_EACH.items() if name != kind))
    assert len(log.append(ONE_OF_EACH[kind]).entries) >= 1


def test_of_an_authorization_the_greatest_amount_counts() -> None:
    """Amounts of one authorization are cumulative: a smaller one that comes later is an old one."""
    log = Log(launch())
    assert log.lines(authorize("p", 5000)) == [("p", "unattributed", 5000, 0)]
    assert log.lines(authorize("p", 3000)) == []
    assert log.lines(authorize("p", 7000)) == [("p", "unattributed", 2000, 0)]


def test_of_a_capture_the_greatest_amount_counts() -> None:
    """Amounts of one capture are cumulative too."""
    log = Log(launch())
    assert log.lines(capture("p", 5000)) == [("p", "unattributed", 5000, 5000)]
    assert log.lines(capture("p", 3000)) == []
    assert log.lines(capture("p", 7000)) == [("p", "unattributed", 2000, 2000)]


def test_a_capture_is_final_once_any_sighting_says_so() -> None:
    """The first sighting that says final makes the whole pledge final; further ones change nothing."""
    log = Log(launch(), authorize("p", 9000), capture("p", 5000, final=False))
    assert log.both == (9000, 5000)
    assert log.lines(capture("p", 5000, final=True)) == [("p", "unattributed", -4000, 0)]
    assert log.lines(capture("p", 5000, final=False)) == []
    assert log.lines(capture("p", 4000, capture_id="other", final=True)) == [("p", "unattributed", 4000, 4000)]
    assert log.lines(capture("p", 4000, capture_id="other", final=False)) == []
    assert log.both == (9000, 9000)


@pytest.mark.parametrize(("first", "second"), [("final", "smaller"), ("smaller", "final")])
def test_finality_and_greatest_amount_are_taken_from_any_sighting(first: str, second: str) -> None:
    """An old, smaller sighting may be the one that says final."""
    sightings = {"final": capture("p", 2000, final=True), "smaller": capture("p", 5000, final=False)}
    log = Log(launch(), authorize("p", 9000), sightings[first], sightings[second])
    assert log.both == (5000, 5000)


@pytest.mark.parametrize(
    ("statuses", "collected"),
    [
        (["pending"], 4000),
        (["pending", "succeeded"], 4000),
        (["succeeded", "pending"], 4000),
        (["succeeded", "failed"], 5000),
        (["failed", "succeeded"], 5000),
        (["canceled", "pending"], 5000),
        (["failed", "canceled"], 5000),
        (["canceled", "failed"], 5000),
    ],
)
def test_of_a_refund_the_highest_status_counts(statuses: list[str], collected: int) -> None:
    """Pending < succeeded < failed, canceled: a status only advances, whatever the order it is heard in."""
    log = Log(launch(), capture("p", 5000), *(refund("p", 1000, status) for status in statuses))
    assert log.both == (collected, collected)


@pytest.mark.parametrize(
    ("statuses", "both"),
    [
        (["open"], (5000, 5000)),
        (["open", "lost"], (4000, 4000)),
        (["lost", "open"], (4000, 4000)),
        (["lost", "won"], (5000, 5000)),
        (["won", "lost"], (5000, 5000)),
        (["won", "open"], (5000, 5000)),
    ],
)
def test_of_a_dispute_the_highest_status_counts(statuses: list[str], both: tuple[int, int]) -> None:
    """Open < lost < won."""
    log = Log(launch(), capture("p", 5000), *(dispute("p", 1000, status) for status in statuses))
    assert log.both == both


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_a_dispute_is_withdrawn_once_any_sighting_says_so(order: tuple[bool, bool]) -> None:
    """The gateway took the money once; an older sighting does not bring it back."""
    log = Log(launch(), capture("p", 5000), *(dispute("p", 1000, withdrawn=withdrawn) for withdrawn in order))
    assert log.both == (5000, 4000)


def test_disputes_of_one_pledge_add_up() -> None:
    """Each takes its own part, and gives back its own when it is won."""
    log = Log(launch(), capture("p", 5000))
    for dispute_id, amount in (("d1", 1000), ("d2", 200)):
        log.append(dispute("p", amount, withdrawn=True, dispute_id=dispute_id))
    assert log.both == (5000, 3800)
    log.append(dispute("p", 1000, "lost", dispute_id="d1"))
    assert log.both == (4000, 3800)
    log.append(dispute("p", 200, "lost", dispute_id="d2"))
    assert log.both == (3800, 3800)
    log.append(dispute("p", 1000, "won", dispute_id="d1"))
    assert log.both == (4800, 4800)


def test_refunds_of_one_pledge_add_up() -> None:
    """Each takes its own part, and gives back its own when it fails."""
    log = Log(launch(), capture("p", 5000), refund("p", 1000, refund_id="r1"), refund("p", 200, refund_id="r2"))
    assert log.both == (3800, 3800)
    log.append(refund("p", 1000, "failed", refund_id="r1"))
    assert log.both == (4800, 4800)


@pytest.mark.parametrize("costs", [(300, 700), (700, 300), (None, 300), (300, None)])
def test_of_what_a_lost_dispute_cost_the_least_counts(costs: tuple[int | None, int | None]) -> None:
    """The least `lost_minor` of all sightings, also where another names none."""
    log = Log(launch(), capture("p", 5000), *(dispute("p", 1000, "lost", lost_minor=cost) for cost in costs))
    assert log.both == (4700, 4700)


def test_what_a_dispute_cost_may_be_known_before_it_is_lost() -> None:
    """`lost_minor` on an open sighting counts once the dispute is lost."""
    log = Log(launch(), capture("p", 5000), dispute("p", 1000, lost_minor=300), dispute("p", 1000, "lost"))
    assert log.both == (4700, 4700)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_of_a_pledges_amendments_the_highest_revision_counts(order: tuple[int, ...]) -> None:
    """Whatever order they are heard in."""
    amounts = {1: 9000, 2: 1000, 3: 4000}
    log = Log(launch(), authorize("p", 5000), *(promise("p", revision, amounts[revision]) for revision in order))
    assert log.both == (4000, 0)


def test_a_failed_attempt_changes_no_total() -> None:
    """There is nothing to change, now or later."""
    log = Log(launch(), authorize("p", 5000))
    before = log.totals
    assert log.lines(fail("p")) == [("p", "unattributed", 0, 0)]
    assert log.lines(fail("p", reason="expired_card")) == []
    assert log.lines(fail("p", attempt="second")) == [("p", "unattributed", 0, 0)]
    assert log.totals == before


@pytest.mark.parametrize("early", [True, False])
def test_a_cancellation_is_final_also_when_it_comes_first(early: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """Of one authorization: what it held is promised no more, however much it is seen again."""
    events = [authorize("p", 5000, authorization="a"), cancel("p", "a")]
    log = Log(launch(), authorize("p", 2000, authorization="b"), *(reversed(events) if early else events))
    assert log.both == (2000, 0)
    log.append(authorize("p", 8000, authorization="a"))
    assert log.both == (2000, 0)


@pytest.mark.parametrize("early", [True, False])
def test_a_whole_pledge_can_be_canceled_also_before_it_is_seen(early: bool) -> None:  # noqa: FBT001 (likewise)
    """Of the pledge: nothing is promised any more, by whatever authorization or amendment."""
    events: list[LogEvent] = [authorize("p", 5000), promise("p", 1, 6000), cancel("p")]
    log = Log(launch(), *(reversed(events) if early else events))
    assert log.both == (0, 0)
    log.append(authorize("p", 9000, authorization="another"))
    log.append(promise("p", 2, 9000))
    assert log.both == (0, 0)


def test_of_visits_the_greatest_count_of_each_counter_is_kept() -> None:
    """Counts are cumulative: a smaller one, or the same, changes nothing."""
    log = Log(launch(), visit("t", 5))
    assert log.append(visit("t", 4)).entries == []
    assert log.append(visit("t", 5)).entries == []
    assert len(log.append(visit("t", 6)).entries) == 1
    assert len(log.append(visit("t", 6, counter="app")).entries) == 1
    assert len(log.append(visit("u", 5)).entries) == 1
    assert len(log.append(visit("v", 0)).entries) == 1


CONFLICTS: dict[str, tuple[LogEvent, LogEvent]] = {
    "authorization of another pledge": (authorize("p", 1, authorization="a"), authorize("q", 1, authorization="a")),
    "capture of another pledge": (capture("p", 1, capture_id="c"), capture("q", 1, capture_id="c")),
    "authorization in another currency": (authorize("p", 1), authorize("p", 1, currency="USD")),
    "capture in another currency": (capture("p", 1), capture("p", 1, currency="USD")),
    "refund in another currency": (refund("p", 1), refund("p", 1, currency="USD")),
    "dispute in another currency": (dispute("p", 1), dispute("p", 1, currency="USD")),
    "refund of another pledge": (refund("p", 1, refund_id="r"), refund("q", 1, refund_id="r")),
    "refund of another amount": (refund("p", 1, refund_id="r"), refund("p", 2, refund_id="r")),
    "refund of another amount and status": (refund("p", 1, "pending"), refund("p", 2, "failed")),
    "dispute of another pledge": (dispute("p", 1, dispute_id="d"), dispute("q", 1, dispute_id="d")),
    "dispute of another amount": (dispute("p", 1, dispute_id="d"), dispute("p", 2, dispute_id="d")),
    "dispute of another amount and status": (dispute("p", 1, "open"), dispute("p", 2, "won")),
    "amendment of another amount": (promise("p", 1, 5), promise("p", 1, 6)),
    "attempt of another pledge": (fail("p", attempt="f"), fail("q", attempt="f")),
    "cancellation of another pledge": (cancel("p", "a"), cancel("q", "a")),
    "cancellation of another pledge's authorization": (authorize("p", 1, authorization="a"), cancel("q", "a")),
    "authorization canceled for another pledge": (cancel("q", "a"), authorize("p", 1, authorization="a")),
    "share of another sharer": (share("t"), share("t", sharer="backer-01")),
    "share on another network": (share("t"), share("t", network="web")),
    "share of another parent": (share("t", parent="u"), share("t", parent="v")),
    "share with a parent and without": (share("t"), share("t", parent="u")),
    "share of another circle": (share("t", circle="friends"), share("t", circle="public")),
    "share of another circle than the default": (share("t"), share("t", circle="public")),
}


@pytest.mark.parametrize("kind", CONFLICTS)
def test_on_a_conflict_the_first_in_the_log_stands(kind: str) -> None:
    """A known id with another pledge, currency, amount, sharer, network, parent or circle is refused."""
    first, second = CONFLICTS[kind]
    log = Log(launch(), authorize("q", 100, authorization="of-q"), first)
    before = views(log.state)
    assert log.refusal(second) == "conflicting_duplicate"
    assert views(log.state) == before


@pytest.mark.parametrize("kind", [kind for kind in CONFLICTS if not kind.endswith("currency")])
def test_the_first_stands_whichever_it_is(kind: str) -> None:
    """What conflicts is a matter of order alone."""
    second, first = CONFLICTS[kind]
    assert Log(launch(), first).refusal(second) == "conflicting_duplicate"


def test_a_refused_fact_leaves_its_id_to_the_first() -> None:
    """After a conflict the first can still be told again, and grow."""
    log = Log(launch(), authorize("p", 1000, authorization="a"), authorize("q", 9000, authorization="a"))
    assert log.refusal(authorize("p", 2000, authorization="a")) is None
    assert log.both == (2000, 0)
    assert set(log.campaign.pledges) == {"p"}


def test_naming_the_default_circle_is_no_conflict() -> None:
    """A link without a parent has the circle `friends` whether it says so or not."""
    assert Log(launch(), share("t")).refusal(share("t", circle="friends")) is None
    assert Log(launch(), share("t", circle="friends")).refusal(share("t")) is None


def test_an_id_is_known_by_its_kind() -> None:
    """The same text may name an authorization, a capture, a refund, a dispute, an attempt, a pledge and a share."""
    log = Log(
        launch(),
        authorize("x", 900, authorization="x"),
        capture("x", 800, capture_id="x"),
        refund("x", 70, refund_id="x"),
        dispute("x", 60, "lost", dispute_id="x"),
        fail("x", attempt="x"),
        share("x"),
        visit("x", 1, counter="x"),
    )
    assert all(outcome.refusal is None for outcome in log.outcomes)
    assert log.both == (670, 670)


def test_an_id_is_known_by_its_campaign() -> None:
    """The same ids in another campaign are other facts."""
    log = Log(launch(), launch(campaign="another"))
    for event in ONE_OF_EACH.values():
        assert log.refusal(event) is None
        assert log.refusal(moved(event, "another")) is None
    assert log.state.campaigns["another"].totals() == log.state.campaigns[CAMPAIGN].totals()


def test_an_amendment_is_known_by_pledge_and_revision() -> None:
    """Two pledges each have a first revision."""
    log = Log(launch(), authorize("p", 1), authorize("q", 1), promise("p", 1, 500), promise("q", 1, 600))
    assert log.both == (1100, 0)
