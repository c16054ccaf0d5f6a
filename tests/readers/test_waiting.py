"""`wait_for`: satisfied, timed out, bounded, interrupted, and left by the client."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from readers.process import ReaderProcess
from tests.readers.conftest import READ_KEY, StartReader, running, settings_for
from tests.readers.stored import Line, Stored

OPEN = ("", "/film", "/film/circles", "/film/days", "/film/rewards", "/film/milestones")
PATHS = (*OPEN, "/film/entries", "/film/events/0:5")
SECONDS_MAX = 15


def until(condition: object, registry: CollectorRegistry, name: str, labels: dict[str, str] | None = None) -> None:
    """Wait until a metric has that value."""
    deadline = time.monotonic() + SECONDS_MAX
    while registry.get_sample_value(name, labels or {}) != condition:
        assert time.monotonic() < deadline, f"{name} is {registry.get_sample_value(name, labels or {})}"
        time.sleep(0.01)


def test_every_read_answers_at_once_when_the_position_is_passed(stored: Stored, api: httpx.Client) -> None:
    """The position stored already makes no difference to the answer."""
    stored.campaign()
    stored.progress(6)
    for path in PATHS:
        response = api.get(f"/v1/campaigns{path}", params={"wait_for": "0:5"})
        assert response.status_code == 200
        assert response.content == api.get(f"/v1/campaigns{path}").content


def test_every_read_says_504_when_the_position_is_not_passed_in_time(stored: Stored, api: httpx.Client) -> None:
    """Bounded by the setting, as a problem that names the position."""
    stored.campaign()
    stored.progress(5)
    for path in PATHS:
        began = time.monotonic()
        response = api.get(f"/v1/campaigns{path}", params={"wait_for": "0:5"})
        assert 0.5 <= time.monotonic() - began < 5
        assert response.status_code == 504
        assert response.headers["content-type"] == "application/problem+json"
        assert "0:5" in response.json()["detail"]


def test_an_answer_after_waiting_has_what_it_waited_for(stored: Stored, start_reader: StartReader) -> None:
    """Whoever waits for a position sees its effect in the answer: read your writes."""
    api = start_reader(wait_seconds=10)
    stored.campaign()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.get, "/v1/campaigns/film", params={"wait_for": "0:5"})
        time.sleep(0.1)
        stored.entries(5, [Line(2_000)])
        time.sleep(0.1)
        assert not waiting.done()
        stored.progress(6)
        answer = waiting.result(SECONDS_MAX).json()
    assert (answer["as_of"], answer["totals"]["pledged"]) == ("0:5", "20.00")


def test_waiting_includes_the_dead_letters(stored: Stored, start_reader: StartReader) -> None:
    """The log is folded past a refused event, its dead letter not stored yet: the wait goes on until it is."""
    api = start_reader(wait_seconds=10)
    api.headers["authorization"] = f"Bearer {READ_KEY}"
    stored.campaign()
    stored.progress(6, dead_letters_next=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.get, "/v1/campaigns/film/events/0:5", params={"wait_for": "0:5"})
        time.sleep(0.2)
        assert not waiting.done()
        stored.dead_letter(5)
        stored.dead_letters_stored(1)
        assert waiting.result(SECONDS_MAX).json()["status"] == "refused"


def test_a_refusal_that_never_comes_is_a_504(stored: Stored, api: httpx.Client) -> None:
    """Dead letters behind the progress keep the wait from ending, up to its bound."""
    stored.progress(6, dead_letters_next=3)
    stored.dead_letters_stored(2)
    assert api.get("/v1/campaigns", params={"wait_for": "0:5"}).status_code == 504


def test_a_campaign_with_a_gap_is_no_answer_to_who_waits_for_something_behind_it(
    stored: Stored, api: httpx.Client
) -> None:
    """What was waited for is not applied to it before the repair: 503 that names the gap, and never older totals."""
    stored.campaign()
    stored.entries(2, [Line(2_000)])
    stored.totals(gap_offset=4)
    stored.progress(8)
    for path in ("", "/circles", "/days", "/milestones", "/entries"):
        behind = api.get(f"/v1/campaigns/film{path}", params={"wait_for": "0:7"})
        assert behind.status_code == 503
        assert "gap at 0:4" in behind.json()["detail"]
        assert "retry-after" not in behind.headers
        for wait_for in ({"wait_for": "0:2"}, {}):
            assert api.get(f"/v1/campaigns/film{path}", params=wait_for).json()["gap_at"] == "0:4"


def test_a_gap_is_no_answer_only_for_who_waits_for_that_partition(stored: Stored, api: httpx.Client) -> None:
    """The campaign's own; and a list and an event say themselves of what they do not know."""
    stored.campaign()
    stored.totals(gap_offset=4)
    stored.progress(8)
    stored.progress(8, partition=1)
    assert api.get("/v1/campaigns/film", params={"wait_for": "1:7"}).json()["gap_at"] == "0:4"
    (film,) = api.get("/v1/campaigns", params={"wait_for": "0:7"}).json()["campaigns"]
    assert film["gap_at"] == "0:4"
    assert api.get("/v1/campaigns/film/events/0:7", params={"wait_for": "0:7"}).json()["status"] == "pending"


def test_partitions_do_not_answer_for_each_other(stored: Stored, api: httpx.Client) -> None:
    """The progress of one partition says nothing about another."""
    stored.progress(100, partition=1)
    assert api.get("/v1/campaigns", params={"wait_for": "0:5"}).status_code == 504
    assert api.get("/v1/campaigns", params={"wait_for": "1:99"}).status_code == 200


def test_many_wait_on_one_connection_to_the_database(stored: Stored, start_reader: StartReader) -> None:
    """Whoever waits holds neither a thread nor a connection: with one of each, others are answered meanwhile."""
    api = start_reader(wait_seconds=10, reads_at_once=1)
    stored.campaign()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(api.get, "/v1/campaigns/film", params={"wait_for": f"0:{n}"}) for n in range(20)]
        time.sleep(0.3)
        assert api.get("/v1/campaigns/film").status_code == 200
        assert not any(future.done() for future in waiting)
        stored.progress(20)
        assert {future.result(SECONDS_MAX).status_code for future in waiting} == {200}


def test_one_look_serves_all_who_wait(stored: Stored) -> None:
    """The number of reads grows with time, not with the number of those who wait."""
    process = ReaderProcess(settings_for(stored.url, wait_seconds=10, wait_poll_seconds=0.2))
    registry = process.registry
    reads = "cercles_reader_read_seconds_count"
    with running(process) as url, ThreadPoolExecutor(30) as pool, httpx.Client(base_url=url, timeout=20) as api:
        waiting = [pool.submit(api.get, "/v1/campaigns", params={"wait_for": "0:1"}) for _ in range(30)]
        until(30, registry, "cercles_reader_waiters")
        before = registry.get_sample_value(reads) or 0
        began = time.monotonic()
        time.sleep(1)
        looked = (registry.get_sample_value(reads) or 0) - before
        assert 1 <= looked <= (time.monotonic() - began) / 0.2 + 1
        stored.progress(2)
        assert {future.result(SECONDS_MAX).status_code for future in waiting} == {200}
        until(0, registry, "cercles_reader_waiters")
        until(30, registry, "cercles_reader_waits_total", {"outcome": "passed"})
        before = registry.get_sample_value(reads) or 0
        time.sleep(0.5)
        assert (registry.get_sample_value(reads) or 0) - before <= 1, "nobody waits, so nobody looks"


def test_beyond_the_bound_nobody_waits(stored: Stored) -> None:
    """503 with Retry-After for who comes after; a position that is passed needs no waiting and is answered."""
    process = ReaderProcess(settings_for(stored.url, wait_seconds=10, waiters=2))
    stored.progress(5)
    with running(process) as url, ThreadPoolExecutor(2) as pool, httpx.Client(base_url=url, timeout=20) as api:
        waiting = [pool.submit(api.get, "/v1/campaigns", params={"wait_for": "0:9"}) for _ in range(2)]
        until(2, process.registry, "cercles_reader_waiters")
        turned_away = api.get("/v1/campaigns", params={"wait_for": "0:9"})
        assert turned_away.status_code == 503
        assert int(turned_away.headers["retry-after"]) > 0
        assert api.get("/v1/campaigns", params={"wait_for": "0:4"}).status_code == 200
        stored.progress(10)
        assert {future.result(SECONDS_MAX).status_code for future in waiting} == {200}
        until(1, process.registry, "cercles_reader_waits_total", {"outcome": "turned_away"})


def test_a_client_that_leaves_stops_waiting(stored: Stored) -> None:
    """Its place is free at once, not after the time is up."""
    process = ReaderProcess(settings_for(stored.url, wait_seconds=60))
    with running(process) as url:
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port or 0)) as client:
            client.sendall(b"GET /v1/campaigns?wait_for=0:9 HTTP/1.1\r\nHost: test\r\n\r\n")
            until(1, process.registry, "cercles_reader_waiters")
        until(0, process.registry, "cercles_reader_waiters")
        until(1, process.registry, "cercles_reader_waits_total", {"outcome": "left"})


def test_stopping_ends_every_wait(stored: Stored) -> None:
    """A reader that stops tells those who wait to come again, and does not keep them waiting."""
    process = ReaderProcess(settings_for(stored.url, wait_seconds=60))
    answers: list[httpx.Response] = []
    with running(process) as url:
        thread = threading.Thread(
            target=lambda: answers.append(httpx.get(f"{url}/v1/campaigns?wait_for=0:9", timeout=20))
        )
        thread.start()
        until(1, process.registry, "cercles_reader_waiters")
    thread.join(SECONDS_MAX)
    assert [answer.status_code for answer in answers] == [503]
    assert "retry-after" in answers[0].headers


def test_a_database_that_goes_away_ends_every_wait(stored: Stored) -> None:
    """Who waits hears of it at once, and may come again; the reader goes on."""
    process = ReaderProcess(settings_for(stored.url, wait_seconds=60))
    with running(process) as url, ThreadPoolExecutor(2) as pool, httpx.Client(base_url=url, timeout=20) as api:
        waiting = [pool.submit(api.get, "/v1/campaigns", params={"wait_for": "0:9"}) for _ in range(2)]
        until(2, process.registry, "cercles_reader_waiters")
        with stored.engine.begin() as connection:
            connection.execute(text("ALTER TABLE sink_positions RENAME TO gone"))
        for future in waiting:
            answer = future.result(SECONDS_MAX)
            assert answer.status_code == 503
            assert "retry-after" in answer.headers
        until(2, process.registry, "cercles_reader_waits_total", {"outcome": "interrupted"})
        with stored.engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO sink_positions"))
        stored.progress(10)
        assert api.get("/v1/campaigns", params={"wait_for": "0:9"}).status_code == 200
