"""The commands as a person meets them: words, exit codes, JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from typer.testing import CliRunner, Result

from cercles.commands import app
from schemas import tables
from sinks import migrate
from tests.proof.stage import Stage, many_stories


@pytest.fixture
def cercles(topics: str, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `cercles …` on the test's log and database."""
    monkeypatch.setenv("CERCLES_KAFKA_BOOTSTRAP_SERVERS", topics)
    monkeypatch.setenv("CERCLES_DATABASE_URL", migrated_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return run


def test_an_audit_ends_with_0_when_all_is_equal(told: Stage, cercles: Any) -> None:  # noqa: ARG001
    """One line of words; or one of JSON, with the same numbers."""
    result = cercles("audit")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("equal: 4 partitions, ")
    report = json.loads(cercles("audit", "--json").stdout)
    assert report["equal"] is True
    assert report["counts"]["campaigns"] == 8
    assert cercles("audit", "--events-per-second", "1000000").exit_code == 0


def test_an_audit_ends_with_1_when_more_waits_than_may(told: Stage, cercles: Any) -> None:
    """Equal as far as the database goes, and a backlog behind it that a regular job should hear of."""
    assert cercles("audit", "--waiting-max", "0").exit_code == 0
    told.append(many_stories(8, 25, seed=3))
    waiting = json.loads(cercles("audit", "--json").stdout)["waiting_events"]
    assert cercles("audit", "--waiting-max", str(waiting)).exit_code == 0
    result = cercles("audit", "--waiting-max", str(waiting - 1), "--json")
    assert result.exit_code == 1
    assert f"{waiting} events wait" in result.stderr
    assert json.loads(result.stdout)["equal"] is True


def test_an_audit_ends_with_1_and_names_what_differs(told: Stage, cercles: Any, engine: Engine) -> None:  # noqa: ARG001
    """Both values and where they stand; a rebuild of the campaign mends it."""
    totals = tables.campaign_totals
    with engine.begin() as connection:
        late_minor = connection.scalar(select(totals.c.late_minor).where(totals.c.campaign_id == "campaign-1"))
        connection.execute(update(totals).where(totals.c.campaign_id == "campaign-1").values(late_minor=12))
    assert late_minor
    result = cercles("audit")
    assert result.exit_code == 1
    words = f"campaign campaign-1: totals: late_minor is 12 in the database, {late_minor} by the log"
    assert words in result.stdout
    assert "1 differences" in result.stdout
    (difference,) = json.loads(cercles("audit", "--campaign", "campaign-1", "--json").stdout)["differences"]
    assert (difference["database"], difference["log"]) == (12, late_minor)
    mended = cercles("rebuild", "--campaign", "campaign-1")
    assert mended.exit_code == 0, mended.output
    assert "updates said again" in mended.stdout
    assert cercles("audit", "--campaign", "campaign-1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("audit", "--since", "three"), "PARTITION:OFFSET"),
        (("audit", "--since", "9:0"), "no partition 9"),
        (("audit", "--events-per-second", "1"), "100"),
        (("rebuild",), "either --campaign ID or --to URL"),
        (("rebuild", "--campaign", "x", "--to", "sqlite:///x.db"), "either --campaign ID or --to URL"),
        (("rebuild", "--campaign", "x", "--no-emit", "--no-database"), "nothing to do"),
        (("rebuild", "--campaign", "never-launched"), "check the id"),
        (("rebuild", "--to", "mysql://localhost/x"), "sqlite:///"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2(cercles: Any, arguments: tuple[str, ...], words: str) -> None:
    """With words that say what would be right."""
    result = cercles(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr


def test_a_broker_or_database_that_is_away_ends_with_3(cercles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of the two, by the name of its setting."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("CERCLES_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
        result = cercles("audit")
    assert result.exit_code == 3
    assert "CERCLES_KAFKA_BOOTSTRAP_SERVERS" in result.stderr
    monkeypatch.setenv("CERCLES_DATABASE_URL", "postgresql+psycopg://cercles@127.0.0.1:1/cercles")
    result = cercles("audit")
    assert result.exit_code == 3
    assert "CERCLES_DATABASE_URL" in result.stderr


def test_a_database_of_another_log_ends_with_1(told: Stage, cercles: Any, engine: Engine) -> None:  # noqa: ARG001
    """It is not compared with a log it does not belong to."""
    with engine.begin() as connection:
        connection.execute(update(tables.sink_positions).values(log_id="0" * 36))
    for arguments in (("audit",), ("rebuild", "--campaign", "campaign-1")):
        result = cercles(*arguments)
        assert result.exit_code == 1, result.output
        assert "names the wrong one" in result.stderr


def test_a_new_database_is_filled_beside_the_old_one(
    told: Stage,  # noqa: ARG001
    cercles: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An audit of the new one finds it equal; a second filling is refused."""
    url = f"sqlite:///{tmp_path}/new.db"
    result = cercles("rebuild", "--to", url)
    assert result.exit_code == 2
    assert "cercles db upgrade" in result.stderr
    migrate.upgrade(url)
    result = cercles("rebuild", "--to", url)
    assert result.exit_code == 0, result.output
    assert "8 campaigns" in result.stdout
    assert "CERCLES_SINK_GROUP_ID" in result.stderr
    assert cercles("rebuild", "--to", url).exit_code == 2
    monkeypatch.setenv("CERCLES_DATABASE_URL", url)
    assert cercles("audit").exit_code == 0
    assert cercles("rebuild", "--to", url).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [("audit",), ("rebuild",), ("reconcile",), *(("dead-letters", one) for one in ("list", "show", "replay", "drop"))],
)
def test_help_tells_the_exit_codes(command: tuple[str, ...]) -> None:
    """Whoever automates a command needs them."""
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Exit codes" in result.stdout
