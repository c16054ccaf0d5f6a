"""The stream: a snapshot at once, every change after it, resumed, bounded, and ended cleanly."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date

import httpx
import pytest
from sqlalchemy import text

from readers.live import following as live_following
from readers.live.following import Following
from readers.live.whole import MILESTONES_MAX
from readers.metrics import ReaderMetrics
from readers.process import ReaderProcess
from readers.snapshots import Snapshots, open_engine
from tests.conftest import wait_until
from tests.readers.conftest import StartReader, running, settings_for
from tests.readers.events import following
from tests.readers.stored import Line, Stored

SECONDS_MAX = 15
FAST = {"stream_poll_seconds": 0.02, "stream_heartbeat_seconds": 20}


def test_it_says_at_once_how_the_campaign_stands(stored: Stored, api: httpx.Client) -> None:
    """The same numbers as the other routes, from one snapshot, with its position as the event's id."""
    stored.campaign()
    days = [date(2026, 3, day) for day in (1, 2)]
    stored.entries(3, [Line(2_000, "friends", days[0], 500), Line(1_000, "public", days[0])])
    stored.entries(4, [Line(300, "public", days[1]), Line(-300, "public", days[0])])
    stored.milestone(3, "cercles.milestone.passed", step=25)
    with following(api) as events:
        heard = next(events)
    assert heard.event == "campaign"
    assert (heard.event_id or "").startswith("0:4-")
    whole = heard.data
    assert whole | api.get("/v1/campaigns/film").json() == whole
    told = [{key: value for key, value in day.items() if key != "circles"} for day in whole["days"]]
    assert told == api.get("/v1/campaigns/film/days").json()["days"]
    assert whole["milestones"] == api.get("/v1/campaigns/film/milestones").json()["milestones"]
    assert [[(one["circle"], one["pledged_minor"]) for one in day["circles"]] for day in whole["days"]] == [
        [("friends", 2_000), ("public", 700)],
        [("public", 300)],
    ]


def test_it_says_every_change_that_lasts(stored: Stored, start_reader: StartReader) -> None:
    """Until nothing more changes: then the last event is the campaign as it stands."""
    stored.campaign()
    api = start_reader(**FAST)
    with following(api) as events:
        assert next(events).data["totals"]["pledged"] == "0.00"
        for offset in range(1, 4):
            stored.entries(offset, [Line(1_000)])
            heard = next(events)
            assert (heard.event_id or "").partition("-")[0] == heard.data["as_of"] == f"0:{offset}"
            assert heard.data["totals"]["pledged"] == f"{offset}0.00"


def test_a_repair_that_moves_no_position_is_said(stored: Stored, start_reader: StartReader) -> None:
    """Totals that are put right, and a gap that shows, under another id: who comes back hears of it as well."""
    stored.campaign()
    api = start_reader(**FAST)
    with following(api) as events:
        first = next(events)
        stored.totals(gap_offset=7)
        second = next(events)
        assert (first.data["gap_at"], second.data["gap_at"]) == (None, "0:7")
        stored.totals(gap_offset=None, pledged_minor=100)
        third = next(events)
    assert len({first.event_id, second.event_id, third.event_id}) == 3
    assert third.event_id is not None
    with following(api, last_event_id=first.event_id or "") as events:
        assert next(events) == third


def test_who_comes_back_hears_only_what_is_new(stored: Stored, start_reader: StartReader) -> None:
    """With the id of the last event that was heard; with any other, of another campaign say, all is said."""
    stored.campaign()
    api = start_reader(**FAST)
    with following(api) as events:
        first = next(events)
    with following(api, last_event_id=first.event_id or "") as events:
        stored.entries(1, [Line(1_000)])
        second = next(events)
    assert second.data["as_of"] == "0:1"
    with following(api, last_event_id="0:99-nonsense") as events:
        assert next(events) == second


def test_silence_is_ended_by_heartbeats(stored: Stored, start_reader: StartReader) -> None:
    """They have no id, so that they do not stand in the way of coming back."""
    stored.campaign()
    api = start_reader(stream_heartbeat_seconds=0.05)
    with following(api) as events:
        assert next(events).event == "campaign"
        heard = next(events)
    assert (heard.event, heard.event_id, heard.data) == ("heartbeat", None, None)


def test_a_stream_ends_after_its_time(stored: Stored) -> None:
    """Whole, as HTTP has it, so that the client knows that nothing is missing."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url, stream_seconds=1))
    with running(process) as url, httpx.Client(base_url=url, timeout=20) as api, following(api) as events:
        assert [heard.event for heard in events] == ["campaign"]
        wait_until(lambda: ended(process, "aged") == 1, "the end is counted")
    route = {"route": "/v1/campaigns/{campaign_id}/stream"}
    seconds = process.registry.get_sample_value("cercles_reader_request_seconds_sum", route)
    assert seconds is not None
    assert seconds < 1, "how long an answer takes is not how long a stream lasts"


def ended(process: ReaderProcess, outcome: str) -> float:
    """Return how many streams ended that way."""
    return process.registry.get_sample_value("cercles_reader_stream_ends_total", {"outcome": outcome}) or 0


def test_what_is_not_stored_cannot_be_followed(stored: Stored, api: httpx.Client) -> None:
    """404 as everywhere, a launch that was missed too; 400 for what is no id."""
    stored.campaign_missed_from_the_start("lost", partition=0, gap=5)
    for campaign_id, status in (("nobody", 404), ("lost", 404), ("a%20b", 400)):
        answer = api.get(f"/v1/campaigns/{campaign_id}/stream")
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_beyond_the_bound_no_stream_begins(stored: Stored) -> None:
    """503 with Retry-After, over all campaigns together; a place is free again as soon as somebody leaves."""
    stored.campaign()
    stored.campaign("play")
    process = ReaderProcess(settings_for(stored.url, streams=2))
    with running(process) as url, httpx.Client(base_url=url, timeout=20) as api:
        with following(api) as film, following(api, "play") as play:
            assert (next(film).event, next(play).event) == ("campaign", "campaign")
            turned_away = api.get("/v1/campaigns/film/stream")
            assert turned_away.status_code == 503
            assert int(turned_away.headers["retry-after"]) > 0
            assert ended(process, "turned_away") == 1
        wait_until(lambda: ended(process, "left") == 2, "both have left")
        assert process.registry.get_sample_value("cercles_reader_streams") == 0
        with following(api) as film:
            assert next(film).event == "campaign"


def test_what_could_not_begin_takes_no_place(stored: Stored, start_reader: StartReader) -> None:
    """However often a campaign is asked for that is not there."""
    stored.campaign()
    api = start_reader(streams=1)
    for _ in range(3):
        assert api.get("/v1/campaigns/nobody/stream").status_code == 404
    with following(api) as events:
        assert next(events).event == "campaign"


def test_one_look_serves_all_who_follow(stored: Stored) -> None:
    """The number of reads grows with time, not with the number of streams; without streams nobody looks."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url, stream_poll_seconds=0.2))

    def reads() -> float:
        return process.registry.get_sample_value("cercles_reader_read_seconds_count") or 0

    with running(process) as url, ExitStack() as stack:
        api = stack.enter_context(httpx.Client(base_url=url, timeout=20, limits=httpx.Limits(max_connections=None)))
        with ExitStack() as streams:
            all_events = [streams.enter_context(following(api)) for _ in range(20)]
            assert {next(events).event for events in all_events} == {"campaign"}
            began, before = time.monotonic(), reads()
            time.sleep(1)
            assert 1 <= reads() - before <= (time.monotonic() - began) / 0.2 + 1
            stored.entries(1, [Line(1_000)])
            assert {next(events).event_id for events in all_events} != {None}
        wait_until(lambda: process.registry.get_sample_value("cercles_reader_streams") == 0, "all have left")
        time.sleep(0.5)
        before = reads()
        time.sleep(0.5)
        assert reads() == before


def test_what_a_stream_has_told_is_not_read_again_for_each_page(stored: Stored) -> None:
    """A page that has just heard of it is given it; any other is told how the campaign stands by now."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url, stream_poll_seconds=SECONDS_MAX))

    def reads() -> float:
        return process.registry.get_sample_value("cercles_reader_read_seconds_count") or 0

    with running(process) as url, httpx.Client(base_url=url, timeout=20) as api, following(api) as events:
        heard = {"last-event-id": str(next(events).event_id)}
        before = reads()
        pages = {api.get("/campaigns/film", headers=heard).text for _ in range(10)}
        assert reads() == before
        assert f'data-event-id="{heard["last-event-id"]}"' in pages.pop()
        stored.entries(1, [Line(1_000)])
        for headers in ({}, {"last-event-id": "0:1-another"}):
            assert 'data-event-id="0:1-' in api.get("/campaigns/film", headers=headers).text
        assert reads() == before + 2


def test_a_repair_that_leaves_the_totals_is_told_in_time(
    stored: Stored, start_reader: StartReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was wrong elsewhere: who follows hears of it, though the mark is the same."""
    monkeypatch.setattr(live_following, "LOOK_AGE_SECONDS_MAX", 0.5)
    stored.campaign()
    stored.entries(1, [Line(1_000)])
    api = start_reader(**FAST)
    with following(api) as events:
        first = next(events)
        with stored.engine.begin() as connection:
            connection.execute(text("UPDATE circle_totals SET backers = backers + 1 WHERE campaign_id = 'film'"))
        second = next(events)
    assert first.event_id is not None
    assert second.event_id is not None
    assert first.event_id.partition("-")[0] == second.event_id.partition("-")[0]
    assert first.event_id != second.event_id


def test_stopping_ends_every_stream(stored: Stored) -> None:
    """Whole, and at once: a reader that stops waits for nobody."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url))
    with ThreadPoolExecutor(1) as pool, httpx.Client(timeout=20) as api:
        with running(process) as url:
            api.base_url = httpx.URL(url)
            events = pool.submit(lambda: list(heard_until_the_end(api)))
            told = "cercles_reader_stream_events_total"
            wait_until(lambda: process.registry.get_sample_value(told) == 1, "somebody follows")
            began = time.monotonic()
        assert time.monotonic() - began < 4
        assert events.result(SECONDS_MAX) == ["campaign"]
    assert ended(process, "interrupted") == 1


def heard_until_the_end(api: httpx.Client) -> list[str]:
    """Return the kinds of the events of a stream that ends."""
    with following(api) as events:
        return [heard.event for heard in events]


def test_a_database_that_goes_away_ends_every_stream(stored: Stored) -> None:
    """Who follows notices, is told 503 until it is back, and then how the campaign stands."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url, **FAST))
    with running(process) as url, httpx.Client(base_url=url, timeout=20) as api:
        with following(api) as events:
            last = next(events)
            with stored.engine.begin() as connection:
                connection.execute(text("ALTER TABLE campaign_totals RENAME TO gone"))
            assert list(events) == []
        assert api.get("/v1/campaigns/film/stream").status_code == 503
        with stored.engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO campaign_totals"))
        with following(api) as events:
            assert next(events) == last
        assert ended(process, "interrupted") == 1


def test_a_campaign_that_goes_away_ends_its_streams(stored: Stored) -> None:
    """Its rows are taken out while it is rebuilt."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url, **FAST))
    with running(process) as url, httpx.Client(base_url=url, timeout=20) as api:
        with following(api) as events:
            next(events)
            with stored.engine.begin() as connection:
                connection.execute(text("DELETE FROM campaign_totals"))
            assert list(events) == []
        assert api.get("/v1/campaigns/film/stream").status_code == 404


def test_a_head_request_ends(stored: Stored) -> None:
    """It is answered as GET is, without the events, and holds no place."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url, streams=1))
    with running(process) as url, httpx.Client(base_url=url, timeout=20) as api:
        for _ in range(3):
            answer = api.head("/v1/campaigns/film/stream")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert "etag" not in answer.headers
            wait_until(lambda: process.registry.get_sample_value("cercles_reader_streams") == 0, "the place is free")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_who_reads_slowly_misses_steps_and_not_the_last_one(stored: Stored) -> None:
    """A stream holds nothing back: however much has changed since, the next event is how the campaign stands."""
    stored.campaign()
    settings = settings_for(stored.url, **FAST)
    metrics = ReaderMetrics()
    engine = open_engine(settings)

    async def scene() -> list[str]:
        snapshots = Snapshots(engine, metrics, at_once=1, queued_max=9)
        looking = Following(snapshots, metrics, settings)
        slow, quick = [await looking.follow("film", None) for _ in range(2)]
        heard = [str((await anext(quick)).id) for _ in range(1)]
        for offset in range(1, 4):
            await asyncio.to_thread(stored.entries, offset, [Line(1_000)])
            heard.append(str((await anext(quick)).id))
        assert str((await anext(slow)).id) == heard[-1]
        slow.end()
        quick.end()
        return heard

    assert [event_id.partition("-")[0] for event_id in asyncio.run(scene())] == ["0:0", "0:1", "0:2", "0:3"]
    engine.dispose()


def test_only_the_last_milestones_are_told(stored: Stored, api: httpx.Client) -> None:
    """Their number is bounded; those before them are counted."""
    stored.campaign()
    for number in range(MILESTONES_MAX + 3):
        stored.milestone(1, "cercles.goal.overfunded", number=number, step=100 + 5 * number)
    with following(api) as events:
        whole = next(events).data
    assert whole["milestones_before"] == 3
    assert [one["step"] for one in whole["milestones"]] == [115 + 5 * number for number in range(MILESTONES_MAX)]
