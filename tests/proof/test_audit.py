"""`cercles audit`: silent when the database is what the log says, and never silent otherwise."""

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from cercles.audit.report import Report
from schemas import tables
from schemas.events import encode
from schemas.topics import LOG
from tests.ledger.events import authorize, capture, launch
from tests.proof.stage import Stage, audited, many_stories


def found(report: Report) -> set[tuple[str, str | None, str | None]]:
    """Return the kind, the campaign and the column of every difference."""
    return {(one.kind, one.campaign_id, one.column) for one in report.differences}


def test_a_database_that_is_what_the_log_says_has_no_difference(told: Stage, migrated_url: str) -> None:
    """And everything was looked at: every event, entry, pledge and dead letter."""
    report = audited(told, migrated_url)
    assert report.differences == []
    assert report.equal
    assert report.notes == []
    counts = report.counts
    assert (counts.partitions, counts.campaigns, counts.pledges) == (4, 8, 216)
    assert counts.events == sum(told.end(LOG, partition) for partition in range(4))
    assert min(counts.entries, counts.milestones, counts.dead_letters) > 0


CHANGES = {
    "campaign_totals": ("pledged_minor", 1, {("differs", "pledged_minor"), ("sum", "pledged_minor")}),
    "circle_totals": ("backers", 99, {("differs", "backers")}),
    "reward_totals": ("claimed", 99, {("differs", "claimed")}),
    "pledges": ("over_returned_minor", 99, {("differs", "over_returned_minor")}),
    "shares": ("network", "another", {("differs", "network")}),
    "share_visits": ("bots", 99, {("differs", "bots")}),
    "campaigns": ("title", "Another", {("differs", "title")}),
    "ledger_entries": ("event_id", "another", {("differs", "event_id")}),
    "milestones": ("total_minor", 3, {("differs", "total_minor")}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_changed_column_is_named(told: Stage, migrated_url: str, engine: Engine, name: str) -> None:
    """With its campaign, row, and both values."""
    table = tables.metadata.tables[name]
    column, value, kinds = CHANGES[name]
    with engine.begin() as connection:
        campaign_id = connection.scalars(select(table.c.campaign_id).order_by(table.c.campaign_id)).first()
        keys = [table.c[key.name] for key in table.primary_key]
        first = connection.execute(select(*keys).where(table.c.campaign_id == campaign_id).limit(1)).one()
        chosen = [key == kept for key, kept in zip(keys, first, strict=True)]
        connection.execute(update(table).where(*chosen).values({column: value}))
    report = audited(told, migrated_url)
    assert found(report) == {(kind, campaign_id, named) for kind, named in kinds}
    assert report.differences_total == len(kinds)


@pytest.mark.parametrize(
    "name",
    ["campaigns", "circle_totals", "reward_totals", "pledges", "shares", "share_visits", "milestones", "dead_letters"],
)
def test_one_deleted_row_is_missing(told: Stage, migrated_url: str, engine: Engine, name: str) -> None:
    """Nothing else is said."""
    table = tables.metadata.tables[name]
    keys = [table.c[key.name] for key in table.primary_key]
    with engine.begin() as connection:
        first = connection.execute(select(*keys).limit(1)).one()
        connection.execute(delete(table).where(*(key == kept for key, kept in zip(keys, first, strict=True))))
    (difference,) = audited(told, migrated_url).differences
    assert difference.kind == "missing"


def test_a_deleted_entry_is_missing_and_its_sums_are_wrong(told: Stage, migrated_url: str, engine: Engine) -> None:
    """The entry by its position, the day that the view no longer has whole, and the sum of the entries."""
    table = tables.ledger_entries
    with engine.begin() as connection:
        entry = connection.execute(
            select(table).where(table.c.pledged_minor > 0, table.c.collected_minor == 0).limit(1)
        ).one()
        connection.execute(
            delete(table).where(
                table.c.partition_number == entry.partition_number,
                table.c.log_offset == entry.log_offset,
                table.c.entry_number == entry.entry_number,
            )
        )
    report = audited(told, migrated_url)
    assert found(report) >= {("missing", entry.campaign_id, None), ("sum", entry.campaign_id, "pledged_minor")}
    assert any(one.position == f"{entry.partition_number}:{entry.log_offset}" for one in report.differences)


def test_an_entry_that_no_event_made_is_unexpected(told: Stage, migrated_url: str, engine: Engine) -> None:
    """Within the log and beyond its end."""
    table = tables.ledger_entries
    with engine.begin() as connection:
        entry = dict(connection.execute(select(table).limit(1)).mappings().one())
        connection.execute(insert(table), [entry | {"entry_number": 77}, entry | {"log_offset": 10**6}])
    report = audited(told, migrated_url)
    assert [one.kind for one in report.differences].count("unexpected") == 2


def test_a_whole_campaign_can_be_missing_or_left_over(told: Stage, migrated_url: str, engine: Engine) -> None:
    """Without totals, its other rows are named as left over."""
    with engine.begin() as connection:
        connection.execute(delete(tables.campaign_totals).where(tables.campaign_totals.c.campaign_id == "campaign-3"))
    kinds = {one.kind for one in audited(told, migrated_url).differences if one.campaign_id == "campaign-3"}
    assert kinds == {"missing", "unexpected"}


def test_a_sink_that_is_behind_is_equal_as_far_as_it_is(stage: Stage, migrated_url: str, engine: Engine) -> None:
    """Each campaign is held against the log at its own position, wherever a transaction ended."""
    stage.append(many_stories(8, 20))
    stage.work()
    for records_max in (1, 2, 3, 7, 1_000):
        stage.sink(engine, records_max=records_max)
        assert audited(stage, migrated_url).differences == []
    assert audited(stage, migrated_url).waiting_events == 0
    more = many_stories(8, 25, seed=3)
    stage.append(more)  # the log goes on, nobody has folded it
    report = audited(stage, migrated_url)
    assert report.differences == []
    assert report.waiting_events == len(more)


def test_a_campaign_in_the_middle_of_an_update_is_no_difference(
    stage: Stage, migrated_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of an update are applied one by one; between them, entries and their sums must be right already."""
    monkeypatch.setattr("stream_processors.ledger.batch.PART_BYTES", 1)
    stage.append(many_stories(2, 12))
    stage.work(progress=False)
    notes: list[str] = []
    for _ in range(12):
        stage.sink(engine, records_max=1)
        report = audited(stage, migrated_url)
        assert report.differences == []
        notes += report.notes
    assert any("in the middle of an update" in note for note in notes)


def test_a_gap_is_named_and_what_is_below_it_is_compared(stage: Stage, migrated_url: str, engine: Engine) -> None:
    """The repair is in the words; the other campaigns are equal."""
    stage.append(many_stories(4, 30))
    stage.work(losing=["campaign-1"])
    stage.sink(engine)
    report = audited(stage, migrated_url)
    assert found(report) == {("gap", "campaign-1", None)}
    assert "cercles rebuild --campaign campaign-1" in report.differences[0].what


def test_one_campaign_is_audited_alone(told: Stage, migrated_url: str, engine: Engine) -> None:
    """Others may be wrong."""
    totals = tables.campaign_totals
    with engine.begin() as connection:
        connection.execute(update(totals).where(totals.c.campaign_id == "campaign-5").values(late_minor=12))
    assert audited(told, migrated_url, campaign_id="campaign-4").equal
    assert found(audited(told, migrated_url, campaign_id="campaign-5")) == {("differs", "campaign-5", "late_minor")}


def test_only_what_is_later_is_compared(told: Stage, migrated_url: str, engine: Engine) -> None:
    """Entries below the position are folded and not compared; those above are."""
    table = tables.ledger_entries
    with engine.begin() as connection:
        entry = connection.execute(
            select(table).where(table.c.partition_number == 1).order_by(table.c.log_offset).limit(1)
        ).one()
        connection.execute(update(table).where(table.c.event_id == entry.event_id).values(event_id="another"))
    assert audited(told, migrated_url, since={1: entry.log_offset + 1}).equal
    assert not audited(told, migrated_url, since={1: entry.log_offset}).equal
    assert audited(told, migrated_url, since={2: 0}).equal


def test_a_payment_in_two_campaigns_is_named(stage: Stage, migrated_url: str, engine: Engine) -> None:
    """A gateway's own id belongs to one campaign; ids without a gateway's name may repeat."""
    events = [
        launch(campaign="one"),
        launch(campaign="two"),
        *(capture("p", 500, capture_id="stripe:ch_1", campaign=campaign) for campaign in ("one", "two")),
        *(authorize("p", 500, authorization="stripe:pi_1", campaign=campaign) for campaign in ("one",)),
        *(capture("q", 500, capture_id="cap-1", campaign=campaign) for campaign in ("one", "two")),
    ]
    stage.append((event.data.campaign_id, encode(event)) for event in events)
    stage.work()
    stage.sink(engine)
    (difference,) = audited(stage, migrated_url).differences
    assert difference.kind == "payment_in_two_campaigns"
    assert difference.what == "capture stripe:ch_1 counts in one, two"
