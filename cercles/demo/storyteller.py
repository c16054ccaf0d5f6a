"""Tells the story to the doors, over HTTP, one step after the other, and keeps what they answered."""

import hashlib
import hmac
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import httpx
import msgspec
from standardwebhooks import Webhook

from cercles.demo.letters import Letter, launch_letter, pledge_letter, share_letter, visits_letter
from cercles.demo.story import PledgeFact, Repeat, ShareStep, Step, Story, VisitsStep, steps

ATTEMPTS_MAX: Final = 10
RETRY_SECONDS: Final = 1.0
ANSWER_SECONDS_MAX: Final = 15.0


class NotTakenError(Exception):
    """A door did not take a step of the story; the message has its answer."""


class Storyteller:
    """Sends the story's steps in their order. Every step is one request, and one event."""

    def __init__(
        self,
        story: Story,
        gateway_url: str,
        secret: Callable[[str], str],
        *,
        now: datetime | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`secret` returns the secret of a name; `now` is the moment whose day the story's days count from."""
        self._story = story
        self._client = httpx.Client(base_url=gateway_url, timeout=ANSWER_SECONDS_MAX)
        self._secret = secret
        self._sleep = sleep
        self._today = (now or datetime.now(UTC)).date()
        self._letters: list[Letter] = []
        self._tokens: dict[str, str] = {}
        self.positions: list[str] = []
        """Where each accepted event stands, in the order of sending."""

    def close(self) -> None:
        self._client.close()

    def steps(self) -> list[Step]:
        """Return what there is to tell."""
        return steps(self._story, self._today)

    def launch(self) -> None:
        """Launch the campaign. Raises NotTakenError."""
        campaign = self._story.campaign
        opens_at = self._story.moment(campaign.opens_day, "00:00", self._today)
        closes_at = self._story.moment(campaign.closes_day, "23:59", self._today)
        self._post(launch_letter(self._story, opens_at, closes_at))

    def tell(self, step: Step) -> None:
        """Send one step. Raises NotTakenError."""
        letter = self._letter(step)
        self._letters.append(letter)
        answer = self._post(letter)
        if isinstance(step, ShareStep) and "share_token" in answer:
            self._tokens[step.share.link] = answer["share_token"]

    def _letter(self, step: Step) -> Letter:
        match step:
            case ShareStep():
                return share_letter(self._story, step, self._tokens)
            case VisitsStep():
                return visits_letter(self._story, step, self._tokens)
            case PledgeFact():
                return pledge_letter(self._story, step, self._tokens)
            case Repeat():
                return self._letters[step.index]

    def _post(self, letter: Letter) -> dict[str, Any]:
        why = ""
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                self._sleep(RETRY_SECONDS)
            headers = {"content-type": letter.content_type, **proof(letter, self._secret(letter.secret))}
            try:
                answer = self._client.request(letter.method, letter.path, content=letter.body, headers=headers)
            except httpx.TransportError as error:
                why = f"{type(error).__name__}: {error}"
                continue
            why = f"HTTP {answer.status_code} {answer.text}"
            if answer.is_success:
                return self._taken(answer)
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                break
        raise NotTakenError(f"{letter.method} {letter.path} was not taken: {why}\n{letter.body.decode()}")

    def _taken(self, answer: httpx.Response) -> dict[str, Any]:
        content: dict[str, Any] = msgspec.json.decode(answer.content)
        self.positions += [one["position"] for one in content["accepted"]]
        return content


def proof(letter: Letter, secret: str) -> dict[str, str]:
    """Return the headers that prove where a letter comes from, as of now."""
    now = datetime.now(UTC)
    seconds = str(int(now.timestamp()))
    match letter.scheme:
        case "admin":
            return {"authorization": f"Bearer {secret}"}
        case "standard":
            message_id = f"msg_{uuid.uuid4().hex}"
            signature = Webhook(secret).sign(message_id, now, letter.body.decode())
            return {"webhook-id": message_id, "webhook-timestamp": seconds, "webhook-signature": signature}
        case "stripe":
            # Stripe's documentation, "Verify webhook signatures manually"; its library, which signs for tests, is
            # for development only.
            signed = f"{seconds}.".encode() + letter.body
            return {
                "stripe-signature": f"t={seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
            }
