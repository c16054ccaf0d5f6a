"""Pages: bounded, and neither skipping nor repeating anything while rows are added."""

from itertools import islice
from typing import Any

import httpx

from readers.settings import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from tests.readers.stored import Line, Stored

ENTRIES = "/v1/campaigns/film/entries"


def pages(api: httpx.Client, path: str, **parameters: str | int) -> list[dict[str, Any]]:
    """Return all pages, in order."""
    found: list[dict[str, Any]] = []
    while True:
        found.append(api.get(path, params=parameters).raise_for_status().json())
        if found[-1]["next_cursor"] is None:
            return found
        parameters["cursor"] = found[-1]["next_cursor"]


def test_entries_page_in_the_order_of_the_log(stored: Stored, api: httpx.Client) -> None:
    """Pages may end within an event; together they are the whole ledger and add up to the last page's totals."""
    stored.campaign()
    for offset in (1, 5, 9, 10):
        stored.entries(offset, [Line(offset * 100 + number) for number in range(3)])
    found = pages(api, ENTRIES, limit=4)
    entries = [entry for page in found for entry in page["entries"]]
    assert [len(page["entries"]) for page in found] == [4, 4, 4]
    assert [(entry["position"], entry["number"]) for entry in entries] == [
        (f"0:{offset}", number) for offset in (1, 5, 9, 10) for number in range(3)
    ]
    assert sum(entry["pledged_minor"] for entry in entries) == found[-1]["totals"]["pledged_minor"]


def test_a_full_last_page_has_no_next_one(stored: Stored, api: httpx.Client) -> None:
    """A next page is named only when there is something on it."""
    stored.campaign()
    stored.entries(1, [Line(1), Line(2)])
    assert api.get(ENTRIES, params={"limit": 2}).json()["next_cursor"] is None


def test_pages_neither_skip_nor_repeat_while_entries_are_added(stored: Stored, api: httpx.Client) -> None:
    """Between any two pages the ledger grows; what was there in the beginning comes once, in order."""
    stored.campaign("film")
    stored.campaign("book")
    for offset in range(10):
        stored.entries(offset, [Line(1), Line(1)], campaign_id="film" if offset % 2 else "book")
    added = iter(range(10, 15))
    seen: list[tuple[int, int]] = []
    parameters: dict[str, str | int] = {"limit": 3}
    while True:
        page = api.get(ENTRIES, params=parameters).json()
        seen += [(int(entry["position"].removeprefix("0:")), entry["number"]) for entry in page["entries"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
        for offset in islice(added, 1):
            stored.entries(offset, [Line(1), Line(1)])
    assert list(added) == [], "the ledger grew all the while"
    assert seen == [(offset, number) for offset in (1, 3, 5, 7, *range(9, 15)) for number in range(2)]


def test_the_last_cursor_goes_on_with_what_came_since(stored: Stored, api: httpx.Client) -> None:
    """A cursor is good for ever: asked again, its page has grown at the end only."""
    stored.campaign()
    stored.entries(1, [Line(1), Line(2)])
    cursor = api.get(ENTRIES, params={"limit": 1}).json()["next_cursor"]
    before = api.get(ENTRIES, params={"cursor": cursor}).json()["entries"]
    stored.entries(2, [Line(3)])
    after = api.get(ENTRIES, params={"cursor": cursor}).json()["entries"]
    assert after[: len(before)] == before
    assert [entry["pledged_minor"] for entry in after] == [2, 3]


def test_campaigns_page_by_their_ids_while_campaigns_are_added(stored: Stored, api: httpx.Client) -> None:
    """A campaign that is added before the cursor is not missed by anyone's fault; the others come once each."""
    for number in range(5):
        stored.campaign(f"campaign-{number}")
    first = api.get("/v1/campaigns", params={"limit": 2}).json()
    stored.campaign("campaign-0a")
    stored.campaign("campaign-3a")
    second = api.get("/v1/campaigns", params={"limit": 10, "cursor": first["next_cursor"]}).json()
    ids = [one["campaign_id"] for page in (first, second) for one in page["campaigns"]]
    assert ids == ["campaign-0", "campaign-1", "campaign-2", "campaign-3", "campaign-3a", "campaign-4"]
    assert second["next_cursor"] is None


def test_a_filter_holds_over_pages(stored: Stored, api: httpx.Client) -> None:
    """The cursor goes with the filter."""
    for number in range(6):
        stored.campaign(f"campaign-{number}", status="failed" if number % 2 else "open")
    found = pages(api, "/v1/campaigns", status="failed", limit=2)
    assert [[one["campaign_id"] for one in page["campaigns"]] for page in found] == [
        ["campaign-1", "campaign-3"],
        ["campaign-5"],
    ]


def test_milestones_page(stored: Stored, api: httpx.Client) -> None:
    """Several milestones of one event may stand on two pages."""
    stored.campaign()
    for number in range(3):
        stored.milestone(7, "cercles.milestone.passed", number=number, step=25 * (number + 1))
    found = pages(api, "/v1/campaigns/film/milestones", limit=2)
    assert [[one["step"] for one in page["milestones"]] for page in found] == [[25, 50], [75]]


def test_pages_are_bounded(stored: Stored, api: httpx.Client) -> None:
    """Without a limit a page has its default size, and no limit beyond the greatest is taken."""
    stored.campaign()
    stored.entries(1, [Line(1)] * (PAGE_SIZE_MAX + 1))
    assert len(api.get(ENTRIES).json()["entries"]) == PAGE_SIZE_DEFAULT
    assert len(api.get(ENTRIES, params={"limit": PAGE_SIZE_MAX}).json()["entries"]) == PAGE_SIZE_MAX
    assert api.get(ENTRIES, params={"limit": PAGE_SIZE_MAX + 1}).status_code == 400


def test_an_empty_database_has_an_empty_page(api: httpx.Client) -> None:
    """Nothing stored is an answer too."""
    assert api.get("/v1/campaigns").json() == {"as_of": [], "campaigns": [], "next_cursor": None}
