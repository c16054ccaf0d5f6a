"""The resolver's dead letters: audited, kept when the database is made anew, and sent again to their own log."""

from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from typer.testing import CliRunner

from cercles.commands import app
from cercles.rebuild.database import DatabaseFill
from schemas import tables
from schemas.dead_letters import to_record
from schemas.events import encode
from schemas.topics import PAYMENTS
from stream_processors.resolver.fold import WAIT_MS_MAX
from tests.proof.stage import Stage, audited
from tests.resolver.events import PAYMENT, Partition, link, refund


@pytest.fixture
def forgotten(stage: Stage, engine: Engine) -> Stage:
    """A refund whose payment was never heard of: its dead letter is in the database."""
    put_aside(stage)
    stage.sink(engine)
    return stage


def put_aside(stage: Stage) -> None:
    """Let the resolver of partition 3 write the dead letter, as it does again when it is killed too early."""
    partition = Partition()
    partition.append(refund())
    partition.time_ms += WAIT_MS_MAX + 1
    partition.append(link("stripe:pi_later"))
    [letter] = partition.dead_letters
    key, value, headers = to_record(letter)
    stage.put_aside(3, value or b"", [(name, _of_payments(name, content)) for name, content in headers], key=key)


def _of_payments(name: str, content: bytes) -> bytes:
    return PAYMENTS.name.encode() if name == "cercles-topic" else content


def letters(engine: Engine) -> list[Any]:
    columns = tables.dead_letters.c
    chosen = select(columns.topic, columns.partition_number, columns.record_offset, columns.reason)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(chosen)]


THERE = (PAYMENTS.name, 3, 0, "payment_unknown")


def test_one_that_was_said_again_is_there_once(forgotten: Stage, engine: Engine, migrated_url: str) -> None:
    """Under the place of the refused event, whatever wrote it how often."""
    put_aside(forgotten)
    forgotten.sink(engine)
    assert letters(engine) == [THERE]
    report = audited(forgotten, migrated_url)
    assert report.differences == []
    assert report.counts.dead_letters == 1


def test_an_audit_misses_one_that_is_gone(forgotten: Stage, engine: Engine, migrated_url: str) -> None:
    """And names one that should not be there, or is not as it was."""
    columns = tables.dead_letters.c
    with engine.begin() as connection:
        connection.execute(update(tables.dead_letters).values(reason="misrouted"))
    [difference] = audited(forgotten, migrated_url).differences
    assert (difference.kind, difference.column) == ("differs", "reason")
    with engine.begin() as connection:
        connection.execute(update(tables.dead_letters).where(columns.reason == "misrouted").values(record_offset=7))
    kinds = {difference.kind: difference.what for difference in audited(forgotten, migrated_url).differences}
    assert set(kinds) == {"missing", "unexpected"}
    assert f"{PAYMENTS.name}:3:0" in kinds["missing"]
    assert f"{PAYMENTS.name}:3:7" in kinds["unexpected"]


def test_a_new_database_has_it(stage: Stage, engine: Engine, migrated_url: str) -> None:
    """The campaigns' log says nothing of it: only the dead letters do."""
    put_aside(stage)
    DatabaseFill(engine, stage.reader, lambda *_: None).run(None)
    assert letters(engine) == [THERE]
    assert audited(stage, migrated_url).differences == []


def test_it_is_sent_again_to_the_payments_log(
    forgotten: Stage, topics: str, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was, under its payment."""
    monkeypatch.setenv("CERCLES_KAFKA_BOOTSTRAP_SERVERS", topics)
    monkeypatch.setenv("CERCLES_DATABASE_URL", migrated_url)
    result = CliRunner().invoke(app, ["dead-letters", "replay", "--reason", "payment_unknown"])
    assert result.exit_code == 0, result.output
    [record] = [record for partition in range(4) for record in forgotten.read(PAYMENTS, partition)]
    assert (record.key, record.value) == (PAYMENT.encode(), encode(refund()))
