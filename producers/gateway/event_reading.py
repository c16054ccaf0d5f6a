"""Bytes of a source become events of ours, or the first fault in them is named."""

from datetime import datetime
from typing import Any, Final

import msgspec

from producers.gateway.bodies import EVENT_BYTES_MAX
from producers.gateway.problems import Problem, invalid
from producers.gateway.strict_json import NotJsonError, parse
from schemas.events import Decoding, Event
from schemas.strictness import Fault, fault_of, first_fault

_batch: Final = msgspec.json.Decoder(list[msgspec.Raw])


def read_event(body: bytes, now: datetime) -> Event:
    """Return the one event that a body holds. Raises Problem: 400 when it is not JSON, 422 for what it may not say."""
    parse_json(body)
    return _event(body, "", now)


def read_batch(body: bytes, now: datetime) -> list[Event]:
    """Return the events of a batch, all or none.

    Raises Problem: 400 when the body is not JSON, 413 for an event too large for one, 422 for what it may not say.
    """
    if not isinstance(parse_json(body), list):
        raise invalid(Fault("", "a batch is an array of events"))
    events = []
    for index, raw in enumerate(_batch.decode(body)):
        if memoryview(raw).nbytes > EVENT_BYTES_MAX:
            raise Problem("too_large", f"Event {index} is larger than {EVENT_BYTES_MAX} bytes.", pointer=f"/{index}")
        events.append(_event(raw, f"/{index}", now))
    return events


def parse_json(body: bytes) -> Any:
    """Return what the body says, as plain values. Raises Problem (400) when it is not strict JSON."""
    try:
        return parse(body)
    except NotJsonError as error:
        raise Problem("not_json", f"The body is not the JSON that this door takes: {error}.") from None


def _event(raw: bytes | msgspec.Raw, place: str, now: datetime) -> Event:
    try:
        event = Decoding.door.decode(raw)
    except msgspec.ValidationError as error:
        fault = fault_of(error)
        raise invalid(Fault(place + fault.pointer, fault.detail)) from None
    broken = first_fault(event, now)
    if broken is not None:
        raise invalid(Fault(place + broken.pointer, broken.detail))
    return event
