"""Sends JSON lines of CloudEvents to a gateway: in batches, signed, and again while the gateway asks for patience;
launches campaigns there.

Sending again is always safe: facts have ids, and a fact that is known already changes nothing.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, BinaryIO, Final

import httpx
import msgspec
from standardwebhooks import Webhook

from schemas.events import BATCH_CONTENT_TYPE, CampaignLaunchedData

EVENT_BYTES_MAX: Final = 64 * 1024
BATCH_BYTES_MAX: Final = 1024 * 1024
"""What a gateway takes at most, of one event and of one batch."""

BATCH_EVENTS_DEFAULT: Final = 500
ATTEMPTS_MAX: Final = 8
FIRST_CONNECTS_MAX: Final = 3
"""Attempts at a gateway that nobody has reached yet: its address is wrong, rather than that it is being restarted."""

WAIT_FIRST_SECONDS: Final = 0.5
WAIT_SECONDS_MAX: Final = 30.0
"""Longest wait between two attempts, whatever `Retry-After` says."""

ANSWER_SECONDS_MAX: Final = 30.0
_PATIENCE: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class LineError(Exception):
    """A line of the file can't be sent; the message names it."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")
        self.number = number


class RefusedError(Exception):
    """The gateway refused a batch, whole; the message says why and, if it is one line's fault, which line."""


class GatewayAwayError(Exception):
    """The gateway did not take a batch in `ATTEMPTS_MAX` attempts, or nothing listens there."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it stands in the file."""

    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that is on the log, and where: `partition:offset`."""

    id: str
    position: str


class _Acceptance(msgspec.Struct):
    accepted: list[dict[str, str]]


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """Yield the file's events. Blank lines count, but are left out.

    Raises LineError for a line that is not a JSON object or is larger than a gateway takes; memory stays bounded.
    """
    number = 0
    while content := file.readline(EVENT_BYTES_MAX + 2):
        number += 1
        content = content.strip()
        if not content:
            continue
        if len(content) > EVENT_BYTES_MAX:
            raise LineError(number, f"larger than {EVENT_BYTES_MAX} bytes, the most that a gateway takes of one event")
        try:
            content.decode()
            msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LineError(number, f"not a JSON object ({error})") from error
        yield Line(number, content)


def batches(lines: Iterable[Line], events_max: int = BATCH_EVENTS_DEFAULT) -> Iterator[list[Line]]:
    """Yield the lines in batches of at most `events_max` events and `BATCH_BYTES_MAX` bytes."""
    batch: list[Line] = []
    size_bytes = 2  # the brackets
    for line in lines:
        more_bytes = len(line.content) + 1  # and a comma
        if batch and size_bytes + more_bytes > BATCH_BYTES_MAX:
            yield batch
            batch, size_bytes = [], 2
        batch.append(line)
        size_bytes += more_bytes
        if len(batch) == events_max:
            yield batch
            batch, size_bytes = [], 2
    if batch:
        yield batch


class Gateway:
    """A gateway, to which requests are sent again while it asks for patience.

    httpx's transport can repeat a connection by itself, but can't wait as `Retry-After` asks; so what is repeated, and
    how often at most, stands here in one loop.
    """

    def __init__(self, client: httpx.Client, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._sleep = sleep
        self._reached = False

    def ask(self, method: str, path: str, body: bytes, headers: Callable[[], dict[str, str]]) -> httpx.Response:
        """Send a request and return its answer, which may be a refusal. `headers` are made anew for each attempt.

        Raises GatewayAwayError when the gateway can't take it now.
        """
        wait_seconds, why = WAIT_FIRST_SECONDS, ""
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                self._sleep(wait_seconds)
            wait_seconds = min(WAIT_SECONDS_MAX, WAIT_FIRST_SECONDS * 2**attempt)
            try:
                answer = self._client.request(method, self._url + path, content=body, headers=headers())
            except httpx.ConnectError as error:
                why = f"{type(error).__name__}: {error}"
                if not self._reached and attempt + 1 >= FIRST_CONNECTS_MAX:
                    raise GatewayAwayError(f"nothing listens at {self._url} ({error})") from error
                continue
            except httpx.TransportError as error:
                why = f"{type(error).__name__}: {error}"
                continue
            self._reached = True
            if answer.status_code not in _PATIENCE:
                return answer
            why = f"HTTP {answer.status_code}"
            wait_seconds = _asked_for(answer, wait_seconds)
        raise GatewayAwayError(f"{self._url}{path} gave no final answer in {ATTEMPTS_MAX} attempts; the last: {why}")


class Sender:
    """Posts batches to the door of one source, signed by the Standard Webhooks scheme."""

    def __init__(self, gateway: Gateway, source: str, secret: str) -> None:
        """Raises ValueError for a secret that is not one of Standard Webhooks (`whsec_` and base64)."""
        self._gateway = gateway
        self._path = f"/v1/sources/{source}/events"
        try:
            self._webhook = Webhook(secret)
        except Exception as error:  # the library raises its own and binascii's
            raise ValueError(f"the secret is not one of Standard Webhooks, `whsec_` and base64: {error}") from error

    def send(self, batch: Sequence[Line]) -> list[Accepted]:
        """Post one batch and return where each event stands.

        Raises RefusedError when the gateway will not have it, GatewayAwayError when it can't take it now.
        """
        body = b"[" + b",".join(line.content for line in batch) + b"]"
        message_id = f"msg_{uuid.uuid4().hex}"
        answer = self._gateway.ask("POST", self._path, body, lambda: batch_headers(self._webhook, message_id, body))
        if answer.status_code != HTTPStatus.ACCEPTED:
            raise RefusedError(_refusal(answer, batch))
        return _accepted(answer)


def batch_headers(webhook: Webhook, message_id: str, body: bytes) -> dict[str, str]:
    """Return the headers of a post of several events, signed now.

    To be made anew for every attempt: a gateway takes no signature older than five minutes.
    """
    now = datetime.now(UTC)
    return {
        "content-type": BATCH_CONTENT_TYPE,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(message_id, now, body.decode()),
    }


class Launcher:
    """Launches campaigns at the admin door. Launching one again on the same terms changes nothing."""

    def __init__(self, gateway: Gateway, admin_key: str) -> None:
        self._gateway = gateway
        self._headers = {"authorization": f"Bearer {admin_key}", "content-type": "application/json"}

    def launch(self, terms: CampaignLaunchedData) -> Accepted:
        """Launch a campaign and return where its launch stands.

        Raises RefusedError when the gateway will not have it, GatewayAwayError when it can't take it now.
        """
        body = {name: value for name, value in msgspec.to_builtins(terms).items() if name != "campaign_id"}
        path = f"/v1/campaigns/{terms.campaign_id}"
        answer = self._gateway.ask("PUT", path, msgspec.json.encode(body), lambda: self._headers)
        if answer.status_code != HTTPStatus.ACCEPTED:
            raise RefusedError(f"campaign {terms.campaign_id}: {_why(answer)[0]}")
        [accepted] = _accepted(answer)
        return accepted


class Pace:
    """Holds back whoever sends faster than a rate. What was lost by waiting for a gateway is not made up for."""

    def __init__(
        self,
        events_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds_per_event = 1 / events_per_second
        self._clock = clock
        self._sleep = sleep
        self._due = clock()

    def wait(self, events: int) -> None:
        """Wait until that many more events may be sent."""
        now = self._clock()
        if now < self._due:
            self._sleep(self._due - now)
        self._due = max(now, self._due) + events * self._seconds_per_event


def _accepted(answer: httpx.Response) -> list[Accepted]:
    acceptance = msgspec.json.decode(answer.content, type=_Acceptance)
    return [Accepted(one["id"], one["position"]) for one in acceptance.accepted]


def _asked_for(answer: httpx.Response, otherwise_seconds: float) -> float:
    text = answer.headers.get("retry-after", "")
    return min(WAIT_SECONDS_MAX, float(text)) if text.isdigit() else otherwise_seconds


def _refusal(answer: httpx.Response, batch: Sequence[Line]) -> str:
    """Return why a batch was refused and, if it is one line's fault, which line."""
    first, last = batch[0].number, batch[-1].number
    span = f"line {first}" if first == last else f"lines {first} to {last}"
    reason, pointer = _why(answer)
    index, _, rest = pointer.removeprefix("/").partition("/")
    if index.isdigit() and int(index) < len(batch):
        return f"line {batch[int(index)].number}: {reason} (at /{rest})"
    return f"{span}: {reason}" + (f" (at {pointer})" if pointer else "")


def _why(answer: httpx.Response) -> tuple[str, str]:
    """Return the reason and the pointer of the problem (RFC 9457) that the gateway answered with."""
    try:
        problem: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return f"HTTP {answer.status_code} {answer.reason_phrase}", ""
    words = problem.get("detail") or problem.get("title") or answer.reason_phrase
    return f"HTTP {answer.status_code}: {words}", str(problem.get("pointer", ""))
