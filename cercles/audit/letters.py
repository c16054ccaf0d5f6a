"""Holds the dead letters that are of no event of the campaigns' log against their topic: a gateway's, unreadable ones,
and the resolver's.
"""

from typing import Any, Final

from sqlalchemy import Connection

from cercles.audit import stored
from cercles.audit.comparison import differing
from cercles.audit.report import Difference, Findings
from cercles.topic_reader import TopicReader
from schemas.topics import DEAD_LETTERS, PAYMENTS
from sinks.dead_letters import rows
from sinks.records import Batch

_EVERYTHING: Final = 2**63 - 1
"""Above every offset."""


def compare_placeless(connection: Connection, reader: TopicReader, partition: int, findings: Findings) -> None:
    """Compare the rows that the fold of the campaigns' log knows nothing of, below what the sink has read.

    A gateway's and an unreadable one stand for their own place, the resolver's for that of the refused event. Raises
    StretchMissingError when the topic ends below that.
    """
    end = stored.standing(connection, partition).letters_next_offset
    of_payments: dict[int, Any] = {}
    start = 0
    for records, position in reader.read(DEAD_LETTERS, partition, 0, end):
        own: dict[int, Any] = {}
        for row in rows(Batch(DEAD_LETTERS.name, partition, 0, records)):
            if row["topic"] == DEAD_LETTERS.name:
                own[row["record_offset"]] = row
            elif row["topic"] == PAYMENTS.name and row["partition_number"] == partition:
                of_payments.setdefault(row["record_offset"], row)  # said again, it is the same
        found = stored.letters(connection, DEAD_LETTERS.name, stored.Events(partition, start, position))
        _compare(DEAD_LETTERS.name, partition, own, found, findings)
        start = position
    found = stored.letters(connection, PAYMENTS.name, stored.Events(partition, 0, _EVERYTHING))
    _compare(PAYMENTS.name, partition, of_payments, found, findings)


def _compare(topic: str, partition: int, wanted: dict[int, Any], found: dict[int, Any], findings: Findings) -> None:
    for offset, row in wanted.items():
        findings.counts.dead_letters += 1
        at = f"{topic}:{partition}:{offset}"
        kept = found.pop(offset, None)
        if kept is None:
            findings.add(Difference(kind="missing", what=f"dead letter ({row['reason']}) at {at}"))
            continue
        for column, database, log in differing(kept, {name: row[name] for name in ("reason", "key", "value")}):
            findings.add(
                Difference(kind="differs", what=f"dead letter at {at}", column=column, database=database, log=log)
            )
    for offset in found:
        findings.add(Difference(kind="unexpected", what=f"dead letter at {topic}:{partition}:{offset}"))
