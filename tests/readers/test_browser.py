"""The live page in a real browser: a whole campaign on the screen, cut off and live again, for everybody."""

import itertools
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from readers.process import ReaderProcess
from schemas.fields import CIRCLES
from tests.readers.browsers import chromium, needs_chromium, opened
from tests.readers.conftest import running, settings_for
from tests.readers.film import Film
from tests.readers.stored import Stored

pytestmark = [needs_chromium, pytest.mark.parametrize("database_kind", ["sqlite"])]

QUICK = {"stream_poll_seconds": 0.05}
BYTES_MAX = 100_000
PHONE, DESK = 360, 1_100
WAIT_MILLISECONDS_MAX = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def film(stored: Stored) -> Film:
    """The film, launched; it closes some days from now, so that the page shows an open campaign."""
    film = Film(stored.engine, datetime.now(UTC).date())
    film.launch()
    return film


def shown(page: Page, selector: str) -> str:
    """Return the words there, with plain spaces."""
    return re.sub(r"\s+", " ", page.inner_text(selector)).strip()


def euros(amount: str) -> str:
    """Return an amount of the API as the page writes it in English, worked out another way."""
    whole, cents = amount.split(".")
    return f"{int(whole):,}".replace(",", " ") + ("" if cents == "00" else f".{cents}") + " €"


def await_position(page: Page, position: str) -> None:
    """Wait until the page shows the campaign as of that position."""
    expect(page.locator("#campaign")).to_have_attribute(
        "data-event-id", re.compile(f"^{position}-"), timeout=WAIT_MILLISECONDS_MAX
    )


def assert_screen_is(page: Page, whole: dict[str, Any], days: list[dict[str, Any]], milestones: int) -> None:
    """Compare every number on the screen with the API's."""
    totals = whole["totals"]
    assert shown(page, ".total") == f"{euros(totals['pledged'])} of 15 000 €"
    assert shown(page, ".percent") == f"{totals['percent']} %"
    amounts = shown(page, "#amounts")
    assert f"Pledged {euros(totals['pledged'])}" in amounts
    assert f"Collected {euros(totals['collected'])}" in amounts
    assert f"Backers {totals['backers']}" in amounts
    for circle in whole["circles"]:
        cells = page.locator(f"tr[data-circle={circle['circle']}] td").all_inner_texts()
        expected = [euros(circle["pledged"]), euros(circle["collected"]), str(circle["backers"])]
        assert [re.sub(r"\s+", " ", cell) for cell in cells[:3]] == expected
    rows = [re.sub(r"\s+", " ", row) for row in page.locator("#days-table tbody tr").all_text_contents()]
    assert len(rows) == len(days)
    for row, day in zip(rows, reversed(days), strict=True):
        assert row.endswith(euros(day["pledged"]) + euros(day["collected"]))
    assert page.locator("svg.days g:not(.flag)").count() == len(days)
    assert page.locator("#milestones li").count() == page.locator("svg.days .flag").count() == milestones
    assert f"position {whole['as_of']}" in shown(page, "#as-of")


def test_a_whole_campaign_moves_on_the_screen_as_in_the_api(stored: Stored, film: Film, browser: Browser) -> None:
    """Chapter by chapter, without a reload, up to 17 230 € of 15 000 €, 115 %."""
    with ExitStack() as stack:
        url = stack.enter_context(running(ReaderProcess(settings_for(stored.url, **QUICK))))
        api = stack.enter_context(httpx.Client(base_url=f"{url}/v1/campaigns/{film.campaign_id}"))
        page = stack.enter_context(opened(browser, url, f"/campaigns/{film.campaign_id}"))
        expect(page.locator("#connection")).to_have_text("Live", use_inner_text=True)
        page.evaluate("window.neverLoadedAgain = true")
        asked: list[str | None] = []
        page.on("request", lambda request: asked.append(request.headers.get("last-event-id")))
        page.locator("summary").click()
        for _ in film.chapters():
            whole = api.get("").json()
            await_position(page, whole["as_of"])
            milestones = len(api.get("/milestones").json()["milestones"])
            assert_screen_is(page, whole, api.get("/days").json()["days"], milestones)
        assert shown(page, "#figures") == "17 230 € of 15 000 € 115 %"
        assert page.title().replace("\N{NO-BREAK SPACE}", " ") == "115 % · Les Anges Anonymes · Cercles"
        assert page.evaluate("window.neverLoadedAgain")
        assert page.locator("#campaign").get_attribute("data-event-id") in asked
        assert page.locator("details").get_attribute("open") is not None, "what was open stays open"
        assert shown(page, "#announced") == "17 230 € of 15 000 €, 115 %. 183 backers."


def test_the_page_says_that_it_is_cut_off_and_when_it_is_live_again(
    stored: Stored, film: Film, browser: Browser
) -> None:
    """With what happened meanwhile, and without a reload."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chapters = film.chapters()
    with ExitStack() as stack:
        with running(ReaderProcess(settings_for(stored.url, port=port, **QUICK))) as url:
            page = stack.enter_context(opened(browser, url, f"/campaigns/{film.campaign_id}"))
            connection = page.locator("#connection")
            expect(connection).to_have_text("Live", use_inner_text=True)
        expect(connection).to_contain_text("Connection lost at", use_inner_text=True, timeout=WAIT_MILLISECONDS_MAX)
        expect(connection).to_be_visible()
        before = shown(page, ".total")
        next(chapters)
        with running(ReaderProcess(settings_for(stored.url, port=port, **QUICK))):
            expect(connection).to_have_text("Live", use_inner_text=True, timeout=WAIT_MILLISECONDS_MAX)
            expect(page.locator(".total")).not_to_have_text(before, timeout=WAIT_MILLISECONDS_MAX)
            whole = httpx.get(f"{url}/v1/campaigns/{film.campaign_id}").json()
            await_position(page, whole["as_of"])


def test_a_silent_connection_is_seen_to_be_broken(stored: Stored, film: Film, browser: Browser) -> None:
    """No heartbeat comes: the page says so by itself, though nothing ever told it."""
    slow = ReaderProcess(settings_for(stored.url, stream_heartbeat_seconds=20))
    with running(slow) as url, opened(browser, url, None) as page:
        page.clock.install()
        page.goto(f"{url}/campaigns/{film.campaign_id}")
        expect(page.locator("#connection")).to_have_text("Live", use_inner_text=True)
        page.clock.fast_forward(26_000)
        expect(page.locator("#connection")).to_contain_text("Connection lost", use_inner_text=True)


def test_everybody_can_use_it(stored: Stored, film: Film, browser: Browser) -> None:
    """Axe finds nothing, in both themes and languages, on a desk and on a phone, where nothing is cut off."""
    for _ in film.chapters():
        pass
    stored.totals(film.campaign_id, complete=False, gap_offset=9_999, late_minor=100, over_returned_minor=100)
    with running(ReaderProcess(settings_for(stored.url, **QUICK))) as url:
        paths = (f"/campaigns/{film.campaign_id}", "/campaigns", "/campaigns/nobody")
        for path, theme, lang, width in itertools.product(paths, ("light", "dark"), ("en", "fr"), (DESK, PHONE)):
            with opened(browser, url, path, lang=lang, width=width, color_scheme=theme) as page:
                if page.locator("summary").count():
                    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
                    page.locator("summary").click()
                found = Axe().run(page)
                assert found.violations_count == 0, found.generate_report()
                assert page.locator("html").get_attribute("lang") == lang
                assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_is_enough(stored: Stored, film: Film, browser: Browser) -> None:
    """Past the head of the page, into the table of days; who stands there stays there when the figures move."""
    chapters = film.chapters()
    next(chapters)
    with (
        running(ReaderProcess(settings_for(stored.url, **QUICK))) as url,
        opened(browser, url, f"/campaigns/{film.campaign_id}") as page,
    ):
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator("summary")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#days-table")).to_be_visible()
        next(chapters)
        await_position(page, httpx.get(f"{url}/v1/campaigns/{film.campaign_id}").json()["as_of"])
        expect(page.locator("summary")).to_be_focused()
        expect(page.locator("#days-table")).to_be_visible()


def test_it_weighs_little_and_comes_from_one_place(stored: Stored, film: Film, browser: Browser) -> None:
    """Everything together, as it comes over the wire."""
    for _ in film.chapters():
        pass
    with (
        running(ReaderProcess(settings_for(stored.url, **QUICK))) as url,
        opened(browser, url, None) as page,
    ):
        sizes: list[int] = []
        page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
        page.goto(f"{url}/campaigns/{film.campaign_id}")
        expect(page.locator("#connection")).to_have_text("Live", use_inner_text=True)
        assert 10_000 < sum(sizes) < BYTES_MAX


def test_without_scripts_it_stands_still_and_says_so(stored: Stored, film: Film, browser: Browser) -> None:
    """All figures are there; only they don't move."""
    next(film.chapters())
    with (
        running(ReaderProcess(settings_for(stored.url))) as url,
        opened(browser, url, f"/campaigns/{film.campaign_id}", java_script_enabled=False) as page,
    ):
        assert "€ of 15 000 €" in shown(page, ".total")
        assert "load it again" in shown(page, "main")
        assert len(CIRCLES) == page.locator("tr[data-circle]").count()


def test_who_changes_the_language_keeps_it(stored: Stored, film: Film, browser: Browser) -> None:
    """From page to page, and when the figures move."""
    chapters = film.chapters()
    next(chapters)
    with (
        running(ReaderProcess(settings_for(stored.url, **QUICK))) as url,
        opened(browser, url, "/campaigns") as page,
    ):
        page.get_by_role("link", name="Français").click()
        page.get_by_role("link", name="Les Anges Anonymes").click()
        expect(page.locator("#connection")).to_have_text("En direct", use_inner_text=True)
        next(chapters)
        await_position(page, httpx.get(f"{url}/v1/campaigns/{film.campaign_id}").json()["as_of"])
        assert "sur 15 000 €" in shown(page, ".total")
