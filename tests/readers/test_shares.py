"""What links have brought: told by the real ledger and sink, counted by the reader."""

import re
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from readers.page.words import EN, FR
from readers.shares import GENERATION_MAX, LAG_DAYS_MAX, NETWORKS_MAX, ratio
from schemas.events import LogEvent
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import fold
from tests.ledger.events import CAMPAIGN, CLOSES, DAY, NOON, authorize, capture, launch, refund, share, visit
from tests.readers.film import Film
from tests.readers.stored import Stored
from tests.sinks.stories import FakePartition

PATH = f"/v1/campaigns/{CAMPAIGN}/shares"


def tell(stored: Stored, *events: LogEvent) -> None:
    """Store a campaign of which these events tell."""
    said = FakePartition(partition=3)
    for _, update in fold(PartitionState(), launch(), *events).updates:
        said.say_bytes(update)
    said.drain(stored.engine)


def networks_of(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    names = ("circle", "network", "shares", "pledges", "pledged_minor", "collected_minor")
    return [tuple(line[name] for name in names) for line in answer["networks"]]


def test_what_each_network_brought_in_each_circle(stored: Stored, api: httpx.Client) -> None:
    """Links, pledges above 0 and both amounts; the networks that brought most come first."""
    tell(
        stored,
        share("mail", network="email"),
        share("chat", network="whatsapp"),
        share("passed-on", network="email", parent="chat"),
        authorize("p", 500, share_token="mail"),
        capture("q", 300, share_token="mail"),
        capture("r", 900, share_token="chat"),
        capture("s", 70, share_token="passed-on"),
        capture("gone", 50, share_token="passed-on"),
        refund("gone", 50),
    )
    answer = api.get(PATH).raise_for_status().json()
    assert networks_of(answer) == [
        ("friends", "whatsapp", 1, 1, 900, 900),
        ("friends", "email", 1, 2, 800, 300),
        ("friends_of_friends", "email", 1, 1, 70, 70),
    ]
    assert (answer["networks"][1]["pledged"], answer["networks"][1]["collected"]) == ("8.00", "3.00")
    assert answer["as_of"] == "3:9"


def test_conversion_is_pledges_for_each_hundred_visits(stored: Stored, api: httpx.Client) -> None:
    """By circle and network, and by generation; programs and pages fetched ahead stand apart."""
    tell(
        stored,
        share("mail", network="email"),
        share("chat", network="whatsapp", parent="mail"),
        visit("mail", 40, origin="email", bots=7),
        visit("mail", 2, origin="direct", prefetches=3),
        visit("chat", 3, origin="whatsapp"),
        visit("never-posted", 9),
        capture("p", 500, share_token="mail"),
        capture("q", 70, share_token="chat"),
        capture("r", 30, share_token="chat"),
    )
    answer = api.get(PATH).raise_for_status().json()
    names = ("circle", "network", "visits", "bots", "prefetches", "pledges", "conversion")
    assert [tuple(line[name] for name in names) for line in answer["networks"]] == [
        ("friends", "email", 42, 7, 3, 1, "2.38"),
        ("friends_of_friends", "whatsapp", 3, 0, 0, 2, "66.67"),
        ("unattributed", None, 9, 0, 0, 0, "0.00"),
    ]
    assert [(line["visits"], line["conversion"]) for line in answer["generations"]] == [(42, "2.38"), (3, "66.67")]
    assert [(line["origin"], line["visits"], line["bots"], line["prefetches"]) for line in answer["origins"]] == [
        ("direct", 2, 0, 3),
        ("email", 40, 7, 0),
        ("unknown", 9, 0, 0),
        ("whatsapp", 3, 0, 0),
    ]


def test_the_page_shows_links_visits_and_conversion_by_circle(stored: Stored, api: httpx.Client) -> None:
    """A circle without any visit has a dash, and bots alone are no visit."""
    tell(
        stored,
        share("t"),
        share("u", parent="t"),
        visit("t", 1200),
        visit("u", 0, bots=4),
        capture("p", 5, share_token="t"),
    )
    page = api.get(f"/campaigns/{CAMPAIGN}", params={"lang": "fr"}).text
    friends, friends_of_friends = re.findall(r'<tr role="row" data-circle="friends.*?</tr>', page, re.DOTALL)
    cells = rf'data-name="(?:{FR.links}|{FR.visits}|{FR.conversion})">(.*?)</td>'
    assert re.findall(cells, friends) == ["1", "1\N{NARROW NO-BREAK SPACE}200", "0,08"]
    assert re.findall(cells, friends_of_friends) == ["1", "0", "\N{EN DASH}"]


def test_without_a_link_the_page_has_no_such_columns(stored: Stored, api: httpx.Client) -> None:
    """A campaign that nobody shares has nothing to say of links."""
    tell(stored, capture("p", 5))
    page = api.get(f"/campaigns/{CAMPAIGN}", params={"lang": "en"}).text
    assert EN.conversion not in page
    assert f">{EN.links}<" not in page


def test_what_has_no_circle_is_counted_apart(stored: Stored, api: httpx.Client) -> None:
    """Links that lead nowhere, pledges without a link or by their backer's own; late pledges are in no sum."""
    tell(
        stored,
        share("own", sharer="backer-01"),
        share("ring-1", parent="ring-2"),
        share("ring-2", parent="ring-1"),
        share("orphan", parent="never-posted", network="web"),
        capture("p", 1, backer_id="backer-01", share_token="own"),
        capture("q", 20, share_token="ring-1"),
        capture("r", 300, share_token="orphan"),
        capture("s", 4000, share_token="never-posted"),
        capture("t", 50000),
        capture("late", 600000, share_token="own", at=CLOSES),
        refund("unseen", 7),
    )
    answer = api.get(PATH).raise_for_status().json()
    assert networks_of(answer) == [
        ("friends", "mail", 1, 0, 0, 0),
        ("unattributed", "web", 1, 1, 300, 300),
        ("unattributed", "mail", 2, 2, 21, 21),
        ("unattributed", None, 0, 2, 54000, 54000),
    ]
    assert [(line["shares"], line["pledges"], line["pledged_minor"]) for line in answer["generations"]] == [(1, 0, 0)]
    assert answer["lags"] == []


def test_generations_are_counted_from_the_owners_links(stored: Stored, api: httpx.Client) -> None:
    """Whatever circle those were minted for; K is how many the next generation has for each."""
    tell(
        stored,
        share("a", circle="public"),
        share("b"),
        *(share(f"a{number}", parent="a") for number in range(3)),
        *(share(f"a0{number}", parent="a0") for number in range(2)),
        capture("p", 100, share_token="b"),
        capture("q", 20, share_token="a00"),
        capture("r", 3, share_token="a01"),
    )
    answer = api.get(PATH).raise_for_status().json()
    names = ("generation", "shares", "k", "pledges", "pledged_minor")
    assert [tuple(line[name] for name in names) for line in answer["generations"]] == [
        (0, 2, "1.50", 1, 100),
        (1, 3, "0.67", 0, 0),
        (2, 2, "0.00", 2, 23),
    ]
    assert [(line["circle"], line["shares"]) for line in answer["networks"]] == [("friends", 1), ("public", 6)]


def test_generations_that_are_far_away_are_counted_together(stored: Stored, api: httpx.Client) -> None:
    """With no K: it would be one of several generations."""
    chain = [share(f"t{number}", parent=f"t{number - 1}" if number else None) for number in range(GENERATION_MAX + 5)]
    tell(stored, *chain, capture("p", 100, share_token=f"t{GENERATION_MAX + 4}"))
    generations = api.get(PATH).raise_for_status().json()["generations"]
    assert [line["k"] for line in generations] == ["1.00"] * GENERATION_MAX + [None]
    assert (generations[-1]["generation"], generations[-1]["shares"]) == (GENERATION_MAX, 5)
    assert generations[-1]["pledged_minor"] == 100


def test_a_pledges_lag_is_in_days_of_the_campaigns_calendar(stored: Stored, api: httpx.Client) -> None:
    """From the link's day to its own; bounded, and below 0 where the link was told of with a later time."""
    evening = datetime.fromisoformat("2026-03-10T23:50:00+01:00")
    tell(
        stored,
        share("t", at=evening),
        capture("same", 5, share_token="t", at=evening),
        capture("next", 5, share_token="t", at=evening + timedelta(minutes=10)),
        capture("month", 5, share_token="t", at=evening + LAG_DAYS_MAX * DAY),
        capture("later", 5, share_token="t", at=evening + (LAG_DAYS_MAX + 4) * DAY),
        capture("before", 5, share_token="t", at=evening - 3 * DAY),
        capture("nothing", 5, share_token="t", at=evening),
        refund("nothing", 5),
        capture("no-link", 5, at=NOON),
    )
    answer = api.get(PATH).raise_for_status().json()
    assert [(line["days"], line["pledges"]) for line in answer["lags"]] == [(-1, 1), (0, 1), (1, 1), (LAG_DAYS_MAX, 2)]


def test_only_so_many_networks_are_named(stored: Stored, api: httpx.Client) -> None:
    """Those that brought most; the others stand together, and the sums stay the campaign's."""
    number = NETWORKS_MAX + 5
    links = [share(f"t{each:02}", network=f"network-{each:02}") for each in range(number)]
    pledges = [capture(f"p{each:02}", 1000 - each, share_token=f"t{each:02}") for each in range(number)]
    tell(stored, *links, *pledges)
    answer = api.get(PATH).raise_for_status().json()
    assert [line["network"] for line in answer["networks"]] == [
        *(f"network-{each:02}" for each in range(NETWORKS_MAX)),
        "other",
    ]
    assert answer["networks"][-1]["shares"] == 5
    assert sum(line["pledged_minor"] for line in answer["networks"]) == answer["totals"]["pledged_minor"]


def test_a_campaign_without_links_has_nothing_to_count(stored: Stored, api: httpx.Client) -> None:
    """And one that is not there is not found."""
    tell(stored)
    answer = api.get(PATH).raise_for_status().json()
    assert (answer["networks"], answer["generations"], answer["lags"]) == ([], [], [])
    assert api.get("/v1/campaigns/nobody/shares").status_code == 404


def test_the_films_sums_are_its_totals_at_every_chapter(stored: Stored, api: httpx.Client) -> None:
    """Networks add up to each circle, and generations to all that has a circle; every link is counted once."""
    film = Film(stored.engine)
    film.launch()
    for _ in film.chapters():
        answer = api.get(f"/v1/campaigns/{film.campaign_id}/shares").raise_for_status().json()
        circles = api.get(f"/v1/campaigns/{film.campaign_id}/circles").raise_for_status().json()["circles"]
        for amount in ("pledged_minor", "collected_minor"):
            assert sum(line[amount] for line in answer["networks"]) == answer["totals"][amount]
            for circle in circles:
                lines = [line for line in answer["networks"] if line["circle"] == circle["circle"]]
                assert sum(line[amount] for line in lines) == circle[amount]
            attributed = sum(circle[amount] for circle in circles if circle["circle"] != "unattributed")
            assert sum(line[amount] for line in answer["generations"]) == attributed
        placed = [line for line in answer["networks"] if line["circle"] != "unattributed"]
        for name in ("shares", "pledges"):
            assert sum(line[name] for line in answer["generations"]) == sum(line[name] for line in placed)
        assert sum(line["pledges"] for line in answer["lags"]) == sum(line["pledges"] for line in placed)
    assert len(answer["generations"]) > 2


def test_nobody_is_named(stored: Stored, api: httpx.Client) -> None:
    """Neither who shared nor the links themselves, which tell who did."""
    tell(stored, share("t-secret", sharer="p_sharer"), capture("p", 5, share_token="t-secret", backer_id="p_backer"))
    text = api.get(PATH).text
    assert not any(name in text for name in ("t-secret", "p_sharer", "p_backer"))


@pytest.mark.parametrize(
    ("counted", "of", "text"),
    [(0, 1, "0.00"), (1, 3, "0.33"), (2, 3, "0.67"), (1, 200, "0.01"), (1, 201, "0.00"), (7, 2, "3.50"), (1, 0, None)],
)
def test_a_ratio_is_rounded_half_up(counted: int, of: int, text: str | None) -> None:
    """From integers, to two decimals; there is none of nothing."""
    assert ratio(counted, of) == text
