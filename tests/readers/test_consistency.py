"""One answer, one moment: sums agree in every answer while a writer keeps changing everything."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import httpx

from readers.settings import PAGE_SIZE_MAX
from tests.readers.stored import Line, Stored

ROUNDS = 40
CIRCLES = ("friends", "friends_of_friends", "public")
DAYS = (date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3))
ENTRIES_MAX = 450
"""All entries fit on one page, so that each of its answers can be held against the totals."""


@contextmanager
def writing(stored: Stored) -> Iterator[None]:
    """Keep committing pledges, and moves between circles and days, until the block ends."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for offset in range(1, ENTRIES_MAX // 2):
                if stop.wait(0.002):
                    return
                out, into = CIRCLES[offset % 3], CIRCLES[(offset + 1) % 3]
                amount = 100 + offset
                # A pledge that comes to less than it moves: a torn read of any two tables shows.
                stored.entries(
                    offset,
                    [
                        Line(-amount, out, DAYS[offset % 3], collected_minor=-offset),
                        Line(amount + 7, into, DAYS[(offset + 2) % 3], collected_minor=offset + 3),
                    ],
                )
        except BaseException as error:  # noqa: BLE001 - handed over to the test
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert failures == []
    assert not thread.is_alive()


def test_campaign_circles_days_and_entries_agree_in_every_answer(stored: Stored, api: httpx.Client) -> None:
    """Campaign = sum of circles = sum of days = sum of entries, for both totals, at every moment."""
    stored.campaign()
    positions = set()
    with writing(stored):
        for _ in range(ROUNDS):
            for path, lines in (("", "circles"), ("/circles", "circles"), ("/days", "days"), ("/entries", "entries")):
                parameters = {"limit": PAGE_SIZE_MAX} if lines == "entries" else {}
                answer = api.get(f"/v1/campaigns/film{path}", params=parameters).raise_for_status().json()
                for amount in ("pledged_minor", "collected_minor"):
                    assert sum(line[amount] for line in answer[lines]) == answer["totals"][amount]
                offset = int(answer["as_of"].removeprefix("0:"))
                assert answer["totals"]["pledged_minor"] == 7 * offset, "the totals are those of the stated position"
                positions.add(offset)
    assert len(positions) > 5, "the writer was at work between the answers"


def test_an_event_and_the_position_of_its_answer_are_of_one_moment(stored: Stored, api: httpx.Client) -> None:
    """While everything moves on, an event is pending until it is what it became, and never anything else between."""
    stored.campaign()
    stop = threading.Event()

    def advance() -> None:
        for offset in range(1, 60):
            if offset % 3 == 0:
                stored.entries(offset, [Line(7)])
            elif offset % 3 == 1:
                stored.dead_letter(offset)
            stored.progress(offset + 1, dead_letters_next=0)
            if stop.wait(0.002):
                return

    outcome = ("applied", "refused", "no_change")
    writer = threading.Thread(target=advance)
    writer.start()
    try:
        deadline = time.monotonic() + 20
        waiting_for = 1
        while waiting_for < 60 and time.monotonic() < deadline:
            status = api.get(f"/v1/campaigns/film/events/0:{waiting_for}").json()["status"]
            if status != "pending":
                assert status == outcome[waiting_for % 3]
                waiting_for += 1
    finally:
        stop.set()
        writer.join(20)
    assert waiting_for == 60
