"""What every event gets at the edge: who vouches for it, and pseudonyms in place of people's ids."""

from typing import Final

import msgspec

from producers.pseudonyms import Pseudonyms
from schemas.events import (
    CampaignLaunchedData,
    Data,
    Event,
    PledgeAuthorizedData,
    PledgeCapturedData,
    SharePostedData,
)

PERSONS: Final[dict[type[Data], str]] = {
    CampaignLaunchedData: "owner_id",
    PledgeAuthorizedData: "backer_id",
    PledgeCapturedData: "backer_id",
    SharePostedData: "sharer_id",
}
"""The field of each kind of event that names a person."""


def seal(event: Event, source: str, pseudonyms: Pseudonyms) -> Event:
    """Return the event as coming from `source`, whatever it says itself, and with a pseudonym for the person in it."""
    data = event.data
    field = PERSONS.get(type(data))
    person = None if field is None else getattr(data, field)
    if field is not None and person is not None:
        data = msgspec.structs.replace(data, **{field: pseudonyms.of(person)})
    return msgspec.structs.replace(event, source=source, data=data)
