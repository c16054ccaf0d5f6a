"""The events of the log: what is written is read back, and valid under its schema."""

import json

import msgspec
import pytest
from hypothesis import given

from schemas.events import EVENT_TYPES, Decoding, encode, type_name
from tests.ledger.events import authorize, launch, share
from tests.ledger.strategies import Story, stories
from tests.schemas.json_schemas import is_valid

DOOR_TYPES = {name for name in EVENT_TYPES if name.startswith(("cercles.pledge.", "cercles.share."))}


@given(stories())
def test_what_is_written_is_read_back_and_valid(story: Story) -> None:
    """For every event of every story, by the decoder and by the JSON Schema of its type."""
    for event in (story.launch, *story.events):
        content = encode(event)
        assert Decoding.log.decode(content) == event
        assert is_valid(type_name(event), json.loads(content))


def test_what_is_absent_is_left_out() -> None:
    """Defaults are not written, but for `specversion`, which every CloudEvent needs."""
    written = json.loads(encode(authorize("p", 5)))
    assert set(written) == {"type", "data", "specversion", "id", "source", "time"}
    assert set(written["data"]) == {"campaign_id", "pledge_id", "authorization_id", "amount_minor", "currency"}


def test_the_door_takes_pledges_and_shares_only() -> None:
    """A source can neither change a campaign nor say what only the ledger says."""
    assert Decoding.door.decode(encode(authorize("p", 5))) == authorize("p", 5)
    assert Decoding.door.decode(encode(share("t"))) == share("t")
    with pytest.raises(msgspec.ValidationError):
        Decoding.door.decode(encode(launch()))
    assert len(DOOR_TYPES) == 9


@pytest.mark.parametrize("decoder", [Decoding.log, Decoding.door])
@pytest.mark.parametrize("derived", ["goal.reached", "goal.lost", "campaign.succeeded", "milestone.passed", "update"])
def test_derived_types_are_refused(decoder: "msgspec.json.Decoder[object]", derived: str) -> None:
    """At every door, and on the log."""
    document = json.loads(encode(authorize("p", 5))) | {"type": f"cercles.{derived}"}
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(json.dumps(document).encode())


def test_extension_attributes_are_kept_out_of_the_way() -> None:
    """Tracing may add its own; what we do not know we do not keep."""
    document = json.loads(encode(authorize("p", 5))) | {"traceparent": "00-0af7-b7ad-01", "partitionkey": "x"}
    assert Decoding.log.decode(json.dumps(document).encode()) == authorize("p", 5)
