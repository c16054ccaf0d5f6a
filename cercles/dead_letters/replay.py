"""Sends dead letters to their log again, as they were. Facts have ids, so sending one twice changes nothing.

The decision is taken down after the broker has the record: a command that is killed in between leaves the letter open,
and replaying it again is harmless.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Engine

from cercles.command_errors import AskedWronglyError
from cercles.dead_letters.letters import Choice, Letter, LogPlace, highest_id, in_order, resolve
from producers.blocking import BlockingPublisher
from producers.publishing import Record
from schemas.topics import DEAD_LETTERS

WEBHOOK_REASONS: Final = frozenset({"unreadable_webhook", "unsupported_event", "unmappable_payment"})
"""`producers.refusals.UnmappableReason`: what a payment gateway sent and no event could be made of."""


class Replayed(Struct, frozen=True):
    """A dead letter that was sent again, and where it stands now."""

    letter: Letter
    place: LogPlace


class CannotReplayError(AskedWronglyError):
    """Some of the letters named can't be sent again; none was sent."""


def obstacle(letter: Letter) -> str | None:
    """Return why a letter can't be sent to its log again, and what to do instead; None when it can."""
    if letter.reason in WEBHOOK_REASONS and not letter.from_log:
        return (
            "it is a payment gateway's webhook, never an event of the log. Mend what `detail` names (at the gateway: "
            f"the payment's metadata), let the gateway send {letter.event_id or 'it'} again (Stripe: Developers, "
            "Events, Resend), then put this one away: `cercles dead-letters drop`"
        )
    if letter.topic == DEAD_LETTERS.name:
        return (
            "it is a record of the dead letters that could not be read as one, and nobody knows what it was. Find out "
            "who writes to that topic, then put it away: `cercles dead-letters drop`"
        )
    if not letter.from_log:
        return f"it comes from the topic {letter.topic}, which this version does not know"
    if letter.value is None:
        kept = f"only the hash of its value was kept ({letter.value_sha256})" if letter.value_sha256 else "it is empty"
        return f"{kept}. Have its source send the event again, then put this one away: `cercles dead-letters drop`"
    if letter.key is None:
        return (
            "it has no key, so it would be misrouted again: whatever wrote it did not go through a gateway. Have it "
            "sent through a door, then put this one away: `cercles dead-letters drop`"
        )
    return None


def check_named(letters: Sequence[Letter], ids: Sequence[int]) -> None:
    """Raise CannotReplayError unless every letter named is there, open, and can be sent again."""
    found = {letter.dead_letter_id: letter for letter in letters}
    faults = [f"{one}: there is no such dead letter" for one in ids if one not in found]
    for number, letter in found.items():
        why = obstacle(letter)
        if why is not None:
            faults.append(f"{number}: {why}")
        elif letter.state != "open":
            faults.append(f"{number}: it was {letter.state} already{_where(letter)}; --again sends it nevertheless")
    if faults:
        raise CannotReplayError("nothing was replayed. " + "\n".join(faults))


def replay(
    engine: Engine, publisher: BlockingPublisher, choice: Choice, shown: Callable[[Replayed], None]
) -> tuple[int, list[Letter]]:
    """Send the chosen letters to their logs; return how many, and those that can't be sent.

    Raises BrokerAwayError and the database's errors; what was sent before is taken down.
    """
    sent: int = 0
    left: list[Letter] = []
    with engine.connect() as connection:
        choice = msgspec.structs.replace(choice, id_max=highest_id(connection))
        for letters in in_order(connection, choice):
            connection.commit()
            fit = [letter for letter in letters if obstacle(letter) is None]
            left += [letter for letter in letters if obstacle(letter) is not None]
            positions = publisher.publish_and_wait(
                [Record(letter.topic, letter.key, letter.value or b"", letter.headers) for letter in fit]
            )
            places = [LogPlace(position.partition, position.offset) for position in positions]
            with engine.begin() as writing:
                resolve(
                    writing,
                    fit,
                    "replayed",
                    log_partition=[place.partition for place in places],
                    log_offset=[place.offset for place in places],
                )
            sent += len(fit)
            for letter, place in zip(fit, places, strict=True):
                shown(Replayed(letter, place))
    return sent, left


def _where(letter: Letter) -> str:
    return "" if letter.replayed_at is None else f", and stands at {letter.replayed_at}"
