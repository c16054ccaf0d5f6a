"""Whatever is asked, the answer is a problem that says what is wrong, and never a 500."""

import socket
from typing import Any
from urllib.parse import quote

import httpx

from tests.readers.conftest import StartReader
from tests.readers.stored import Stored

PROBLEM = "application/problem+json"


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that the response is a problem of that status and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


NONSENSE = [
    "0",
    "0:",
    ":0",
    "0:-1",
    "-1:0",
    "+1:0",
    "0:1.5",
    "0:1e3",
    "00:1",
    "0:01",
    "0:0x10",
    "a:b",
    "0:1:2",
    "0 : 1",
    "\u0660:\u0661",
    "0:1\u0000",
    "0:1\n",
    "\n0:1",
    "9" * 11 + ":0",
    "0:" + "9" * 20,
    "0:" + "9" * 400,
    "null",
]
TOO_HIGH = ["2147483648:0", "0:9223372036854775808", "9999999999:9999999999999999999"]


def test_what_is_no_position_is_a_bad_request(api: httpx.Client) -> None:
    """In a path and in `wait_for` alike, with the parameter's name."""
    for position in NONSENSE:
        answer = problem(api.get(f"/v1/campaigns/film/events/{quote(position)}"), 400)
        assert answer["errors"][0]["parameter"] == "position"
        answer = problem(api.get("/v1/campaigns", params={"wait_for": position}), 400)
        assert answer["errors"][0]["parameter"] == "wait_for"


def test_a_position_that_kafka_cannot_count_to_does_not_exist(api: httpx.Client) -> None:
    """It has the form of a position, but no log will ever have it: 404, and nobody waits for it."""
    for position in TOO_HIGH:
        problem(api.get(f"/v1/campaigns/film/events/{position}"), 404)
        problem(api.get("/v1/campaigns/film", params={"wait_for": position}), 404)


OUT_OF_BOUNDS = [
    ("", "limit", "0"),
    ("", "limit", "-1"),
    ("", "limit", "501"),
    ("", "limit", "ten"),
    ("", "limit", "1.5"),
    ("", "limit", "9" * 30),
    ("", "limit", ""),
    ("", "status", "closed"),
    ("", "status", ""),
    ("", "status", "null"),
    ("", "status", "open\n"),
    ("", "limit", "1\n"),
    ("", "limit", "null"),
    ("", "cursor", ""),
    ("", "cursor", "a b"),
    ("", "cursor", "x" * 256),
    ("", "cursor", "film\n"),
    ("/film/entries", "cursor", "1"),
    ("/film/entries", "cursor", "1.-1"),
    ("/film/entries", "cursor", "1.0\n"),
    ("/film/entries", "cursor", "a.b"),
    ("/film/entries", "cursor", "9" * 19 + ".0"),
    ("/film/entries", "limit", "0"),
    ("/film/milestones", "cursor", "1:2"),
    ("/film/milestones", "cursor", "1.0\n"),
    ("/film/milestones", "limit", "1000"),
]


def test_a_parameter_out_of_its_bounds_is_a_bad_request(api: httpx.Client) -> None:
    """The problem names the parameter."""
    for path, parameter, value in OUT_OF_BOUNDS:
        answer = problem(api.get(f"/v1/campaigns{path}", params={parameter: value}), 400)
        assert answer["errors"][0]["parameter"] == parameter


def test_what_is_no_id_is_a_bad_request(api: httpx.Client) -> None:
    """Ids have an alphabet and a length; what is outside never reaches the database."""
    for campaign_id in ("%00", "a%20b", "%F0%9F%8E%AC", "%ED%A0%80", "%ff", "x" * 256, "a%0Ab", "film%0A", "'--"):
        for path in (
            "",
            "/circles",
            "/days",
            "/rewards",
            "/shares",
            "/milestones",
            "/entries",
            "/events/0:1",
            "/stream",
        ):
            problem(api.get(f"/v1/campaigns/{campaign_id}{path}"), 400)


def test_a_garbled_query_is_no_fault_of_ours(api: httpx.Client) -> None:
    """Bytes that are no text, and parameters that nobody knows: an answer or a 400."""
    for query in ("%ff=%ff", "limit=%ff", "&&&", "limit", "wait_for=%00", "a" * 900):
        assert api.get(f"/v1/campaigns?{query}").status_code in (200, 400)


def test_a_path_without_a_route_is_a_problem_too(api: httpx.Client) -> None:
    """404, before any route has had a say."""
    for path in ("/", "/v1", "/v2/campaigns", "/v1/campaigns/film/pledges", "/openapi.json/x", "/%2e"):
        problem(api.get(path), 404)


def test_nothing_can_be_written(api: httpx.Client) -> None:
    """405 with the methods that are there."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/v1/campaigns", "/v1/campaigns/film", "/v1/campaigns/film/events/0:1"):
            response = api.request(method, path, content=b"{}")
            problem(response, 405)
            assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_what_is_not_http_does_no_harm(stored: Stored, start_reader: StartReader) -> None:
    """Garbage on the wire ends that connection; the next one is answered."""
    assert stored.url
    api = start_reader()
    for garbage in (b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 70_000):
        with socket.create_connection((api.base_url.host, api.base_url.port or 0), timeout=5) as client:
            client.sendall(garbage)
            client.settimeout(5)
            assert not client.recv(100).startswith(b"HTTP/1.1 5")
    assert api.get("/v1/campaigns").status_code == 200
