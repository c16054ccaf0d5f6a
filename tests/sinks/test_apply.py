"""Updates become rows, exactly once, on real databases."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from schemas.topics import DEAD_LETTERS, UPDATES
from schemas.updates import Entry, Update, encoder
from sinks import positions
from sinks.apply import apply
from sinks.bulk import COPIED_ROWS_MIN
from sinks.database import DatabaseErrors, writing_engine
from sinks.errors import OtherLogError, OtherTopicError, StalePositionError, UnreadableUpdateError
from sinks.positions import TopicPartition
from sinks.records import Batch
from tests.sinks.stories import (
    TOPIC_IDS,
    Fact,
    FakePartition,
    FakeRecord,
    Story,
    assert_rows_tell,
    empty,
    everything,
    progress,
    rows,
    story,
)


def test_an_update_becomes_rows(engine: Engine) -> None:
    """Terms, totals, circles, pledges, entries and milestones all stand after one update."""
    told, topic = story(), FakePartition()
    topic.say(told.update(0, len(told.lines)))
    (outcome,) = topic.drain(engine)
    assert_rows_tell(engine, told, len(told.lines))
    assert (outcome.updates_applied, outcome.entries, outcome.milestones) == (1, 7, 2)
    (entry, *_) = rows(engine, "ledger_entries")
    assert entry["occurred_at"].utcoffset() is not None
    with engine.connect() as connection:
        days = connection.execute(text("SELECT SUM(pledged_minor) FROM day_totals")).scalar_one()
    assert int(days) == told.totals(len(told.lines)).pledged_minor


def test_an_update_seen_again_changes_nothing(engine: Engine) -> None:
    """A worker that crashed says the same again: rows stay, and it is counted as known."""
    told, topic = story(), FakePartition()
    update = told.update(0, len(told.lines))
    topic.say(update)
    topic.drain(engine)
    before = everything(engine)
    topic.say(update, told.update(0, 3))
    (outcome,) = topic.drain(engine)
    assert everything(engine) == before
    assert (outcome.updates_applied, outcome.updates_known, outcome.entries) == (0, 2, 0)


def test_of_an_update_that_begins_below_the_position_only_what_is_above_it_is_applied(engine: Engine) -> None:
    """Two workers cut the same story differently for a while."""
    told, topic = story(), FakePartition()
    end = len(told.lines)
    topic.say(told.update(0, 3), told.update(1, 5), told.update(2, end), told.update(4, end))
    topic.drain(engine)
    assert_rows_tell(engine, told, end)


@pytest.mark.parametrize("records_max", [1, 2, 1_000])
def test_parts_of_a_cut_update_apply_one_after_the_other(engine: Engine, records_max: int) -> None:
    """Whether they come in one transaction or in several; between them the totals are those of the part."""
    told, topic = story(facts=9), FakePartition()
    end = len(told.lines)
    cuts = [0, 2, 5, 6, end]
    topic.say(*[told.update(start, stop, complete=stop == end) for start, stop in pairwise(cuts)][:-1])
    topic.drain(engine, records_max)
    assert_rows_tell(engine, told, 6)
    assert rows(engine, "campaign_totals")[0]["complete"] is False
    topic.say(told.update(6, end))
    topic.drain(engine, records_max)
    assert_rows_tell(engine, told, end)
    assert rows(engine, "campaign_totals")[0]["complete"] is True


def test_an_update_above_the_position_is_a_gap_and_a_re_emission_repairs_it(engine: Engine) -> None:
    """The campaign is marked with the first gap's offset and stays as it is; others go on."""
    told, other, topic = story(), story("other-film", first_offset=1), FakePartition()
    end = len(told.lines)
    topic.say(told.update(0, 2), told.update(3, 4), told.update(4, 5), other.update(0, 3))
    (outcome,) = topic.drain(engine)
    assert [(gap.kind, gap.first) for gap in outcome.gaps] == [("missed", True), ("missed", False)]
    assert_rows_tell(engine, told, 2)
    assert_rows_tell(engine, other, 3)
    marks = {row["campaign_id"]: row["gap_offset"] for row in rows(engine, "campaign_totals")}
    assert marks == {"les-anges": told.position(3).offset, "other-film": None}
    topic.say(told.update(5, end))
    (outcome,) = topic.drain(engine)
    assert [gap.first for gap in outcome.gaps] == [False]
    assert rows(engine, "campaign_totals")[0]["gap_offset"] == told.position(3).offset
    topic.say(told.update(0, 2))
    topic.drain(engine)
    assert rows(engine, "campaign_totals")[0]["gap_offset"] is not None
    topic.say(told.update(0, end))
    topic.drain(engine)
    assert_rows_tell(engine, told, end)
    assert rows(engine, "campaign_totals")[0]["gap_offset"] is None


def test_a_campaign_that_begins_with_a_gap_is_marked_with_zeros(engine: Engine) -> None:
    """Its first update here is not its first: nothing is shown of it until it is re-emitted."""
    told, topic = story(), FakePartition()
    topic.say(told.update(2, 4))
    topic.drain(engine)
    assert_rows_tell(engine, told, 0)
    topic.say(told.update(0, 4))
    topic.drain(engine)
    assert_rows_tell(engine, told, 4)


def test_totals_that_are_not_ours_plus_the_entries_are_never_shown(engine: Engine) -> None:
    """Two numbers that should be equal never differ: the update is taken as a gap."""
    told, topic = story(), FakePartition()
    topic.say(told.update(0, 3))
    good = told.update(3, 5)
    line = good.entries[0]
    topic.say_bytes(encoder.encode(good).replace(b'"pledged_minor":%d' % line.pledged_minor, b'"pledged_minor":1', 1))
    outcome = topic.drain(engine)[-1]
    assert [gap.kind for gap in outcome.gaps] == ["disagreeing"]
    assert_rows_tell(engine, told, 3)


def test_a_circle_that_an_update_no_longer_names_has_nothing(engine: Engine) -> None:
    """All its money moved to another circle."""
    told = Story("les-anges", [Fact(0, 3, 500, 500)])
    moved = Story("les-anges", [Fact(0, 3, 500, 500), Fact(0, 3, -500, -500), Fact(0, 0, 500, 500)])
    topic = FakePartition()
    update = moved.update(2, 4)
    update.totals.circles[:] = [circle for circle in update.totals.circles if circle.pledged_minor]
    topic.say(told.update(0, 2), update)
    topic.drain(engine)
    assert_rows_tell(engine, moved, 4)


def test_progress_only_rises(engine: Engine) -> None:
    """Two workers may say progress out of order; the greatest of each counts, also beyond 32 bits."""
    topic = FakePartition()
    topic.say(progress(5, dead_letters=7), progress(2**40, dead_letters=3))
    topic.drain(engine)
    topic.say(progress(9, dead_letters=8))
    topic.drain(engine)
    (row,) = rows(engine, "sink_positions")
    assert (row["log_next_offset"], row["dead_letters_next_offset"], row["next_offset"]) == (2**40, 8, 3)


@pytest.mark.parametrize("together", [True, False])
def test_progress_of_another_log_ends_the_sink(engine: Engine, *, together: bool) -> None:
    """Positions belong to one log: nothing of the batch is applied, in one batch with the first or later."""
    told, topic = story(), FakePartition()
    topic.say(told.update(0, 2), progress(3))
    if not together:
        topic.drain(engine)
    topic.say(told.update(2, 4), progress(5, log_id="22222222-2222-2222-2222-222222222222"))
    before = everything(engine)
    with pytest.raises(OtherLogError, match="belong to the log with id 11111111"):
        topic.drain(engine)
    assert everything(engine) == before


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b'{"type":"cercles.update"}',
        encoder.encode(progress(1, partition=3)),
        encoder.encode(msgspec.to_builtins(story().update(2, 4)) | {"entries": [{"offset": 2, "number": 0}]}),
    ],
    ids=["nothing", "empty", "not UTF-8", "not an object", "no fields", "another partition", "entries with names"],
)
def test_a_record_of_our_own_topic_that_is_no_update_ends_the_sink(engine: Engine, value: bytes | None) -> None:
    """It is never skipped: what stands before and after it in the batch is not applied either."""
    told, topic = story(), FakePartition()
    topic.say(told.update(0, 2))
    topic.say_bytes(value)
    with pytest.raises(UnreadableUpdateError, match="offset 1"):
        topic.drain(engine)
    assert everything(engine)["campaign_totals"] == []
    assert topic.position(engine) == 0


def test_nul_in_a_text_does_not_stop_the_sink(engine: Engine) -> None:
    """PostgreSQL's text can't hold it, so on both databases U+FFFD stands for it; a backslash before u0000 stays."""
    topic = FakePartition()
    value = encoder.encode(story().update(0, 2)).replace(b"Les Anges Anonymes", rb"Les\u0000Anges \\u0000 \\\u0000")
    topic.say_bytes(value)
    topic.drain(engine)
    assert rows(engine, "campaigns")[0]["title"] == "Les\ufffdAnges \\u0000 \\\ufffd"


def test_a_topic_made_again_is_not_the_one_the_positions_belong_to(engine: Engine) -> None:
    """The same name with another id stops the sink instead of mixing two stories."""
    place = FakePartition().place
    assert positions.read(engine, [place], TOPIC_IDS) == {place: 0}
    with pytest.raises(OtherTopicError, match="deleted and made again"):
        positions.read(engine, [place], {place.topic: "another"})


def test_a_stale_sink_writes_nothing(engine: Engine) -> None:
    """A batch whose position another sink has passed is given up whole."""
    told, topic = story(), FakePartition()
    topic.say(told.update(0, 2), told.update(2, 4))
    stale = topic.batch(engine, 1)
    topic.drain(engine)
    before = everything(engine)
    with pytest.raises(StalePositionError):
        apply(engine, stale)
    assert everything(engine) == before


def _of_two_partitions(engine: Engine) -> tuple[list[Story], list[FakePartition]]:
    """Return the stories of two campaigns, each half told and stored, the rest said."""
    stories = [story(f"film-{number}", partition=number) for number in range(2)]
    topics = [FakePartition(partition=number) for number in range(2)]
    for told, topic in zip(stories, topics, strict=True):
        topic.say(told.update(0, 3), progress(4, partition=told.partition))
        topic.drain(engine)
        topic.say(told.update(3, len(told.lines)), progress(20, partition=told.partition))
    return stories, topics


def test_partitions_share_a_transaction(engine: Engine) -> None:
    """One commit stores what several partitions said, and moves the position of each; their order does not matter."""
    stories, topics = _of_two_partitions(engine)
    outcome = apply(engine, *[topic.batch(engine) for topic in reversed(topics)])
    assert outcome.updates_applied == len(stories)
    for told, topic in zip(stories, topics, strict=True):
        assert_rows_tell(engine, told, len(told.lines))
        assert topic.position(engine) == len(topic.records)
    assert {row["log_next_offset"] for row in rows(engine, "sink_positions")} == {20}


def test_a_batch_that_another_sink_has_applied_takes_its_whole_transaction_back(engine: Engine) -> None:
    """Nothing of the partitions beside it is written either: each is read again from where the database is."""
    _, topics = _of_two_partitions(engine)
    batches = [topic.batch(engine) for topic in topics]
    topics[1].drain(engine)
    before = everything(engine), rows(engine, "sink_positions")
    with pytest.raises(StalePositionError, match="partition 1"):
        apply(engine, *batches)
    assert (everything(engine), rows(engine, "sink_positions")) == before


def test_what_does_not_go_together_is_no_transaction(engine: Engine) -> None:
    """Two batches of one partition, two topics, a topic that nobody knows, and no batch at all."""
    record = FakeRecord(0, b"")
    one, letters, other = (Batch(name, 0, 0, [record]) for name in (UPDATES.name, DEAD_LETTERS.name, "other"))
    apart = Batch(DEAD_LETTERS.name, 1, 0, [record])
    for batches in ((one, one), (one, apart), (other,), (), (one, letters), (Batch(UPDATES.name, 0, 1, [record]),)):
        with pytest.raises(ValueError, match=r"batch|topic"):
            apply(engine, *batches)


def test_two_sinks_that_apply_the_same_at_once_apply_it_once(migrated_url: str) -> None:
    """Whatever the order in which they get the lock, one wins each batch and the other finds the position moved."""
    told, topic = story(facts=30), FakePartition()
    topic.say(*[told.update(line, line + 1) for line in range(len(told.lines))])
    fenced: list[int] = []
    failures: list[BaseException] = []
    start = threading.Barrier(2)

    def sink() -> None:
        engine = writing_engine(migrated_url)
        try:
            start.wait(10)
            while (position := topic.position(engine)) < len(topic.records):
                try:
                    apply(engine, Batch(topic.place.topic, 0, position, topic.records[position : position + 2]))
                except StalePositionError:
                    fenced.append(position)
        except BaseException as error:  # noqa: BLE001 - the test itself must tell
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=sink) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    engine = writing_engine(migrated_url)
    assert_rows_tell(engine, told, len(told.lines))
    assert topic.position(engine) == len(topic.records)
    engine.dispose()


class CrashError(Exception):
    """The process ends here."""


@contextmanager
def _crash_at(engine: Engine, statement: int) -> Iterator[list[str]]:
    seen: list[str] = []

    def before(_connection: Any, _cursor: Any, words: str, *_: Any) -> None:
        seen.append(words)
        if len(seen) == statement:
            raise CrashError

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", before)


def test_a_crash_between_any_two_statements_leaves_nothing_half_done(engine: Engine) -> None:
    """Before every statement of the transaction in turn; then the same batch applies whole."""
    told, topic = story(), FakePartition()
    topic.say(told.update(0, 2), progress(3))
    topic.drain(engine)
    topic.say(told.update(2, len(told.lines)), story("new", first_offset=40).update(0, 3), progress(50))
    before, batch = (everything(engine), rows(engine, "sink_positions")), topic.batch(engine)
    for statement in range(1, 30):
        with _crash_at(engine, statement) as seen:
            try:
                apply(engine, batch)
            except CrashError:
                assert (everything(engine), rows(engine, "sink_positions")) == before
                continue
        assert len(seen) >= 6
        break
    else:
        pytest.fail("the transaction has more statements than expected")
    assert_rows_tell(engine, told, len(told.lines))


def test_a_crash_just_before_commit_leaves_nothing_half_done(engine: Engine) -> None:
    """Everything is written by then, the bulk rows too, and nothing of it stays."""
    told, topic = story(), FakePartition()
    topic.say(told.update(0, len(told.lines)))
    batch = topic.batch(engine)
    before = (everything(engine), rows(engine, "sink_positions"))

    def committing(_connection: Any) -> None:
        raise CrashError

    event.listen(engine, "commit", committing)
    with pytest.raises(CrashError):
        apply(engine, batch)
    event.remove(engine, "commit", committing)
    assert (everything(engine), rows(engine, "sink_positions")) == before
    apply(engine, batch)
    assert_rows_tell(engine, told, len(told.lines))


def test_the_first_statement_moves_the_position(engine: Engine) -> None:
    """It takes the lock before anything is read (DESIGN 5.4); on SQLite the transaction begins with the write lock."""
    topic = FakePartition()
    topic.say(story().update(0, 2))
    batch = topic.batch(engine)
    with _crash_at(engine, 0) as seen:
        apply(engine, batch)
    if engine.dialect.name == "sqlite":
        assert seen.pop(0) == "BEGIN IMMEDIATE"
    assert seen[0].startswith("UPDATE sink_positions SET")


@st.composite
def _stories(draw: st.DrawFn) -> list[Story]:
    facts = st.lists(
        st.builds(
            Fact, st.integers(0, 3), st.integers(0, 3), st.integers(-900, 900), st.integers(-900, 900), st.booleans()
        ),
        max_size=6,
    )
    return [
        Story(f"campaign-{number}", draw(facts), first_offset=number, step=2)
        for number in range(draw(st.integers(1, 2)))
    ]


@pytest.fixture
def drained(engine: Engine) -> Callable[[FakePartition, list[int]], None]:
    def drain(topic: FakePartition, sizes: list[int]) -> None:
        for size in sizes:
            batch = topic.batch(engine, size)
            if batch.records:
                apply(engine, batch)
        topic.drain(engine)

    return drain


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_updates_in_any_batches_give_what_a_naive_reader_has(
    engine: Engine, drained: Callable[[FakePartition, list[int]], None], data: st.DataObject
) -> None:
    """Replays, prefixes, suffixes, overlaps and gaps: a reader of one line at a time comes to the same rows."""
    empty(engine)
    stories = data.draw(_stories())
    topic, reached, seen, gaps = FakePartition(), [0] * len(stories), set[int](), set[int]()
    for _ in range(data.draw(st.integers(0, 10))):
        number = data.draw(st.integers(0, len(stories) - 1))
        lines = len(stories[number].lines)
        start = data.draw(st.integers(0, lines - 1))
        end = data.draw(st.integers(start + 1, lines))
        topic.say(stories[number].update(start, end))
        if end > reached[number] or reached[number] > 0:
            seen.add(number)
        if end > reached[number] >= start:
            reached[number] = end
            gaps.discard(number)
        elif start > reached[number]:
            gaps.add(number)
    drained(topic, data.draw(st.lists(st.integers(1, 4), max_size=5)))
    marks = {row["campaign_id"]: row["gap_offset"] is not None for row in rows(engine, "campaign_totals")}
    assert marks == {stories[number].campaign_id: number in gaps for number in seen}
    for number in seen:
        assert_rows_tell(engine, stories[number], reached[number])


def test_a_new_partition_begins_at_offset_0_once(engine: Engine) -> None:
    """Asking again neither adds rows nor takes a position back."""
    places = [TopicPartition("cercles.dead-letters", 1), TopicPartition("cercles.campaign-updates", 0)]
    assert positions.read(engine, places, TOPIC_IDS) == dict.fromkeys(places, 0)
    topic = FakePartition()
    topic.say(progress(1))
    topic.drain(engine)
    assert positions.read(engine, places, TOPIC_IDS) == {places[0]: 0, places[1]: 1}
    assert len(rows(engine, "sink_positions")) == 2
    assert positions.read(engine, [], TOPIC_IDS) == {}


def test_many_pledges_at_once_replace_those_that_stand(engine: Engine) -> None:
    """The bulk path of rows that are replaced: new ones and changed ones in one transaction, twice."""
    pledges = COPIED_ROWS_MIN + 20
    told = Story(
        "les-anges",
        [Fact(number, number % 4, 100, 0) for number in range(pledges)]
        + [Fact(number, number % 4, 50, 50) for number in range(pledges + 30)],
    )
    topic = FakePartition()
    topic.say(told.update(0, pledges + 1))
    topic.drain(engine)
    assert_rows_tell(engine, told, pledges + 1)
    topic.say(told.update(pledges + 1, len(told.lines)))
    topic.drain(engine)
    assert_rows_tell(engine, told, len(told.lines))
    (row,) = [row for row in rows(engine, "pledges") if row["pledge_id"] == "pledge-7"]
    assert row == {"campaign_id": "les-anges"} | msgspec.structs.asdict(told.pledge("pledge-7", len(told.lines)))


def test_entries_are_copied_while_updates_are_planned(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of updates that are new, known, new in part, or behind a gap: every entry once."""
    monkeypatch.setattr("sinks.bulk.COPIED_ROWS_MIN", 1)
    told, other, topic = story(facts=9), story("other-film", first_offset=1), FakePartition()
    topic.say(told.update(0, 3), told.update(0, 3), told.update(1, 5), other.update(1, 3), told.update(4, 6))
    (outcome,) = topic.drain(engine)
    assert (outcome.updates_applied, outcome.updates_known, len(outcome.gaps)) == (3, 1, 1)
    assert outcome.entries == len(told.entries(0, 6))
    assert_rows_tell(engine, told, 6)
    assert_rows_tell(engine, other, 0)


@pytest.mark.parametrize("copied_rows_min", [1, COPIED_ROWS_MIN])
def test_an_entry_that_stands_already_although_its_campaign_does_not_leaves_everything_as_it_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, copied_rows_min: int
) -> None:
    """Somebody else has written to the tables: the database refuses, and the position has not moved."""
    monkeypatch.setattr("sinks.bulk.COPIED_ROWS_MIN", copied_rows_min)
    told, topic = story(), FakePartition()
    topic.say(told.update(0, 2), told.update(2, 4))
    apply(engine, topic.batch(engine, records_max=1))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE ledger_entries SET log_offset = :taken WHERE log_offset > 0"),
            {"taken": told.position(3).offset},
        )
    before = everything(engine)
    with pytest.raises(DatabaseErrors):
        apply(engine, topic.batch(engine))
    assert everything(engine) == before
    assert topic.position(engine) == 1


@pytest.mark.parametrize("copied_rows_min", [1, 2])
def test_the_same_rows_stand_whatever_the_way_in(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, copied_rows_min: int
) -> None:
    """On both databases, by COPY and as a document: nothing, text and moments included."""
    monkeypatch.setattr("sinks.bulk.COPIED_ROWS_MIN", copied_rows_min)
    update: Update = story().update(0, 1)
    entry: Entry = update.entries[0]
    topic = FakePartition()
    topic.say(update)
    topic.drain(engine)
    (row,) = rows(engine, "ledger_entries")
    assert row == {
        "partition_number": 0,
        "log_offset": entry.offset,
        "entry_number": 0,
        "campaign_id": "les-anges",
        "event_id": entry.event_id,
        "event_type": entry.event_type,
        "occurred_at": entry.occurred_at,
        "pledge_id": None,
        "circle": None,
        "day": None,
        "pledged_minor": 0,
        "collected_minor": 0,
        "reward_exhausted": False,
    }
