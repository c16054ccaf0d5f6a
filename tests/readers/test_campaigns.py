"""What the open routes answer about campaigns."""

from datetime import date
from typing import Any

import httpx

from tests.readers.stored import Line, Stored


def fund(stored: Stored) -> None:
    """Store the film of the story: 17 230 of 15 000 euros, over two days and all circles."""
    stored.campaign()
    stored.entries(1, [Line(600_000, "friends", collected_minor=600_000)])
    stored.entries(2, [Line(500_000, "friends_of_friends", date(2026, 3, 2))])
    stored.entries(3, [Line(623_000, "public", date(2026, 3, 2), collected_minor=623_000)])
    stored.totals(percent=115, backers=3, unattributed={"no_token": 2}, late_minor=5_000)


def test_a_campaign_shows_its_terms_totals_and_circles(stored: Stored, api: httpx.Client) -> None:
    """Terms, totals in both forms, circles in their order, and the position that all of it is as of."""
    fund(stored)
    response = api.get("/v1/campaigns/film")
    assert response.status_code == 200
    assert response.headers["cercles-as-of"] == "0:3"
    answer = response.json()
    assert answer["as_of"] == "0:3"
    assert answer["status"] == "open"
    assert (answer["complete"], answer["gap_at"]) == (True, None)
    assert answer["terms"]["title"] == "Les Anges Anonymes"
    assert answer["terms"]["closes_at"] == "2026-04-01T00:00:00Z"
    assert answer["terms"]["stretch_goals"] == [
        {"stretch_goal_id": "score", "title": "An original score", "amount_minor": 1_800_000, "amount": "18000.00"}
    ]
    totals = answer["totals"]
    assert (totals["pledged_minor"], totals["pledged"]) == (1_723_000, "17230.00")
    assert (totals["collected_minor"], totals["collected"]) == (1_223_000, "12230.00")
    assert (totals["goal_minor"], totals["goal"], totals["currency"]) == (1_500_000, "15000.00", "EUR")
    assert (totals["late_minor"], totals["late"]) == (5_000, "50.00")
    assert (totals["percent"], totals["backers"]) == (115, 3)
    assert answer["unattributed"] == {"no_token": 2}
    assert [(circle["circle"], circle["pledged"]) for circle in answer["circles"]] == [
        ("friends", "6000.00"),
        ("friends_of_friends", "5000.00"),
        ("public", "6230.00"),
        ("unattributed", "0.00"),
    ]


def test_amounts_are_shown_with_the_digits_of_their_currency(stored: Stored, api: httpx.Client) -> None:
    """Minor units stay what they are; beside them the text has the currency's own number of digits."""
    for offset, (currency, shown) in enumerate((("JPY", "1723000"), ("EUR", "17230.00"), ("TND", "1723.000"))):
        campaign_id = f"in-{currency}"
        stored.campaign(campaign_id, currency=currency)
        stored.entries(offset, [Line(1_723_000)], campaign_id=campaign_id)
        totals = api.get(f"/v1/campaigns/{campaign_id}").json()["totals"]
        assert (totals["pledged_minor"], totals["pledged"]) == (1_723_000, shown)


def test_nobody_is_named_in_open_answers(stored: Stored, api: httpx.Client) -> None:
    """Neither the owner's pseudonym nor the gateway's account is in what everybody may read."""
    fund(stored)
    for path in ("", "/film", "/film/circles", "/film/days", "/film/rewards", "/film/shares", "/film/milestones"):
        text = api.get(f"/v1/campaigns{path}").text
        assert "p_owner" not in text
        assert "acct_1" not in text
        assert "backer_id" not in text


def test_circles_and_days_come_with_the_totals_they_add_up_to(stored: Stored, api: httpx.Client) -> None:
    """Both routes carry the totals of the same snapshot, and their lines add up to them."""
    fund(stored)
    circles = api.get("/v1/campaigns/film/circles").json()
    days = api.get("/v1/campaigns/film/days").json()
    for answer, lines in ((circles, circles["circles"]), (days, days["days"])):
        assert answer["as_of"] == "0:3"
        for amount in ("pledged_minor", "collected_minor"):
            assert sum(line[amount] for line in lines) == answer["totals"][amount]
    assert [(day["day"], day["pledged"]) for day in days["days"]] == [
        ("2026-03-01", "6000.00"),
        ("2026-03-02", "11230.00"),
    ]
    assert days["timezone"] == "Europe/Paris"


def test_rewards_show_what_is_claimed_and_what_is_left(stored: Stored, api: httpx.Client) -> None:
    """In the order of the terms; claims of rewards that the terms do not name are told apart."""
    terms = [
        {"reward_id": "poster", "title": "A signed poster", "quantity": 2},
        {"reward_id": "credit"},
        {"reward_id": "visit", "quantity": 10},
    ]
    stored.campaign(rewards=terms)
    stored.entries(4, [Line(5_000)])
    stored.reward("visit", 0, 10)
    stored.reward("credit", 7, None)
    stored.reward("poster", 3, 0, 1)
    stored.totals(unknown_reward_claims=5)
    response = api.get("/v1/campaigns/film/rewards")
    assert (response.status_code, response.headers["cercles-as-of"]) == (200, "0:4")
    answer = response.json()
    assert (answer["as_of"], answer["claims"], answer["unknown_reward_claims"]) == ("0:4", 15, 5)
    names = ("reward_id", "title", "quantity", "claimed", "claims_left", "exhausted_claims")
    assert [tuple(one[name] for name in names) for one in answer["rewards"]] == [
        ("poster", "A signed poster", 2, 3, 0, 1),
        ("credit", None, None, 7, None, 0),
        ("visit", None, 10, 0, 10, 0),
    ]


def test_a_campaign_without_rewards_has_none(stored: Stored, api: httpx.Client) -> None:
    """The list is empty, and nothing is claimed."""
    fund(stored)
    answer = api.get("/v1/campaigns/film/rewards").json()
    assert (answer["claims"], answer["unknown_reward_claims"], answer["rewards"]) == (0, 0, [])


def test_milestones_come_in_the_order_they_were_passed(stored: Stored, api: httpx.Client) -> None:
    """Several of one event keep their order; what does not apply to a type is null."""
    stored.campaign()
    stored.milestone(3, "cercles.goal.overfunded", number=1, step=100, threshold_minor=1_500_001)
    stored.milestone(3, "cercles.goal.reached", number=0, occurrence=1)
    stored.milestone(2, "cercles.milestone.passed", step=25, threshold_minor=375_000, total_minor=400_000)
    answer = api.get("/v1/campaigns/film/milestones").json()
    said = [(one["position"], one["type"], one["step"], one["occurrence"]) for one in answer["milestones"]]
    assert said == [
        ("0:2", "cercles.milestone.passed", 25, None),
        ("0:3", "cercles.goal.reached", None, 1),
        ("0:3", "cercles.goal.overfunded", 100, None),
    ]
    first = answer["milestones"][0]
    assert (first["threshold"], first["total"], first["event_id"]) == ("3750.00", "4000.00", "event-2")
    assert (answer["currency"], answer["next_cursor"]) == ("EUR", None)


def test_an_order_signal_names_both_circles(stored: Stored, api: httpx.Client) -> None:
    """The one that opened, and the one whose total was still below its threshold; for others both are null."""
    stored.campaign()
    stored.milestone(2, "cercles.goal.reached", occurrence=1)
    circles: dict[str, Any] = {"circle": "public", "narrower_circle": "friends_of_friends"}
    stored.milestone(3, "cercles.circle.opened_early", step=30, threshold_minor=450_000, total_minor=10_050, **circles)
    other, signal = api.get("/v1/campaigns/film/milestones").json()["milestones"]
    assert {name: signal[name] for name in circles} == circles
    assert (signal["step"], signal["threshold"], signal["total"]) == (30, "4500.00", "100.50")
    assert (other["circle"], other["narrower_circle"]) == (None, None)


def test_a_gap_is_shown(stored: Stored, api: httpx.Client) -> None:
    """A campaign that missed something says where; its totals stay as of the position before."""
    fund(stored)
    stored.totals(gap_offset=7)
    for path in (
        "/film",
        "/film/circles",
        "/film/days",
        "/film/rewards",
        "/film/shares",
        "/film/milestones",
        "/film/entries",
    ):
        answer = api.get(f"/v1/campaigns{path}").json()
        assert (answer["as_of"], answer["gap_at"]) == ("0:3", "0:7")


def test_a_campaign_whose_launch_was_missed_is_not_found_and_says_why(stored: Stored, api: httpx.Client) -> None:
    """Without terms there is nothing to show; the detail tells it apart from an unknown campaign."""
    stored.campaign_missed_from_the_start("film", partition=2, gap=5)
    for path in ("", "/circles", "/days"):
        response = api.get(f"/v1/campaigns/film{path}")
        assert response.status_code == 404
        assert "gap at 2:5" in response.json()["detail"]
        assert api.get(f"/v1/campaigns/other{path}").json()["detail"] == "no campaign 'other' is stored"
    assert api.get("/v1/campaigns").json()["campaigns"] == []


def test_a_change_stored_in_part_is_marked(stored: Stored, api: httpx.Client) -> None:
    """Between the parts of a large update the answer says that more is to come."""
    fund(stored)
    stored.totals(complete=False)
    assert api.get("/v1/campaigns/film").json()["complete"] is False


def test_the_list_has_every_campaign_with_its_own_position(stored: Stored, api: httpx.Client) -> None:
    """Campaigns stand in the order of their ids; the list states how far each partition is stored."""
    stored.campaign("b", partition=1, offset=4, status="succeeded")
    stored.campaign("a", partition=0, offset=9)
    stored.progress(12, partition=0)
    stored.progress(5, partition=1)
    stored.progress(0, partition=2)
    response = api.get("/v1/campaigns")
    answer = response.json()
    assert [(one["campaign_id"], one["as_of"]) for one in answer["campaigns"]] == [("a", "0:9"), ("b", "1:4")]
    assert answer["as_of"] == ["0:11", "1:4"]
    assert response.headers["cercles-as-of"] == "0:11, 1:4"


def test_the_list_filters_by_status(stored: Stored, api: httpx.Client) -> None:
    """Only campaigns of the status that is asked for are listed."""
    statuses = ("open", "succeeded", "failed")
    for status in statuses:
        stored.campaign(f"campaign-{status}", status=status)
    for status in statuses:
        listed = api.get("/v1/campaigns", params={"status": status}).json()["campaigns"]
        assert [one["campaign_id"] for one in listed] == [f"campaign-{status}"]


def test_an_unknown_campaign_is_not_found(api: httpx.Client) -> None:
    """404 as a problem that names the campaign."""
    for path in ("", "/circles", "/days", "/rewards", "/shares", "/milestones", "/entries"):
        response = api.get(f"/v1/campaigns/nobody{path}")
        problem: dict[str, Any] = response.json()
        assert (response.status_code, problem["status"], problem["title"]) == (404, 404, "Not Found")
        assert "nobody" in problem["detail"]
        assert response.headers["content-type"] == "application/problem+json"
