"""GET /s/{ticket}: the visit is counted, and leads to the campaign's own page and nowhere else."""

from typing import Any

import httpx
import pytest

from tests.gateway import conftest, knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import CAMPAIGN, PAGES, admin_headers

SHARES = f"/v1/campaigns/{CAMPAIGN}/shares"
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}


def mint(client: httpx.Client) -> dict[str, Any]:
    answer = client.post(SHARES, json={"sharer_id": "sharer-1", "network": "mail"}, headers=admin_headers())
    minted: dict[str, Any] = answer.raise_for_status().json()
    return minted


def visits(gateway: RunningGateway, kind: str = "visit") -> float:
    return gateway.counted("cercles_gateway_visits_total", kind=kind)


def test_a_link_leads_to_its_campaigns_page(client: httpx.Client, gateway: RunningGateway) -> None:
    """With its token, by which the pledge is attributed; stored nowhere, with no cookie and no referrer handed on."""
    minted, before = mint(client), visits(gateway)
    answer = client.get(minted["path"], headers=BROWSER)
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["location"] == f"{PAGES}/{CAMPAIGN}?share_token={minted['share_token']}"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert visits(gateway) == before + 1


@pytest.mark.parametrize(
    "query", ["?next=https://evil.example", "?utm_source=x&share_token=other", "?utm_source=%00", "?%ff=%ff&&="]
)
def test_nothing_in_the_request_leads_elsewhere(client: httpx.Client, query: str) -> None:
    """The page follows from the ticket alone, whatever else is said."""
    minted = mint(client)
    headers = BROWSER | {"host": "evil.example", "x-forwarded-host": "evil.example", "referer": "https://evil.example/"}
    answer = client.get(minted["path"] + query, headers=headers)
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{PAGES}/{CAMPAIGN}?share_token={minted['share_token']}"


def test_programs_and_looks_ahead_are_led_on_and_counted_apart(client: httpx.Client, gateway: RunningGateway) -> None:
    """HEAD has the same answer, without a body."""
    path = mint(client)["path"]
    before = [visits(gateway, kind) for kind in ("visit", "bot", "prefetch")]
    assert client.get(path, headers={"user-agent": "Twitterbot/1.0"}).status_code == 302
    assert client.get(path, headers=BROWSER | {"sec-purpose": "prefetch"}).status_code == 302
    answer = client.head(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"].startswith(f"{PAGES}/{CAMPAIGN}?")) == (302, True)
    after = [visits(gateway, kind) for kind in ("visit", "bot", "prefetch")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [0, 1, 2]


@pytest.mark.parametrize("change", ["x", ".", "%2e%2e", "/x", "/../../evil", "é"])
def test_what_we_have_not_made_leads_nowhere(client: httpx.Client, gateway: RunningGateway, change: str) -> None:
    """404 as a problem, and nothing is counted."""
    path, before = mint(client)["path"], visits(gateway)
    for forged in (path + change, f"/s/{CAMPAIGN}.{'t' * 24}.{'c' * 12}", f"/s/{change}"):
        answer = client.get(forged, headers=BROWSER)
        assert answer.status_code in {400, 404}
        assert answer.headers["content-type"] == "application/problem+json"
        assert "location" not in answer.headers
        assert client.head(forged, headers=BROWSER).status_code == answer.status_code
    assert visits(gateway) == before


def test_without_pages_there_are_no_links() -> None:
    """A link is minted all the same, for whoever has doors of their own."""
    for gateway in conftest.running(knocking.settings(campaign_pages=None)):
        with httpx.Client(base_url=gateway.url, timeout=10) as client:
            minted = mint(client)
            assert minted["path"] is None
            assert client.get(f"/s/{CAMPAIGN}.{minted['share_token']}.{'c' * 12}", headers=BROWSER).status_code == 404


@pytest.mark.parametrize("pages", ["https://cercles.example/campaigns/", "http://127.0.0.1:8081/campaigns"])
def test_pages_may_be_anywhere(pages: str) -> None:
    """With a slash at the end or without."""
    for gateway in conftest.running(knocking.settings(campaign_pages=pages)):
        with httpx.Client(base_url=gateway.url, timeout=10) as client:
            location = client.get(mint(client)["path"], headers=BROWSER).headers["location"]
            assert location.startswith(f"{pages.rstrip('/')}/{CAMPAIGN}?share_token=")


@pytest.mark.parametrize("pages", ["ftp://x.example", "https://x.example/?a=b", "https://x.example/#a", "nowhere"])
def test_pages_that_can_not_be(pages: str) -> None:
    """Refused at the start."""
    with pytest.raises(ValueError, match="campaign_pages"):
        knocking.settings(campaign_pages=pages)
