"""Which captures go the shorter way. That it leads to the same place: test_properties.py."""

from typing import Any
from unittest import mock

import pytest

from schemas.events import PledgeCaptured
from stream_processors.ledger import fold
from stream_processors.ledger.first_captures import fold_first_capture
from tests.ledger.events import CLOSES, NOON, authorize, capture, launch, share
from tests.ledger.log import Log


@pytest.mark.parametrize(
    ("event", "short"),
    [
        pytest.param(capture("p1", 1000), True, id="plain"),
        pytest.param(capture("p1", 1000, final=False), True, id="not final"),
        pytest.param(capture("p1", 1000, share_token="t0", backer_id="backer-02"), True, id="by a link"),
        pytest.param(capture("p1", 1000, share_token="t0", backer_id="backer-01"), False, id="by one's own link"),
        pytest.param(capture("p1", 1000, share_token="t2"), False, id="by a link without a circle"),
        pytest.param(capture("p1", 1000, share_token="t9"), False, id="by an unknown link"),
        pytest.param(capture("p1", 1000, at=CLOSES), False, id="late"),
        pytest.param(capture("p1", 1000, at=CLOSES, made_at=NOON), True, id="heard of late"),
        pytest.param(capture("p1", 1000, reward_id="r0"), False, id="with a reward"),
        pytest.param(capture("p0", 1000), False, id="of a known pledge"),
    ],
)
def test_only_plain_first_captures_go_the_short_way(event: PledgeCaptured, *, short: bool) -> None:
    """Own links, links without a circle, lateness, rewards and known pledges need all of the rules."""
    log = Log(launch(), share("t0", sharer="backer-01"), share("t2", parent="t1"), authorize("p0", 1000))
    taken: list[bool] = []

    def way(*capture_of: Any) -> bool:
        taken.append(fold_first_capture(*capture_of))
        return taken[-1]

    with mock.patch.object(fold, "fold_first_capture", way):
        outcome = log.append(event)
    assert taken == [short]
    assert outcome.refusal is None
    assert len(outcome.entries) == 1
