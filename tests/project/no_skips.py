"""A pytest plugin: with `CI=true`, a test that does not run fails.

Skipped is skipped, whatever the way: a mark, a call, a missing import, an expected failure, a module or a test left out
of the collection. A suite that is green because half of it did not run says nothing.
"""

import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Take part only where nobody watches the skips go by."""
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(NoSkips(), "no-skips")


class NoSkips:
    """Turns every skip into a failure, so that pytest's own closing line and exit code tell of it."""

    def __init__(self) -> None:
        self._deselected: list[str] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail what was skipped, and what was expected to fail, whether it did or not."""
        report = yield
        expected: str | None = getattr(report, "wasxfail", None)
        if expected is not None:
            # Without this attribute pytest counts the report by its outcome.
            del report.wasxfail
            _fail(report, f"expected to fail: {expected}")
        elif report.skipped:
            _fail(report, _words(report.longrepr))
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Fail a module that skips itself while it is collected."""
        report = yield
        if report.skipped:
            _fail(report, _words(report.longrepr))
        return report

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember what `-k`, `-m` and their like left out."""
        self._deselected += [item.nodeid for item in items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session when a test was left out of it."""
        if self._deselected and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name what was left out."""
        for nodeid in self._deselected:
            terminalreporter.write_line(f"LEFT OUT {nodeid} - with CI=true every test runs", red=True)


def _fail(report: pytest.TestReport | pytest.CollectReport, reason: str) -> None:
    report.outcome = "failed"
    report.longrepr = f"with CI=true every test runs, but this one was skipped ({reason})"


def _words(longrepr: Any) -> str:
    """Return the reason of a skip: pytest keeps it as (path, line, reason)."""
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
