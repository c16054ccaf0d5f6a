"""A few of the faults, with everything else as in `make faults`, so that the test run covers the way there too."""

import json

import pytest

from tests.faults.run import catalog, run
from tests.faults.table import as_json

SEED = 20_260_401
FAULTS = ("worker.outputs_acknowledged", "resolver.outputs_acknowledged", "cut after COMMIT")


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_counted_twice() -> None:
    """A worker killed at the worst moment, and a COMMIT whose answer never came."""
    faults = [fault for fault in catalog() if any(name in fault.name for name in FAULTS)]
    report = run(faults, SEED, short=True)
    assert report.complaints == []
    for row in report.rows:
        assert (row.lost, row.duplicated) == (0, 0)
        assert row.accepted == row.applied + row.dead > 0
        assert row.times >= 1
    assert [row["fault"] for row in json.loads(as_json(report.rows))] == [fault.name for fault in faults]


def test_every_fault_has_a_name_of_its_own() -> None:
    """`--only` and the table tell them apart."""
    names = [fault.name for fault in catalog()]
    assert len(names) == len(set(names))
