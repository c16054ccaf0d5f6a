"""`cercles dead-letters`: refused events are seen, sent again and put away, and nothing of them is lost or changed."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, func, select, update
from typer.testing import CliRunner, Result

from cercles.commands import app
from schemas import tables
from schemas.dead_letters import DeadLetter, to_record
from schemas.events import encode
from schemas.topics import LOG
from sinks.exporter import CampaignCollector
from sinks.metrics import ExporterMetrics
from tests.ledger.events import authorize, capture, launch
from tests.proof.stage import Stage, audited


@pytest.fixture
def cercles(topics: str, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `cercles dead-letters …` and returns what came of it."""
    monkeypatch.setenv("CERCLES_KAFKA_BOOTSTRAP_SERVERS", topics)
    monkeypatch.setenv("CERCLES_DATABASE_URL", migrated_url)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["dead-letters", *map(str, arguments)])

    return run


@pytest.fixture
def early(stage: Stage, engine: Engine) -> Stage:
    """Pledges that came before the launch of their campaigns, one in a currency of its own, and a webhook."""
    events = [
        authorize("p", 500, campaign="one"),
        capture("p", 500, campaign="one"),
        capture("q", 700, campaign="two"),
        launch(campaign="one"),
        capture("r", 900, currency="USD", campaign="one"),
    ]
    stage.append((event.data.campaign_id, encode(event)) for event in events)
    webhook = DeadLetter(
        reason="unmappable_payment", detail="amount_received is missing", key=None, value=b"{}", event_id="evt_1"
    )
    _, value, headers = to_record(webhook)
    stage.put_aside(0, value or b"", headers)
    stage.work()
    stage.sink(engine)
    return stage


def listed(cercles: Any, *options: object) -> list[dict[str, Any]]:
    result = cercles("list", "--json", *options)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_open_letters_are_listed_by_reason_campaign_and_time(early: Stage, cercles: Any) -> None:  # noqa: ARG001
    """Each with its value as it was."""
    found = listed(cercles)
    assert sorted(letter["reason"] for letter in found) == [
        "campaign_unknown",
        "campaign_unknown",
        "campaign_unknown",
        "currency_mismatch",
        "unmappable_payment",
    ]
    of_one = listed(cercles, "--reason", "campaign_unknown", "--campaign", "one")
    assert {letter["value"]["type"] for letter in of_one} == {"cercles.pledge.authorized", "cercles.pledge.captured"}
    assert listed(cercles, "--since", "2100-01-01T00:00Z") == []
    assert len(listed(cercles, "--until", "2100-01-01T00:00Z", "--limit", 2)) == 2
    table = cercles("list", "--campaign", "two")
    assert "campaign_unknown" in table.stdout
    assert "1 dead letters" in table.stderr


def test_a_moment_without_offset_is_refused(early: Stage, cercles: Any) -> None:  # noqa: ARG001
    """Nobody can know which it is."""
    result = cercles("list", "--since", "2026-03-10T12:00")
    assert result.exit_code == 2
    assert "has its offset" in result.stderr


def test_one_letter_is_shown_whole(early: Stage, cercles: Any) -> None:  # noqa: ARG001
    """Headers, the value indented, and how to replay it; of a webhook what to do instead."""
    refused = listed(cercles, "--reason", "currency_mismatch")[0]
    shown = cercles("show", refused["dead_letter_id"]).stdout
    assert "header      content-type: application/cloudevents+json" in shown
    assert '\n    "amount_minor": 900,' in shown
    assert f"cercles dead-letters replay {refused['dead_letter_id']}" in shown
    webhook = listed(cercles, "--reason", "unmappable_payment")[0]
    assert webhook["replayable"] is False
    assert "let the gateway send evt_1 again" in cercles("show", webhook["dead_letter_id"]).stdout
    assert cercles("show", 99_999).exit_code == 2


def test_a_letter_whose_cause_is_gone_is_replayed_and_applied(
    early: Stage, cercles: Any, engine: Engine, migrated_url: str
) -> None:
    """It is sent as it was, marked with its new place, and counts once, however often it is sent."""
    result = cercles("replay", "--reason", "campaign_unknown", "--campaign", "one")
    assert result.exit_code == 0, result.output
    early.work()
    early.sink(engine)
    replayed = listed(cercles, "--state", "replayed")
    assert len(replayed) == 2
    assert len(listed(cercles, "--reason", "campaign_unknown")) == 1
    for letter in replayed:
        partition, offset = map(int, letter["replayed_at"].split(":"))
        (record,) = early.read(LOG, partition, offset, offset + 1)
        assert record.key.decode() == letter["key"]
        assert json.loads(record.value) == letter["value"]
        assert record.headers == [("content-type", b"application/cloudevents+json")]
    totals = tables.campaign_totals
    collected = select(totals.c.collected_minor).where(totals.c.campaign_id == "one")
    with engine.connect() as connection:
        assert connection.scalar(collected) == 500
    again = cercles("replay", "--again", *(letter["dead_letter_id"] for letter in replayed))
    assert again.exit_code == 0, again.output
    early.work()
    early.sink(engine)
    with engine.connect() as connection:
        assert connection.scalar(collected) == 500
    assert audited(early, migrated_url).differences == []


def test_a_letter_that_is_refused_again_is_another_letter(early: Stage, cercles: Any, engine: Engine) -> None:
    """The first stays marked; the second is open."""
    assert cercles("replay", "--reason", "currency_mismatch").exit_code == 0
    early.work()
    early.sink(engine)
    assert [letter["state"] for letter in listed(cercles, "--reason", "currency_mismatch", "--state", "all")] == [
        "open",
        "replayed",
    ]


def test_what_cannot_be_replayed_is_said_before_anything_is(early: Stage, cercles: Any, engine: Engine) -> None:
    """By id all or nothing: one that is unknown, one of a webhook, one whose value was too large to keep."""
    webhook = listed(cercles, "--reason", "unmappable_payment")[0]["dead_letter_id"]
    hashed = listed(cercles, "--campaign", "two")[0]["dead_letter_id"]
    letters = tables.dead_letters
    with engine.begin() as connection:
        connection.execute(
            update(letters).where(letters.c.dead_letter_id == hashed).values(value=None, value_sha256="ab" * 32)
        )
    fit = listed(cercles, "--reason", "currency_mismatch")[0]["dead_letter_id"]
    ends = [early.end(LOG, partition) for partition in range(4)]
    result = cercles("replay", fit, webhook, hashed, 99_999)
    assert result.exit_code == 2
    for words in ("nothing was replayed", "webhook, never an event", "only the hash", "no such dead letter"):
        assert words in result.stderr
    assert [early.end(LOG, partition) for partition in range(4)] == ends
    by_reason = cercles("replay", "--reason", "campaign_unknown")
    assert by_reason.exit_code == 1
    assert "only the hash" in by_reason.stderr
    assert len(listed(cercles, "--state", "replayed")) == 2


def test_a_replayed_letter_is_not_replayed_by_chance(early: Stage, cercles: Any) -> None:  # noqa: ARG001
    """Only --again does, by id."""
    letter = listed(cercles, "--reason", "currency_mismatch")[0]["dead_letter_id"]
    assert cercles("replay", letter).exit_code == 0
    second = cercles("replay", letter)
    assert second.exit_code == 2
    assert "replayed already, and stands at" in second.stderr


@pytest.mark.parametrize("arguments", [(), (1, "--reason", "x"), ("--campaign", "one")])
def test_replay_wants_ids_or_a_reason(early: Stage, cercles: Any, arguments: tuple[object, ...]) -> None:  # noqa: ARG001
    """Never everything by mistake."""
    assert cercles("replay", *arguments).exit_code == 2


def test_a_dropped_letter_stays_with_the_reason(early: Stage, cercles: Any, engine: Engine) -> None:  # noqa: ARG001
    """Its row is as it was; the decision stands beside it."""
    letter = listed(cercles, "--reason", "currency_mismatch")[0]
    with engine.connect() as connection:
        before = connection.execute(select(tables.dead_letters).order_by(tables.dead_letters.c.dead_letter_id)).all()
    assert cercles("drop", letter["dead_letter_id"], "--why", "sent in euros since, event 17").exit_code == 0
    with engine.connect() as connection:
        assert (
            before
            == connection.execute(select(tables.dead_letters).order_by(tables.dead_letters.c.dead_letter_id)).all()
        )
        assert connection.scalar(select(func.count()).select_from(tables.dead_letter_resolutions)) == 1
    (dropped,) = listed(cercles, "--state", "dropped")
    assert dropped["why"] == "sent in euros since, event 17"
    assert "sent in euros since" in cercles("show", letter["dead_letter_id"]).stdout
    assert cercles("drop", letter["dead_letter_id"], "--why", "again").exit_code == 2
    assert cercles("drop", letter["dead_letter_id"], "--why", " ").exit_code == 2


def test_number_and_age_of_open_letters_are_metrics(early: Stage, cercles: Any, engine: Engine) -> None:  # noqa: ARG001
    """By reason; what was replayed or dropped is not open, and without any the age is 0."""
    registry = CollectorRegistry()
    registry.register(CampaignCollector(engine, ExporterMetrics(CollectorRegistry()), top_campaigns=5))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("cercles_dead_letters_open", reason="campaign_unknown") == 3
    age = value("cercles_dead_letters_oldest_open_age_seconds")
    assert age is not None
    assert 0 < age < 300
    letters = [letter["dead_letter_id"] for letter in listed(cercles)]
    assert cercles("drop", *letters, "--why", "a test").exit_code == 0
    assert value("cercles_dead_letters_open", reason="campaign_unknown") is None
    assert value("cercles_dead_letters_oldest_open_age_seconds") == 0
    assert value("cercles_dead_letters", reason="campaign_unknown") == 3
