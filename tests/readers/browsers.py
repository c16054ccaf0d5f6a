"""The machine's own Chromium, driven by Playwright; where there is none, its tests are skipped with the reason."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)

needs_chromium: Final = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium on this machine (Debian: apt-get install chromium)"
)
LOCALES: Final = {"en": "en-GB", "fr": "fr-FR"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser."""
    # Chromium has no sandbox for root, whom containers run as; it only ever sees our own pages.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, url: str, path: str | None, *, lang: str = "en", width: int = 1100, **options: Any
) -> Iterator[Page]:
    """Open a page of a server in a browser of that language and width; without a path, an empty one.

    Errors of scripts, and what the page asks of any other server, fail the test.
    """
    faults: list[str] = []
    context = browser.new_context(locale=LOCALES[lang], viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    page.on("request", lambda request: None if request.url.startswith(f"{url}/") else faults.append(request.url))
    try:
        if path is not None:
            page.goto(f"{url}{path}")
        yield page
    finally:
        context.close()
    assert faults == []
