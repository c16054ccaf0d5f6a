"""The demo's letters are proved the way real senders prove theirs."""

from datetime import UTC, datetime

import stripe
from standardwebhooks import Webhook

from cercles.demo.letters import Letter, pledge_letter
from cercles.demo.story import PledgeFact, load, steps
from cercles.demo.storyteller import proof

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1234"


def letters(door: str) -> list[Letter]:
    story = load()
    told = steps(story, datetime.now(UTC).date())
    return [pledge_letter(story, step, {}) for step in told if isinstance(step, PledgeFact) and step.door == door]


def test_stripes_own_library_takes_every_webhook() -> None:
    """Signature and form: each is an event about a payment intent, of four types that the gateway maps."""
    types = set()
    for letter in letters("stripe"):
        header = proof(letter, SECRET)["stripe-signature"]
        event = stripe.Webhook.construct_event(letter.body, header, SECRET)
        types.add(event.type)
        assert event.data.object["object"] == "payment_intent"
    assert types == {
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
    }


def test_the_standard_webhooks_library_takes_every_event() -> None:
    """Headers and body belong together."""
    for letter in letters("box-office"):
        Webhook(SECRET).verify(letter.body, proof(letter, SECRET))


def test_the_same_step_has_the_same_body_in_every_run_of_a_day() -> None:
    """So that a repeat is a repeat, byte for byte."""
    assert letters("stripe") == letters("stripe")
    assert letters("box-office") == letters("box-office")
