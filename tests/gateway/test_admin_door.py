"""The admin's doors: launching campaigns and minting share links. Amending them is in test_amendment_door.py."""

import json
from typing import Any

import httpx
import pytest

from producers.pseudonyms import Pseudonyms
from schemas.events import CampaignLaunched, Decoding, SharePosted
from schemas.fields import IDENTIFIER_PATTERN
from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import CAMPAIGN, admin_headers, instant, launch

LAUNCH = f"/v1/campaigns/{CAMPAIGN}"
SHARES = f"{LAUNCH}/shares"
SHARE = {"sharer_id": "sharer-1", "network": "mail"}


def put(client: httpx.Client, terms: Any, url: str = LAUNCH) -> httpx.Response:
    return client.put(url, json=terms, headers=admin_headers())


def mint(client: httpx.Client, share: Any, url: str = SHARES) -> httpx.Response:
    return client.post(url, json=share, headers=admin_headers())


class TestLaunch:
    """PUT /v1/campaigns/{id}."""

    def test_a_campaign_is_launched(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """202 with the launch's position; on the log it comes from the admin."""
        answer = put(client, launch())
        assert answer.status_code == 202, answer.text
        (record,) = gateway.log.records
        event = Decoding.log.decode(record.value)
        assert isinstance(event, CampaignLaunched)
        assert record.key == CAMPAIGN.encode()
        assert (event.source, event.data.campaign_id, event.data.goal_minor) == ("admin", CAMPAIGN, 1_500_000)
        assert event.data.owner_id == Pseudonyms(knocking.settings().pseudonym.key).of("owner-1")
        assert answer.json()["accepted"][0]["id"] == event.id

    def test_the_same_launch_has_the_same_id_and_data(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """A launch may be sent again: it is the same event, said later."""
        terms = launch()
        ids = {put(client, terms).json()["accepted"][0]["id"] for _ in range(2)}
        assert len(ids) == 1
        first, second = (Decoding.log.decode(record.value) for record in gateway.log.records)
        assert first.data == second.data
        other = put(client, terms | {"goal_minor": 2}).json()["accepted"][0]["id"]
        assert other not in ids

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"goal_minor": 0}, "/goal_minor"),
            ({"goal_minor": 1.0}, "/goal_minor"),
            ({"goal_minor": "1"}, "/goal_minor"),
            ({"goal_minor": True}, "/goal_minor"),
            ({"title": ""}, "/title"),
            ({"title": "a\u0000"}, "/title"),
            ({"title": "two\nlines"}, "/title"),
            ({"owner_id": "a b"}, "/owner_id"),
            ({"owner_id": "x" * 65}, "/owner_id"),
            ({"currency": "EURO"}, "/currency"),
            ({"currency": "XXX"}, ""),
            ({"timezone": "Europe/Nowhere"}, ""),
            ({"timezone": "../../etc/passwd"}, ""),
            ({"closes_at": instant(-7200)}, ""),
            ({"closes_at": "2030-01-01T00:00:00"}, "/closes_at"),
            ({"closes_at": "9999-12-31T23:59:59-12:00"}, "/closes_at"),
            ({"opens_at": "2008-12-31T23:59:59Z"}, "/opens_at"),
            ({"opens_at": 5}, "/opens_at"),
            ({"sources": []}, "/sources"),
            ({"sources": ["sources/ok", "a b"]}, "/sources/1"),
            ({"sources": ["sources/ok\n"]}, "/sources/0"),
            ({"settle_hours": -1}, "/settle_hours"),
            ({"funding_model": "other"}, "/funding_model"),
            ({"goal_basis": "collected"}, ""),
            ({"milestone_steps": [50, 100]}, "/milestone_steps/1"),
            ({"milestone_steps": [50, 50]}, ""),
            ({"stretch_goals": [{"stretch_goal_id": "a b", "title": "x", "amount_minor": 1}]}, None),
            ({"unknown": 1}, "/unknown"),
            ({"campaign_id": CAMPAIGN}, "/campaign_id"),
        ],
    )
    def test_terms_that_can_not_be(
        self, client: httpx.Client, gateway: RunningGateway, changes: dict[str, Any], pointer: str | None
    ) -> None:
        """422 with a pointer into the body that was sent."""
        answer = put(client, launch(**changes))
        assert answer.status_code == 422, answer.text
        assert answer.json()["pointer"] == ("/stretch_goals/0/stretch_goal_id" if pointer is None else pointer)
        assert gateway.log.records == []

    @pytest.mark.parametrize("campaign_id", ["a b", "x" * 65, "é", "a%00b", "a%0A"])
    def test_a_campaign_id_that_can_not_be(self, client: httpx.Client, campaign_id: str) -> None:
        """The id in the path is held to the same rule."""
        answer = put(client, launch(), f"/v1/campaigns/{campaign_id}")
        assert (answer.status_code, answer.json()["pointer"]) == (422, "/campaign_id")

    @pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"title": "a", "title": "b"}', '{"goal_minor": NaN}'])
    def test_bodies_that_are_no_object(self, client: httpx.Client, body: str) -> None:
        """As strict as the sources' door."""
        headers = admin_headers() | {"content-type": "application/json"}
        answer = client.put(LAUNCH, content=body, headers=headers)
        assert answer.status_code == (422 if body in {"[]", "null"} else 400)

    def test_type_and_size_of_the_body(self, client: httpx.Client) -> None:
        """415 and 413."""
        text = json.dumps(launch())
        assert client.put(LAUNCH, content=text, headers=admin_headers()).status_code == 415
        headers = admin_headers() | {"content-type": "application/json"}
        assert client.put(LAUNCH, content=text + " " * 65_536, headers=headers).status_code == 413


class TestShares:
    """POST /v1/campaigns/{id}/shares."""

    def test_a_link_is_minted(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """202 with a token that nobody can guess, and the position of the event that announces it."""
        answer = mint(client, SHARE)
        assert answer.status_code == 202, answer.text
        token = answer.json()["share_token"]
        assert len(token) == 24
        event = Decoding.log.decode(gateway.log.records[0].value)
        assert isinstance(event, SharePosted)
        assert (event.source, event.data.share_token, event.data.circle) == ("admin", token, None)
        assert event.data.sharer_id == Pseudonyms(knocking.settings().pseudonym.key).of("sharer-1")
        assert answer.json()["accepted"] == [
            {"id": f"share:{token}", "position": answer.json()["accepted"][0]["position"]}
        ]

    def test_every_token_is_another_and_an_id(self, client: httpx.Client) -> None:
        """Tokens are made of the characters of ids."""
        tokens = {mint(client, SHARE).json()["share_token"] for _ in range(20)}
        assert len(tokens) == 20
        allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")
        assert set("".join(tokens)) <= allowed
        assert IDENTIFIER_PATTERN == r"^[A-Za-z0-9._:-]+$"

    def test_parent_or_circle(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """A link has a parent, or the circle it is minted for, not both."""
        assert mint(client, SHARE | {"parent_token": "token-1"}).status_code == 202
        assert mint(client, SHARE | {"circle": "public"}).status_code == 202
        gateway.log.reset()
        assert mint(client, SHARE | {"circle": "public", "parent_token": "token-1"}).status_code == 422

    @pytest.mark.parametrize(
        ("share", "pointer"),
        [
            ({"network": "mail"}, ""),
            (SHARE | {"network": "a b"}, "/network"),
            (SHARE | {"sharer_id": ""}, "/sharer_id"),
            (SHARE | {"circle": "unattributed"}, "/circle"),
            (SHARE | {"share_token": "mine"}, "/share_token"),
            (SHARE | {"x": 1}, "/x"),
        ],
    )
    def test_shares_that_can_not_be(self, client: httpx.Client, share: dict[str, Any], pointer: str) -> None:
        """422 with a pointer; nobody chooses a token."""
        answer = mint(client, share)
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)


@pytest.mark.parametrize(("method", "url"), [("PUT", LAUNCH), ("POST", f"{LAUNCH}/amendments"), ("POST", SHARES)])
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", f"Basic {knocking.ADMIN_KEY}", knocking.ADMIN_KEY, "Bearer \xe9"],
)
def test_without_the_key_no_door_opens(
    client: httpx.Client, gateway: RunningGateway, method: str, url: str, authorization: str | None
) -> None:
    """401 before anything of the body is looked at, saying which scheme is meant."""
    headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
    answer = client.request(method, url, content=b"{", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert gateway.log.records == []


def test_the_broker_away_is_503(client: httpx.Client, gateway: RunningGateway) -> None:
    """Here too nothing is accepted that is not on the log."""
    gateway.log.away = True
    assert put(client, launch()).status_code == 503
    assert mint(client, SHARE).status_code == 503
