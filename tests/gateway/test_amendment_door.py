"""The admin's door for new terms: POST /v1/campaigns/{id}/amendments."""

import json
from typing import Any

import httpx
import pytest

from producers.gateway.bodies import EVENT_BYTES_MAX
from schemas.events import CampaignAmended, Decoding, StretchGoal
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import CAMPAIGN, admin_headers, instant

AMENDMENTS = f"/v1/campaigns/{CAMPAIGN}/amendments"
MUSIC = {"stretch_goal_id": "music", "title": "Music", "amount_minor": 2_000_000}
JSON_HEADERS = admin_headers() | {"content-type": "application/json"}


def amend(client: httpx.Client, terms: Any, url: str = AMENDMENTS) -> httpx.Response:
    return client.post(url, json=terms, headers=admin_headers())


def amendments(gateway: RunningGateway) -> list[CampaignAmended]:
    events = [Decoding.log.decode(record.value) for record in gateway.log.records]
    return [event for event in events if isinstance(event, CampaignAmended)]


def test_terms_are_amended(client: httpx.Client, gateway: RunningGateway) -> None:
    """202 with the amendment's position; on the log it comes from the admin, at the time of the door."""
    answer = amend(client, {"revision": 1, "goal_minor": 2_000_000, "title": "Another title"})
    assert answer.status_code == 202, answer.text
    [event] = amendments(gateway)
    [record] = gateway.log.records
    assert (record.topic, record.key) == ("cercles.campaign-events", CAMPAIGN.encode())
    assert (event.source, event.data.campaign_id, event.data.revision) == ("admin", CAMPAIGN, 1)
    assert (event.data.goal_minor, event.data.title) == (2_000_000, "Another title")
    assert (event.data.stretch_goals, event.data.closes_at) == (None, None), "what is absent stays absent"
    [accepted] = answer.json()["accepted"]
    assert set(accepted) == {"id", "position"}
    assert accepted["id"] == event.id


def test_every_term_can_be_amended_at_once(client: httpx.Client, gateway: RunningGateway) -> None:
    """The deadline keeps the moment that it names, whatever offset it is told with."""
    closes_at = "2030-10-27T02:30:00+02:00"
    terms = {"revision": 10**9, "title": "T", "goal_minor": 1, "stretch_goals": [MUSIC], "closes_at": closes_at}
    assert amend(client, terms).status_code == 202
    [event] = amendments(gateway)
    assert event.data.stretch_goals == [StretchGoal(**MUSIC)]  # type: ignore[arg-type]  # a mapping of mixed values
    assert event.data.closes_at is not None
    assert event.data.closes_at.isoformat() == closes_at


def test_an_empty_list_takes_all_stretch_goals_away(client: httpx.Client, gateway: RunningGateway) -> None:
    """It is a term, unlike an absent one, and stays one on the log."""
    assert amend(client, {"revision": 1, "stretch_goals": []}).status_code == 202
    [event] = amendments(gateway)
    assert event.data.stretch_goals == []


def test_the_same_revision_again_has_the_same_id_and_data(client: httpx.Client, gateway: RunningGateway) -> None:
    """It may be sent again: it is the same event, said later. Another revision, or other terms, is another event."""
    terms = {"revision": 1, "goal_minor": 5}
    ids = [amend(client, terms).json()["accepted"][0]["id"] for _ in range(2)]
    assert ids[0] == ids[1]
    first, second = amendments(gateway)
    assert first.data == second.data
    others = [{"revision": 2, "goal_minor": 5}, {"revision": 1, "goal_minor": 6}]
    assert len({ids[0], *(amend(client, other).json()["accepted"][0]["id"] for other in others)}) == 3
    elsewhere = amend(client, terms, "/v1/campaigns/another/amendments").json()["accepted"][0]["id"]
    assert elsewhere != ids[0]


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({}, ""),
        ({"revision": 1}, ""),
        ({"goal_minor": 5}, ""),
        ({"revision": 1, "goal_minor": None, "title": None}, ""),
        ({"revision": 0, "goal_minor": 5}, "/revision"),
        ({"revision": -1, "goal_minor": 5}, "/revision"),
        ({"revision": 1.0, "goal_minor": 5}, "/revision"),
        ({"revision": "1", "goal_minor": 5}, "/revision"),
        ({"revision": True, "goal_minor": 5}, "/revision"),
        ({"revision": None, "goal_minor": 5}, "/revision"),
        ({"revision": 10**9 + 1, "goal_minor": 5}, "/revision"),
        ({"revision": 2**64, "goal_minor": 5}, "/revision"),
        ({"revision": 1, "goal_minor": 0}, "/goal_minor"),
        ({"revision": 1, "goal_minor": -5}, "/goal_minor"),
        ({"revision": 1, "goal_minor": 5.0}, "/goal_minor"),
        ({"revision": 1, "goal_minor": "5"}, "/goal_minor"),
        ({"revision": 1, "goal_minor": True}, "/goal_minor"),
        ({"revision": 1, "goal_minor": 10**12 + 1}, "/goal_minor"),
        ({"revision": 1, "title": ""}, "/title"),
        ({"revision": 1, "title": "x" * 201}, "/title"),
        ({"revision": 1, "title": "a\u0000"}, "/title"),
        ({"revision": 1, "title": "two\nlines"}, "/title"),
        ({"revision": 1, "title": 5}, "/title"),
        ({"revision": 1, "closes_at": instant(-1)}, "/closes_at"),
        ({"revision": 1, "closes_at": "2030-01-01T00:00:00"}, "/closes_at"),
        ({"revision": 1, "closes_at": "2030-02-30T00:00:00Z"}, "/closes_at"),
        ({"revision": 1, "closes_at": "9999-12-31T23:59:59-12:00"}, "/closes_at"),
        ({"revision": 1, "closes_at": instant(3651 * 24 * 3600)}, "/closes_at"),
        ({"revision": 1, "closes_at": 1_900_000_000}, "/closes_at"),
        ({"revision": 1, "closes_at": "tomorrow"}, "/closes_at"),
        ({"revision": 1, "stretch_goals": {}}, "/stretch_goals"),
        ({"revision": 1, "stretch_goals": [MUSIC, MUSIC]}, ""),
        ({"revision": 1, "stretch_goals": [MUSIC | {"stretch_goal_id": "a b"}]}, "/stretch_goals/0/stretch_goal_id"),
        ({"revision": 1, "stretch_goals": [MUSIC | {"title": "a\u0000"}]}, "/stretch_goals/0/title"),
        ({"revision": 1, "stretch_goals": [MUSIC | {"amount_minor": 1.5}]}, "/stretch_goals/0/amount_minor"),
        ({"revision": 1, "stretch_goals": [MUSIC | {"unknown": 1}]}, "/stretch_goals/0/unknown"),
        (
            {"revision": 1, "stretch_goals": [MUSIC | {"stretch_goal_id": f"s{number}"} for number in range(51)]},
            "/stretch_goals",
        ),
        ({"revision": 1, "goal_minor": 5, "currency": "USD"}, "/currency"),
        ({"revision": 1, "goal_minor": 5, "unknown": 1}, "/unknown"),
        ({"revision": 1, "goal_minor": 5, "campaign_id": CAMPAIGN}, "/campaign_id"),
    ],
)
def test_terms_that_can_not_be(
    client: httpx.Client, gateway: RunningGateway, terms: dict[str, Any], pointer: str
) -> None:
    """422 with a pointer into the body that was sent, and nothing on the log."""
    answer = amend(client, terms)
    assert answer.status_code == 422, answer.text
    assert (answer.headers["content-type"], answer.json()["pointer"]) == ("application/problem+json", pointer)
    assert gateway.log.records == []


@pytest.mark.parametrize("campaign_id", ["a b", "x" * 65, "é", "a%00b", "a%0A"])
def test_a_campaign_id_that_can_not_be(client: httpx.Client, campaign_id: str) -> None:
    """The id in the path is held to the rule of the launch."""
    answer = amend(client, {"revision": 1, "goal_minor": 5}, f"/v1/campaigns/{campaign_id}/amendments")
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/campaign_id")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"revision": 1, "revision": 2, "goal_minor": 5}',
        b'{"revision": 1, "goal_minor": NaN}',
        b'{"revision": 1, "title": "\\ud800"}',
        b'{"revision": 1, "stretch_goals": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"revision": 1, "stretch_goals": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"revision": ' + b"9" * 5_000 + b', "goal_minor": 5}',
    ],
)
def test_bodies_that_are_not_strict_json(client: httpx.Client, gateway: RunningGateway, body: bytes) -> None:
    """400, as strict as every other door: garbled, a name twice, nested too deep, a number of too many digits."""
    answer = client.post(AMENDMENTS, content=body, headers=JSON_HEADERS)
    assert (answer.status_code, answer.json()["reason"]) == (400, "not_json")
    assert gateway.log.records == []


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"'])
def test_bodies_that_are_no_object(client: httpx.Client, body: bytes) -> None:
    """422 about the whole body."""
    answer = client.post(AMENDMENTS, content=body, headers=JSON_HEADERS)
    assert (answer.status_code, answer.json()["pointer"]) == (422, "")


def test_type_and_size_of_the_body(client: httpx.Client, gateway: RunningGateway) -> None:
    """415 and 413; the largest amendment there is fits."""
    text = json.dumps({"revision": 1, "goal_minor": 5})
    assert client.post(AMENDMENTS, content=text, headers=admin_headers()).status_code == 415
    assert client.post(AMENDMENTS, content=text + " " * EVENT_BYTES_MAX, headers=JSON_HEADERS).status_code == 413
    assert gateway.log.records == []
    goals = [
        {"stretch_goal_id": f"{number:064}", "title": "é" * 200, "amount_minor": 10**12 - number}
        for number in range(50)
    ]
    assert amend(client, {"revision": 1, "title": "é" * 200, "stretch_goals": goals}).status_code == 202


def test_the_broker_away_is_503(client: httpx.Client, gateway: RunningGateway) -> None:
    """Nothing is accepted that is not on the log, and when to come back is said."""
    gateway.log.away = True
    answer = amend(client, {"revision": 1, "goal_minor": 5})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_amendments_are_counted_as_the_admins(client: httpx.Client, gateway: RunningGateway) -> None:
    """Like every event that the door takes."""
    before = gateway.counted("cercles_gateway_accepted_events_total", source="admin")
    amend(client, {"revision": 1, "goal_minor": 5})
    assert gateway.counted("cercles_gateway_accepted_events_total", source="admin") == before + 1
