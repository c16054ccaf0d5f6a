"""Every door of the reader, its pages and its stream too, against the whole table of hostile requests, and length."""

import asyncio
import gc
import re
import time
import tracemalloc
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry

from readers.page.languages import choose_language
from readers.process import ReaderProcess
from schemas.http_bounds import PARAMETERS_MAX, TARGET_LENGTH_MAX, PunctualH11
from tests.asgi import ask
from tests.hostile import DRIPS, Door, answers, is_cut_off, status_of
from tests.readers.conftest import READ_KEY, StartReader, running, settings_for
from tests.readers.events import following
from tests.readers.stored import Line, Stored
from tests.readers.test_bad_requests import problem
from tests.readers.test_series import reader

KEPT_BYTES_MAX = 24 * 1024 * 1024
KEPT_TARGETS = 1_100
"""More than Litestar keeps."""

PATHS = (
    "/v1/campaigns",
    "/v1/campaigns/film",
    "/v1/campaigns/film/circles",
    "/v1/campaigns/film/days",
    "/v1/campaigns/film/rewards",
    "/v1/campaigns/film/shares",
    "/v1/campaigns/film/milestones",
    "/v1/campaigns/film/entries",
    "/v1/campaigns/film/events/0:1",
    "/v1/campaigns/film/stream",
    "/campaigns",
    "/campaigns/film",
    "/assets/page.css",
    "/openapi.json",
)
KEY = {"authorization": f"Bearer {READ_KEY}"}


def failures(registry: CollectorRegistry) -> float:
    """Return how many requests were answered with a 5xx."""
    return sum(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "cercles_reader_requests_total" and sample.labels["status"] == "5xx"
    )


@pytest.fixture
def process(stored: Stored) -> Iterator[ReaderProcess]:
    """A reader of one campaign, running."""
    stored.campaign()
    stored.entries(1, [Line(2_000)])
    stored.progress(4)
    process = ReaderProcess(settings_for(stored.url))
    with running(process):
        yield process


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("path", PATHS)
def test_the_whole_table(path: str, process: ReaderProcess) -> None:
    """No row is a fault of ours; each has an answer or an end in bounded time, and the next request is served."""
    assert process.bound_address is not None
    host, port = process.bound_address
    door = Door(method="GET", path=path, headers=KEY)
    statuses = answers(host, port, door)
    assert {row: status for row, status in statuses.items() if status is not None and status >= 500} == {}
    assert failures(process.registry) == 0
    assert status_of(host, port, door.request()) == 200


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_who_drips_is_cut_off(process: ReaderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that never asks for anything, or that goes on after its answer, is not kept."""
    monkeypatch.setattr(PunctualH11, "head_seconds_max", 0.5)
    assert process.bound_address is not None
    host, port = process.bound_address
    assert {name: is_cut_off(host, port, drip) for name, drip in DRIPS.items()} == dict.fromkeys(DRIPS, True)


def test_a_long_path_or_query_is_414(api: httpx.Client) -> None:
    """On every route and beside them; the longest that a route asks for, all of it encoded, is served."""
    for path in (*PATHS, "/nowhere"):
        for query in ("x" * TARGET_LENGTH_MAX, "&" * PARAMETERS_MAX):
            problem(api.get(f"{path}?{query}"), 414)
            assert api.head(f"{path}?{query}").status_code == 414
    everything = "status=succeeded&limit=500&wait_for=0%3A0&cursor=" + "%3A" * 255
    assert api.get(f"/v1/campaigns?{everything}").status_code in (200, 504)


def test_what_is_kept_of_queries_is_bounded() -> None:
    """The framework keeps what it made of a query: of as many as it keeps, each as long as a server's head may be."""

    async def scene() -> None:
        with reader(settings_for("sqlite:///nowhere.db")) as (app, _):
            for number in range(KEPT_TARGETS):
                query = b"%d" % number + b"&a=b" * 15_000
                await ask(app, "GET", "/v1/campaigns", query=query)
                await ask(app, "GET", f"/v1/campaigns/{number:060000}")
                await ask(
                    app, "GET", f"/v1/campaigns/{number:0255}", query=b"limit=%d&cursor=%s" % (number, b"x" * 255)
                )

    tracemalloc.start()
    try:
        asyncio.run(scene())
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < KEPT_BYTES_MAX


def test_no_other_way_of_writing_a_path_goes_around_the_key(stored: Stored, start_reader: StartReader) -> None:
    """However entries and events are asked for, nobody sees them without the key, nor with two, one of them good."""
    stored.campaign()
    stored.entries(1, [Line(2_000)])
    stranger = start_reader()
    for kept in ("entries", "events/0:1"):
        for path in (
            f"/v1/campaigns/film/{kept}",
            f"/v1/campaigns/film/{kept}/",
            f"/v1///campaigns/film//{kept}",
            f"/v1/campaigns/film%2F{kept}",
            f"/v1/campaigns/film/%65{kept[1:]}",
            f"/v1%2fcampaigns%2ffilm%2f{kept.replace('/', '%2f')}",
        ):
            assert stranger.get(path).status_code == 401, path
            assert stranger.get(path, headers=KEY).status_code == 200, path
            twice = [("authorization", f"Bearer {READ_KEY}"), ("authorization", "Bearer other")]
            assert stranger.get(path, headers=twice).status_code == 401, path
        for path in (f"/v1/campaigns/film/../film/{kept}", f"/v1/campaigns/film/{kept.upper()}"):
            assert stranger.get(path).status_code in (401, 404), path


LAST_EVENT_IDS = [
    "",
    "-",
    "null",
    "0:1",
    "0:0-0123456789abcdef",
    "-1:-1-0123456789abcdef",
    "7:1-0123456789abcdef",
    "0:9223372036854775807-0123456789abcdef",
    "99999999999:99999999999999999999999-x",
    "0:1-" + "f" * 10_000,
    "\u0660:\u0661-x".encode().decode("latin-1"),
    "0:1-\xff\xfe",
    "<script>alert(1)</script>",
    "0:1-x, 0:2-y",
]


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("last_event_id", LAST_EVENT_IDS)
def test_an_id_that_was_never_told_is_answered_with_everything(stored: Stored, last_event_id: str) -> None:
    """Garbled, huge, of another partition, negative, from the future: the campaign as it stands, at once."""
    stored.campaign()
    stored.entries(1, [Line(2_000)])
    process = ReaderProcess(settings_for(stored.url))
    with running(process) as url, httpx.Client(base_url=url, timeout=20) as api:
        with api.stream(
            "GET", "/v1/campaigns/film/stream", headers={b"last-event-id": last_event_id.encode("latin-1")}
        ) as said:
            assert said.status_code == 200
            assert next(line for line in said.iter_lines() if line.startswith("id: ")).startswith("id: 0:1-")
        with following(api) as events:
            assert next(events).data["totals"]["pledged"] == "20.00"


LANGUAGE_GARBAGE = [
    ";;;q=,,*;q=9",
    "fr;q=nan, en;q=inf",
    "fr;q=0.0000, \x7f",
    "\xff\xfe\xc3",
    "fr_" * 3_000,
    "," * 9_000,
    "fr;" + " " * 9_000 + "q=1x",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("header", LANGUAGE_GARBAGE)
def test_garbled_languages_are_english_and_cost_nothing(header: str) -> None:
    """As long as a head may be, and of whatever repeats."""
    began = time.process_time()
    assert choose_language(None, header).code == "en"
    assert time.process_time() - began < 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_pages_take_whatever_languages_come(stored: Stored, api: httpx.Client) -> None:
    """English where nothing better is said, on every page and on those of what is wrong; nothing of it is repeated."""
    stored.campaign()
    for header in LANGUAGE_GARBAGE:
        headers = {b"accept-language": header.encode("latin-1")}
        for path, status in (("/campaigns", 200), ("/campaigns/film", 200), ("/campaigns/nobody", 404)):
            answer = api.get(path, headers=headers)
            assert (answer.status_code, answer.headers["content-language"]) == (status, "en")
            assert "<script>alert" not in answer.text
    for query in ("lang=%3Cscript%3Ealert(1)%3C/script%3E", "cursor=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"):
        answer = api.get(f"/campaigns?{query}")
        assert answer.status_code == 400
        assert "<script>alert" not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_title_does_not_turn_the_amount_beside_it_around(stored: Stored, api: httpx.Client) -> None:
    """Marks of writing direction end with the words that an owner wrote: 18 000 € is not read as 000 81 €."""
    turning = "\N{RIGHT-TO-LEFT OVERRIDE}An original score\N{POP DIRECTIONAL ISOLATE}"
    goal = {"stretch_goal_id": "s", "title": turning, "amount_minor": 1_800_000}
    stored.campaign(title=turning, stretch_goals=[goal])
    stored.milestone(1, "cercles.stretch_goal.reached", stretch_goal_id="s")
    page = api.get("/campaigns/film").text
    beside_amounts = [item for item in re.findall(r"<li.*?</li>", page) if turning in item]
    assert len(beside_amounts) == 2
    for item in beside_amounts:
        assert turning not in re.sub(r"<bdi>.*?</bdi>", "", item)
