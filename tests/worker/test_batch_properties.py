"""What is true of the updates of every story, however it is cut into batches."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import encode
from schemas.tables import campaign_totals
from schemas.updates import BEFORE_EVERYTHING, Update, decoder
from sinks.plan import Plan
from stream_processors.ledger.batch import Batch
from stream_processors.ledger.state import PartitionState
from tests.ledger.strategies import Story, retellings, stories
from tests.worker.test_lane import FakeRecord


@given(st.data(), stories())
def test_updates_lead_on_from_each_other_and_a_database_takes_them_all(data: st.DataObject, story: Story) -> None:
    """Each ends above where it begins, where the next one begins; so none is taken for known, and none for a gap."""
    events = [story.launch, *data.draw(retellings(story))]
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=4).map(sorted))
    state, plan, reached = PartitionState(), Plan({}), BEFORE_EVERYTHING
    for first, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        batch = Batch(state, partition=0, topic="log", partition_of=lambda _: 0)
        records = [FakeRecord(offset, encode(events[offset]), b"c0") for offset in range(first, end)]
        for _, value in batch.fold(records).updates:
            update = decoder.decode(value)
            assert isinstance(update, Update)
            assert reached == update.before < update.after
            reached = update.after
            plan.add(update)
            assert (plan.known, plan.gaps) == (0, [])
    (written,) = plan.campaign_totals()
    row = dict(zip(campaign_totals.columns.keys(), written, strict=True))
    totals = state.campaigns["c0"].totals()
    assert (row["pledged_minor"], row["collected_minor"]) == (totals.pledged_minor, totals.collected_minor)
    assert (row["position_offset"], row["position_number"]) == (reached.offset, reached.number)
