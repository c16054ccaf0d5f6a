"""What became of each 202: the statuses of one event, by its position."""

import httpx

from readers.settings import PAGE_SIZE_MAX
from tests.readers.stored import Line, Stored

EVENT = "/v1/campaigns/film/events"


def test_an_applied_event_shows_its_entries(stored: Stored, api: httpx.Client) -> None:
    """Entries stand in the order of their numbers, with pledge ids and differences."""
    stored.campaign()
    stored.entries(4, [Line(-2_000, "unattributed"), Line(2_000, "friends")])
    response = api.get(f"{EVENT}/0:4")
    answer = response.json()
    assert (answer["status"], answer["position"], answer["event_id"]) == ("applied", "0:4", "event-4")
    assert [(one["number"], one["circle"], one["pledged"]) for one in answer["entries"]] == [
        (0, "unattributed", "-20.00"),
        (1, "friends", "20.00"),
    ]
    assert answer["entries"][0]["pledge_id"] == "pledge-1"
    assert (answer["as_of"], response.headers["cercles-as-of"]) == ("0:4", "0:4")
    assert (answer["reason"], answer["detail"], answer["next_cursor"]) == (None, None, None)


def test_an_event_with_too_many_entries_for_one_answer_says_where_the_rest_is(
    stored: Stored, api: httpx.Client
) -> None:
    """A share heard of late may move thousands of pledges: the cursor goes on in the campaign's entries."""
    stored.campaign()
    stored.entries(4, [Line(1, "friends")] * (PAGE_SIZE_MAX + 3))
    answer = api.get(f"{EVENT}/0:4").json()
    assert len(answer["entries"]) == PAGE_SIZE_MAX
    rest = api.get("/v1/campaigns/film/entries", params={"cursor": answer["next_cursor"]}).json()["entries"]
    assert [one["number"] for one in rest] == [PAGE_SIZE_MAX, PAGE_SIZE_MAX + 1, PAGE_SIZE_MAX + 2]


def test_a_refused_event_shows_why(stored: Stored, api: httpx.Client) -> None:
    """Reason and detail of its dead letter, whether or not the progress has passed it yet."""
    stored.campaign()
    stored.dead_letter(5)
    answer = api.get(f"{EVENT}/0:5").json()
    assert (answer["status"], answer["reason"]) == ("refused", "currency_mismatch")
    assert (answer["detail"], answer["event_id"]) == ("the campaign is in EUR", "event-5")
    assert (answer["entries"], answer["as_of"]) == ([], "0:5")


def test_a_refused_event_of_a_campaign_that_was_never_launched_is_answered(stored: Stored, api: httpx.Client) -> None:
    """`campaign_unknown` is what became of it; a 404 would hide that."""
    stored.dead_letter(5, reason="campaign_unknown", campaign_id="ghost", key=b"ghost")
    answer = api.get("/v1/campaigns/ghost/events/0:5").json()
    assert (answer["status"], answer["reason"]) == ("refused", "campaign_unknown")


def test_bytes_that_named_no_campaign_are_answered_under_their_key(stored: Stored, api: httpx.Client) -> None:
    """What could not be decoded belongs to the campaign of its key, and without a key to whoever asks."""
    stored.dead_letter(5, reason="invalid_event", campaign_id=None, event_id=None)
    stored.dead_letter(6, reason="invalid_event", campaign_id=None, event_id=None, key=None)
    stored.dead_letter(7, reason="invalid_event", campaign_id=None, event_id=None, key=b"\xff\x00")
    assert api.get(f"{EVENT}/0:5").json()["status"] == "refused"
    assert api.get("/v1/campaigns/other/events/0:5").status_code == 404
    assert api.get("/v1/campaigns/other/events/0:6").json()["status"] == "refused"
    assert api.get(f"{EVENT}/0:7").status_code == 404


def test_an_event_without_effect_is_no_change(stored: Stored, api: httpx.Client) -> None:
    """The log is stored past it, and it left neither entry nor dead letter."""
    stored.campaign()
    stored.progress(8)
    answer = api.get(f"{EVENT}/0:7").json()
    assert (answer["status"], answer["as_of"]) == ("no_change", "0:7")
    assert api.get(f"{EVENT}/0:8").json()["status"] == "pending"


def test_it_is_pending_until_the_dead_letters_of_that_stretch_are_stored(stored: Stored, api: httpx.Client) -> None:
    """The progress has passed it, but a dead letter may still be on its way: nothing is said before it is known."""
    stored.campaign()
    stored.progress(8, dead_letters_next=3)
    assert api.get(f"{EVENT}/0:7").json()["status"] == "pending"
    stored.dead_letters_stored(2)
    assert api.get(f"{EVENT}/0:7").json()["status"] == "pending"
    stored.dead_letters_stored(3)
    assert api.get(f"{EVENT}/0:7").json()["status"] == "no_change"


def test_a_position_beyond_anything_known_is_pending(stored: Stored, api: httpx.Client) -> None:
    """Also in a partition that nothing is stored of, up to the last number that Kafka can count to."""
    stored.campaign()
    stored.progress(8)
    for position in ("0:100", "3:0", "2147483647:9223372036854775807"):
        response = api.get(f"{EVENT}/{position}")
        assert (response.status_code, response.json()["status"]) == (200, "pending")


def test_a_launch_that_is_not_stored_yet_is_pending(stored: Stored, api: httpx.Client) -> None:
    """A campaign that nobody knows is no 404 here, and nothing being stored there is no position to be as of."""
    assert stored.url
    response = api.get("/v1/campaigns/new/events/0:0")
    assert (response.json()["status"], response.json()["as_of"]) == ("pending", None)
    assert "cercles-as-of" not in response.headers


def test_an_entry_of_another_campaign_is_not_shown(stored: Stored, api: httpx.Client) -> None:
    """404 that says why, and nothing of the other campaign; also where the asked one is not stored."""
    stored.campaign("film")
    stored.campaign("book")
    stored.entries(4, [Line(2_000)], campaign_id="book")
    stored.dead_letter(5, campaign_id="book")
    for asked, position in (("film", "0:4"), ("ghost", "0:4"), ("film", "0:5")):
        response = api.get(f"/v1/campaigns/{asked}/events/{position}")
        assert response.status_code == 404
        assert "another campaign" in response.json()["detail"]
        assert "book" not in response.text


def test_behind_a_gap_nothing_is_called_no_change(stored: Stored, api: httpx.Client) -> None:
    """Updates after a gap are skipped: that an event has no entries says nothing until the repair."""
    stored.campaign()
    stored.entries(2, [Line(2_000)])
    stored.totals(gap_offset=4)
    stored.progress(8)
    assert api.get(f"{EVENT}/0:1").json()["status"] == "no_change"
    answer = api.get(f"{EVENT}/0:7").json()
    assert answer["status"] == "pending"
    assert "gap at 0:4" in answer["detail"]


def test_one_answer_is_true_of_one_moment(stored: Stored, api: httpx.Client) -> None:
    """An event found applied states a position that is not before its own, though the progress is behind."""
    stored.campaign()
    stored.progress(3)
    stored.entries(6, [Line(2_000)])
    assert api.get(f"{EVENT}/0:6").json()["as_of"] == "0:6"
    assert api.get(f"{EVENT}/0:2").json()["as_of"] == "0:6"
