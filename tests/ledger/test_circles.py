"""docs/ledger.md, Circle: that of the share token on the earliest-made authorization or capture."""

from datetime import timedelta
from itertools import permutations

import pytest

from schemas.events import LogEvent
from schemas.fields import CIRCLES
from stream_processors.ledger.circles import post
from tests.ledger.events import CLOSES, NOON, authorize, cancel, capture, launch, refund, share
from tests.ledger.log import Log

HOUR = timedelta(hours=1)


def circle_of(log: Log, pledge: str = "p") -> tuple[str, str | None]:
    return log.pledge(pledge).circle, log.pledge(pledge).unattributed


def test_totals_list_all_four_circles_in_order() -> None:
    """From the narrowest to the widest, `unattributed` last, also where nothing was pledged."""
    totals = Log(launch()).totals
    assert [circle.circle for circle in totals.circles] == list(CIRCLES)
    assert all((circle.pledged_minor, circle.collected_minor, circle.backers) == (0, 0, 0) for circle in totals.circles)
    assert totals.unattributed == {}


def test_a_link_without_a_parent_opens_friends_by_default() -> None:
    """The owner's own link has the circle it was minted for, `friends` where none was named."""
    assert circle_of(Log(launch(), share("t"), authorize("p", 1, share_token="t"))) == ("friends", None)


@pytest.mark.parametrize("circle", ["friends", "friends_of_friends", "public"])
def test_a_link_without_a_parent_has_the_circle_it_was_minted_for(circle: str) -> None:
    """As for a newsletter, which goes to the public."""
    log = Log(launch(), share("t", circle=circle), authorize("p", 1, share_token="t"))
    assert circle_of(log) == (circle, None)


@pytest.mark.parametrize(
    ("root", "child", "grandchild"),
    [
        ("friends", "friends_of_friends", "public"),
        ("friends_of_friends", "public", "public"),
        ("public", "public", "public"),
    ],
)
def test_a_link_with_a_parent_is_one_circle_wider(root: str, child: str, grandchild: str) -> None:
    """Friends → friends_of_friends → public, which is the widest."""
    log = Log(launch(), share("t", circle=root), share("u", parent="t"), share("v", parent="u"), share("w", parent="v"))
    for pledge, token in (("p", "u"), ("q", "v"), ("r", "w")):
        log.append(authorize(pledge, 1, share_token=token))
    assert [circle_of(log, pledge)[0] for pledge in ("p", "q", "r")] == [child, grandchild, "public"]


def test_a_chain_of_links_may_be_long() -> None:
    """Thousands of shares of shares are public, and cost no recursion."""
    log = Log(launch(), *(share(f"t{n}", parent=f"t{n - 1}" if n else None) for n in range(3000)))
    log.append(authorize("p", 1, share_token="t2999"))
    assert circle_of(log) == ("public", None)


def test_a_chain_heard_from_its_end_counts_at_its_root() -> None:
    """Links heard in the wrong order place the pledge once the last of them is known."""
    log = Log(launch(), authorize("p", 1, share_token="t999"))
    for number in range(999, 0, -1):
        assert len(log.append(share(f"t{number}", parent=f"t{number - 1}")).entries) == 1
    assert circle_of(log) == ("unattributed", "unknown_token")
    assert log.lines(share("t0")) == [("p", "unattributed", -1, 0), ("p", "public", 1, 0)]


def test_attribution_never_refuses_money() -> None:
    """Money whose way here is not known is counted apart, as `unattributed`."""
    log = Log(launch(), authorize("p", 5000, share_token="never-posted"))
    assert log.both == (5000, 0)
    assert log.circle("unattributed").pledged_minor == 5000


def test_a_pledge_that_names_no_token_is_unattributed() -> None:
    """`no_token`."""
    log = Log(launch(), authorize("p", 1))
    assert circle_of(log) == ("unattributed", "no_token")
    assert log.totals.unattributed == {"no_token": 1}


def test_a_pledge_whose_token_was_not_posted_is_unattributed() -> None:
    """`unknown_token`."""
    log = Log(launch(), authorize("p", 1, share_token="t"))
    assert circle_of(log) == ("unattributed", "unknown_token")


def test_a_pledge_whose_tokens_ancestor_was_not_posted_is_unattributed() -> None:
    """`unknown_token`: how wide the circle is depends on the whole way."""
    log = Log(launch(), share("u", parent="t"), share("v", parent="u"), authorize("p", 1, share_token="v"))
    assert circle_of(log) == ("unattributed", "unknown_token")


def test_another_campaigns_token_is_unknown() -> None:
    """Links belong to one campaign."""
    log = Log(launch(), launch(campaign="another"), share("t", campaign="another"), authorize("p", 1, share_token="t"))
    assert circle_of(log) == ("unattributed", "unknown_token")


@pytest.mark.parametrize("parents", [{"t": "t"}, {"t": "u", "u": "t"}, {"t": "u", "u": "v", "v": "u"}])
def test_a_token_whose_ancestors_form_a_ring_is_unattributed(parents: dict[str, str]) -> None:
    """`share_cycle`, also for a link that only leads into the ring, and in whatever order the links come."""
    for order in permutations(parents.items()):
        for late in range(len(order) + 1):
            links: list[LogEvent] = [share(token, parent=parent) for token, parent in order]
            log = Log(launch(), *links[:late], authorize("p", 1, share_token="t"), *links[late:])
            assert circle_of(log) == ("unattributed", "share_cycle")


def test_a_link_into_a_ring_is_told_of_it_also_where_links_hang_below() -> None:
    """The way up from it leads round the ring, and is left."""
    log = Log(launch(), share("t", parent="u"), share("u", parent="t"), share("w", parent="v"))
    log.append(authorize("p", 1, share_token="w"))
    log.append(share("v", parent="t"))
    assert circle_of(log) == ("unattributed", "share_cycle")


@pytest.mark.parametrize("parents", [{"t": None}, {"t": "t"}, {"t": "u", "u": "t"}, {"t": "u", "u": "v", "v": "t"}])
def test_a_posted_link_and_its_descendants_are_looked_at_once_each(parents: dict[str, str | None]) -> None:
    """Also where they form a ring."""
    log = Log(launch(), share("below", parent="t"))
    *first, last = [share(token, parent=parent) for token, parent in parents.items()]
    for link in first:
        log.append(link)
    settled = post(log.campaign, last.data, NOON)
    assert len(settled) == len(parents) + 1
    assert {id(link) for link in settled} == {id(link) for link in log.campaign.shares.values()}


def test_a_backers_own_link_does_not_attribute() -> None:
    """`own_share`: its `sharer_id` is the pledge's `backer_id`."""
    log = Log(launch(), share("t", sharer="backer-01"), authorize("p", 1, share_token="t", backer_id="backer-01"))
    assert circle_of(log) == ("unattributed", "own_share")


def test_a_link_under_a_backers_own_link_attributes() -> None:
    """Only the link itself is looked at, not its ancestors."""
    log = Log(
        launch(),
        share("t", sharer="backer-01"),
        share("u", parent="t", sharer="backer-02"),
        authorize("p", 1, share_token="u", backer_id="backer-01"),
    )
    assert circle_of(log) == ("friends_of_friends", None)


def test_a_pledge_without_a_backer_has_no_own_link() -> None:
    """Whoever shared it."""
    assert circle_of(Log(launch(), share("t"), authorize("p", 1, share_token="t"))) == ("friends", None)


def test_the_reasons_are_looked_for_in_order() -> None:
    """no_token, unknown_token, share_cycle, own_share: the first that holds is named."""
    log = Log(
        launch(),
        share("ring", parent="ring", sharer="backer-01"),
        share("orphan", parent="never-posted", sharer="backer-01"),
        authorize("p", 1, share_token="ring", backer_id="backer-01"),
        authorize("q", 1, share_token="orphan", backer_id="backer-01"),
        authorize("r", 1, backer_id="backer-01"),
    )
    assert circle_of(log, "p") == ("unattributed", "share_cycle")
    assert circle_of(log, "q") == ("unattributed", "unknown_token")
    assert circle_of(log, "r") == ("unattributed", "no_token")
    assert log.totals.unattributed == {"share_cycle": 1, "unknown_token": 1, "no_token": 1}


def test_the_earliest_made_sighting_names_the_token() -> None:
    """Not the first that was heard."""
    log = Log(launch(), share("t", circle="public"), share("u"))
    log.append(authorize("p", 1, share_token="t", made_at=NOON))
    assert log.pledge("p").share_token == "t"
    log.append(capture("p", 1, share_token="u", made_at=NOON - HOUR))
    assert (log.pledge("p").share_token, circle_of(log)) == ("u", ("friends", None))


def test_a_later_made_sighting_does_not_name_the_token() -> None:
    """Where the earliest names none the pledge has none."""
    log = Log(launch(), share("t"), authorize("p", 1, made_at=NOON - HOUR))
    log.append(capture("p", 1, share_token="t", made_at=NOON))
    assert circle_of(log) == ("unattributed", "no_token")


@pytest.mark.parametrize("swap", [True, False])
def test_of_sightings_made_at_one_moment_one_that_names_a_token_counts(swap: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """And of several tokens the least in code point order."""
    events: list[LogEvent] = [
        authorize("p", 1),
        authorize("p", 1, authorization="second", share_token="b"),
        capture("p", 1, share_token="a"),
        capture("p", 1, capture_id="second", share_token="Z"),
    ]
    log = Log(launch(), *(reversed(events) if swap else events))
    assert log.pledge("p").share_token == "Z"


def test_the_same_moment_told_with_another_offset_is_the_same_moment() -> None:
    """Moments are compared, not their texts."""
    log = Log(launch(), authorize("p", 1, made_at=NOON, share_token="b"))
    log.append(capture("p", 1, made_at=NOON.astimezone(), share_token="a"))
    assert log.pledge("p").share_token == "a"


def test_a_token_counts_from_a_canceled_authorization_too() -> None:
    """How the backer came is a fact, whatever became of the money."""
    log = Log(launch(), share("t"), authorize("p", 1, share_token="t"), cancel("p", "p-authorization"))
    log.append(capture("p", 50, at=NOON + HOUR))
    assert circle_of(log) == ("friends", None)


def test_a_share_heard_of_later_moves_its_pledges() -> None:
    """By two opposite entries each, whatever their number, and those of its descendants too."""
    log = Log(launch(), share("u", parent="t"))
    log.append(authorize("p", 1000, share_token="t"))
    log.append(capture("q", 2000, share_token="u"))
    log.append(authorize("r", 4000))
    lines = log.lines(share("t"))
    assert sorted(lines[:2] + lines[2:], key=str) == sorted(
        [
            ("p", "unattributed", -1000, 0),
            ("p", "friends", 1000, 0),
            ("q", "unattributed", -2000, -2000),
            ("q", "friends_of_friends", 2000, 2000),
        ],
        key=str,
    )
    assert [line[0] for line in lines] in (["p", "p", "q", "q"], ["q", "q", "p", "p"])
    assert log.totals.unattributed == {"no_token": 1}


def test_a_share_that_moves_no_pledge_leaves_one_entry() -> None:
    """Of its own: its pledges, in time or late, stay where they are."""
    log = Log(launch(), authorize("p", 1000, share_token="u"), authorize("late", 1000, share_token="u", at=CLOSES))
    log.append(refund("unseen", 1000))
    assert log.lines(share("u", parent="t")) == [(None, None, 0, 0)]


def test_a_pledge_at_0_that_moves_leaves_two_entries_of_0() -> None:
    """Its place is told, and no money with it."""
    log = Log(launch(), authorize("p", 1000, share_token="t"), cancel("p"))
    assert log.lines(share("t")) == [("p", "unattributed", 0, 0), ("p", "friends", 0, 0)]


def test_a_sighting_that_only_names_a_lesser_token_leaves_an_entry() -> None:
    """It changes state: the pledge follows that link from now on, though both open no circle yet."""
    log = Log(launch(), authorize("p", 1000, share_token="u"))
    assert log.lines(authorize("p", 1000, share_token="t")) == [("p", "unattributed", 0, 0)]
    assert log.lines(share("t")) == [("p", "unattributed", -1000, 0), ("p", "friends", 1000, 0)]


def test_a_backer_heard_of_later_can_take_a_pledge_out_of_its_circle() -> None:
    """The link turns out to be the backer's own."""
    log = Log(launch(), share("t", sharer="backer-01"), authorize("p", 1000, share_token="t"))
    lines = log.lines(capture("p", 1000, final=False, backer_id="backer-01", at=NOON + HOUR))
    assert lines == [("p", "friends", -1000, 0), ("p", "unattributed", 1000, 1000)]
    assert circle_of(log) == ("unattributed", "own_share")


def test_unattributed_counts_pledges_that_are_not_late_and_have_a_sighting() -> None:
    """Also those at 0: it counts pledges, not money."""
    log = Log(launch(), authorize("p", 1), authorize("q", 1), cancel("q"), cancel("never-seen"))
    log.append(authorize("late", 1, made_at=NOON + timedelta(days=365)))
    assert log.totals.unattributed == {"no_token": 2}


def test_the_circles_add_up_to_the_campaign() -> None:
    """For pledged and for collected."""
    log = Log(launch(), share("t"), share("u", parent="t"), share("v", parent="u"))
    for pledge, token in (("p", "t"), ("q", "u"), ("r", "v"), ("s", None)):
        log.append(authorize(pledge, 1000, share_token=token))
        log.append(capture(pledge, 300, share_token=token, final=False))
    assert {circle.circle: (circle.pledged_minor, circle.collected_minor) for circle in log.totals.circles} == (
        dict.fromkeys(CIRCLES, (1000, 300))
    )
    assert log.both == (4000, 1200)
