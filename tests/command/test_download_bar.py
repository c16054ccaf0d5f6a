"""The embedded broker's download as people see it."""

import io

import pytest
from rich.console import Console

from cercles.embedded.download_bar import progress_bar


def test_without_a_terminal_a_download_is_one_line() -> None:
    """However many steps it has."""
    file = io.StringIO()
    with progress_bar(Console(file=file)) as report:
        for done_bytes in range(0, 110_000_000, 10_000_000):
            report("kafka.jar", done_bytes, 110_000_000)
    assert file.getvalue() == "downloading Apache Kafka, 110 MB\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_without_a_download_no_line_is_left(*, terminal: bool) -> None:
    """What has been downloaded before is no news."""
    file = io.StringIO()
    with progress_bar(Console(file=file, force_terminal=terminal)):
        pass
    assert "\n\n" not in file.getvalue()
    assert terminal or file.getvalue() == ""


def test_the_bar_is_one_line_of_80_columns() -> None:
    """No column of it is broken."""
    file = io.StringIO()
    with progress_bar(Console(file=file, width=80, force_terminal=True, color_system=None)) as report:
        report("kafka-server-common-4.3.1.jar", 105_300_000, 110_100_000)
    assert any("Apache Kafka" in line and "105.3/110.1 MB" in line for line in file.getvalue().splitlines())
