"""The whole audit: every partition, then what belongs to none."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct
from sqlalchemy import Engine

from cercles.audit import stored
from cercles.audit.letters import compare_placeless
from cercles.audit.partition import PartitionAudit, ProgressShown, Stretch
from cercles.audit.payments import PaymentIndex
from cercles.audit.report import Difference, Findings, Report
from cercles.command_errors import AskedWronglyError
from cercles.topic_reader import TopicReader, partitioner
from schemas.topics import LOG
from stream_processors.ledger.batch import FOLD_VERSION

CAMPAIGNS_IN_WORDS: Final = 5


class Scope(Struct, frozen=True, kw_only=True):
    """What is to be audited: everything; one campaign; or only events from a position on, by partition."""

    campaign_id: str | None = None
    since: Mapping[int, int] = {}

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.campaign_id is None and not self.since


class UnknownPartitionError(AskedWronglyError):
    """A position names a partition that the log does not have."""


def audit(
    engine: Engine,
    reader: TopicReader,
    scope: Scope,
    *,
    show_progress: ProgressShown,
    show_difference: Callable[[Difference], None] | None = None,
) -> Report:
    """Refold the log and compare the database with it. Reads only; joins no group; commits nothing.

    Raises UnknownPartitionError, OtherLogError, StretchMissingError, Kafka's errors and the database's.
    """
    log_id, partitions = reader.describe(LOG)
    findings = Findings(FOLD_VERSION, show_difference)
    partition_of = partitioner(partitions)
    audit_of_partition = PartitionAudit(engine, reader, log_id, partition_of, findings)
    with PaymentIndex() as payments:
        for stretch in _stretches(scope, partitions, partition_of):
            state = audit_of_partition.run(stretch, show_progress)
            payments.add(state.campaigns.values())
            findings.counts.partitions += 1
        if scope.whole:
            _compare_payments(payments, findings)
            _compare_rest(engine, reader, partitions, findings)
        else:
            findings.note("payments in two campaigns are looked for only when the whole log is audited")
    return findings.report


def _stretches(scope: Scope, partitions: int, partition_of: Callable[[bytes], int]) -> list[Stretch]:
    for partition in scope.since:
        if not 0 <= partition < partitions:
            raise UnknownPartitionError(f"the log has no partition {partition}: it has 0 to {partitions - 1}")
    if scope.campaign_id is not None:
        home = partition_of(scope.campaign_id.encode())
        return [Stretch(partition=home, campaign_id=scope.campaign_id, since=scope.since.get(home, 0))]
    if scope.since:
        return [Stretch(partition=partition, since=offset) for partition, offset in sorted(scope.since.items())]
    return [Stretch(partition=partition) for partition in range(partitions)]


def _compare_payments(payments: PaymentIndex, findings: Findings) -> None:
    for kind, payment_id, campaign_ids in payments.in_two_campaigns():
        named = ", ".join(campaign_ids[:CAMPAIGNS_IN_WORDS])
        more = f" and {len(campaign_ids) - CAMPAIGNS_IN_WORDS} more" if len(campaign_ids) > CAMPAIGNS_IN_WORDS else ""
        findings.add(Difference(kind="payment_in_two_campaigns", what=f"{kind} {payment_id} counts in {named}{more}"))


def _compare_rest(engine: Engine, reader: TopicReader, partitions: int, findings: Findings) -> None:
    """Compare what belongs to no event or campaign of the log."""
    for partition in range(partitions):
        with engine.connect() as connection, connection.begin():
            compare_placeless(connection, reader, partition, findings)
    with engine.connect() as connection, connection.begin():
        for table, campaign_id in stored.orphans(connection):
            findings.add(
                Difference(
                    kind="unexpected", what=f"rows of {table} of a campaign without totals", campaign_id=campaign_id
                )
            )
        for partition in sorted(stored.partitions_with_rows(connection) - set(range(partitions))):
            findings.add(Difference(kind="unexpected", what=f"campaigns of partition {partition}, which the log lacks"))
