"""The read key: single entries and events are for those who have it."""

import itertools

import httpx
import pytest

from tests.readers.conftest import READ_KEY, StartReader
from tests.readers.stored import Line, Stored

KEYED = ("/v1/campaigns/film/entries", "/v1/campaigns/film/events/0:1")
OPEN = ("", "/film", "/film/circles", "/film/days", "/film/rewards", "/film/milestones")


@pytest.fixture
def anyone(stored: Stored, start_reader: StartReader) -> httpx.Client:
    """A client without a key, of a reader that has one."""
    stored.campaign()
    stored.entries(1, [Line(2_000)])
    return start_reader()


def test_the_rest_is_open(anyone: httpx.Client) -> None:
    """Totals, circles, days and milestones need no key."""
    assert {anyone.get(f"/v1/campaigns{path}").status_code for path in OPEN} == {200}


WRONG: tuple[str | None, ...] = (
    None,
    "",
    "Bearer",
    "Bearer wrong",
    f"Bearer {READ_KEY}x",
    f"Bearer {READ_KEY[:-1]}",
    f"Bearer {READ_KEY} {READ_KEY}",
    f"Basic {READ_KEY}",
    READ_KEY,
    "Bearer \u00e9\u00ff",
)


def test_without_the_key_there_is_nothing_to_see(anyone: httpx.Client) -> None:
    """401 with the scheme to use; the wrong key is answered as no key is, whatever else is wrong."""
    for path, header, query in itertools.product(KEYED, WRONG, ("", "?limit=0")):
        headers = [] if header is None else [(b"authorization", header.encode("latin-1"))]
        response = anyone.get(f"{path}{query}", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"
        assert "event-1" not in response.text


def test_the_key_opens(anyone: httpx.Client) -> None:
    """The scheme's name is in any case (RFC 9110, section 11.1)."""
    for path, scheme in itertools.product(KEYED, ("Bearer", "bearer", "BEARER")):
        assert anyone.get(path, headers={"authorization": f"{scheme} {READ_KEY}"}).status_code == 200


def test_without_a_configured_key_nobody_passes(stored: Stored, start_reader: StartReader) -> None:
    """403 that names the setting; no key at all must not mean that any key will do."""
    stored.campaign()
    api = start_reader(key=None)
    for path, header in itertools.product(KEYED, (None, "Bearer", "Bearer None")):
        response = api.get(path, headers={} if header is None else {"authorization": header})
        assert response.status_code == 403
        assert "CERCLES_READER_KEY" in response.json()["detail"]


def test_no_backer_is_named_even_with_the_key(stored: Stored, anyone: httpx.Client) -> None:
    """Entries carry pledge ids only."""
    assert stored.url
    entry = anyone.get(KEYED[0], headers={"authorization": f"Bearer {READ_KEY}"}).json()["entries"][0]
    assert entry["pledge_id"] == "pledge-1"
    assert not any("backer" in name for name in entry)
