"""Holds the dead letters that name no event, a gateway's and unreadable ones, against their topic."""

from sqlalchemy import Connection

from cercles.audit import stored
from cercles.audit.comparison import differing
from cercles.audit.report import Difference, Findings
from cercles.topic_reader import TopicReader
from schemas.topics import DEAD_LETTERS
from sinks.dead_letters import rows
from sinks.records import Batch


def compare_placeless(connection: Connection, reader: TopicReader, partition: int, findings: Findings) -> None:
    """Compare the rows that stand for places among the dead letters themselves, below what the sink has read.

    Raises StretchMissingError when the topic ends below that.
    """
    end = stored.standing(connection, partition).letters_next_offset
    start = 0
    for records, position in reader.read(DEAD_LETTERS, partition, 0, end):
        found = stored.letters(connection, DEAD_LETTERS.name, stored.Events(partition, start, position))
        start = position
        for row in rows(Batch(DEAD_LETTERS.name, partition, 0, records)):
            if row["topic"] != DEAD_LETTERS.name:
                continue  # an event's: the fold says what it must be
            findings.counts.dead_letters += 1
            at = f"{DEAD_LETTERS.name}:{partition}:{row['record_offset']}"
            kept = found.pop(row["record_offset"], None)
            if kept is None:
                findings.add(Difference(kind="missing", what=f"dead letter ({row['reason']}) at {at}"))
                continue
            for column, database, log in differing(kept, {name: row[name] for name in ("reason", "key", "value")}):
                findings.add(
                    Difference(kind="differs", what=f"dead letter at {at}", column=column, database=database, log=log)
                )
        for offset in found:
            at = f"{DEAD_LETTERS.name}:{partition}:{offset}"
            findings.add(Difference(kind="unexpected", what=f"dead letter at {at}"))
