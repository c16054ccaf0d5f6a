"""The load: campaigns told to the gateway over HTTP, signed, repeated, disordered, with poison and payments in it."""

import contextlib
import json
import random
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError
from standardwebhooks import Webhook

from schemas.events import BATCH_CONTENT_TYPE, CampaignLaunched, Decoding, LogEvent
from schemas.topics import LOG
from tests.faults import payments
from tests.faults.payments import Owed
from tests.faults.receipts import Receipt, Receipts
from tests.pipeline.stories import story

SECRET: Final = "whsec_Zm9yLXRlc3RzLW9ubHktYW5kLWZvci1ub3RoaW5nLWVsc2U="
ADMIN_KEY: Final = "admin-key-for-tests-only"
SOURCES: Final = ("guichet", "other")
"""Campaigns list the first only: what the second sends gets through the door and is refused by the fold."""

PLEDGES: Final = 16
WEBHOOK_CHANCE: Final = 0.5
"""How often, after a batch of a source, Stripe tells something."""

WEBHOOKS_AHEAD: Final = 30
"""How far the order in which Stripe tells is mixed."""

STORIES_AT_ONCE: Final = 8
BATCH_EVENTS_MAX: Final = 8
ANSWER_SECONDS_MAX: Final = 10.0
BROKER_SECONDS_MAX: Final = 5
RETRY_SECONDS: Final = 0.1
ANSWERS_TO_RETRY: Final = frozenset({408, 500, 502, 503, 504})
SKEW: Final = timedelta(hours=1)

Told = tuple[str, bytes, LogEvent | None]
"""A record of a story: campaign, value, and the event in it, if there is one."""


class Load:
    """Tells stories until it is stopped. What is not accepted is sent again, as it was, for as long as it takes."""

    def __init__(
        self, gateway_url: str, bootstrap: str, receipts: Receipts, *, prefix: str, seed: int, events_per_second: float
    ) -> None:
        self.receipts = receipts
        self.skewed = False
        """Whether the sender's clock is an hour off: some events are, and some signatures."""
        self.complaints: list[str] = []
        self.owed = Owed()
        self._webhooks: list[payments.Webhook] = []
        self._gateway_url = gateway_url
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._chance = random.Random(seed)
        self._seconds_per_event = 1 / events_per_second
        self._stopping = threading.Event()
        self._webhook = Webhook(SECRET)
        self._producer: KafkaProducer | None = None
        self._campaigns = 0
        self._thread = threading.Thread(target=self._run, name=f"load-{prefix}", daemon=True)

    def start(self) -> None:
        """Begin to tell, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop telling, and return when what was under way has been answered or given up."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        """Tell stories, some at once; whatever goes wrong here is a complaint."""
        with httpx.Client(timeout=ANSWER_SECONDS_MAX) as client:
            try:
                self._tell(client)
            except Exception as error:  # noqa: BLE001 - it ends the thread, and fails the fault
                self.complaints.append(f"the load broke off: {error!r}")
        self._drop_producer()

    def _tell(self, client: httpx.Client) -> None:
        stories = [self._story() for _ in range(STORIES_AT_ONCE)]
        due = time.monotonic()
        while not self._stopping.is_set():
            index = self._chance.randrange(len(stories))
            records = [record for record, _ in zip(stories[index], range(self._batch()), strict=False)]
            if not records:
                stories[index] = self._story()
            for door, group in _by_door(records):
                self._send(client, door, group)
            if self._webhooks and self._chance.random() < WEBHOOK_CHANCE:
                self._tell_payment(client)
            due = max(due + len(records) * self._seconds_per_event, time.monotonic() - 1.0)
            self._stopping.wait(max(0.0, due - time.monotonic()))

    def _batch(self) -> int:
        return self._chance.randint(1, BATCH_EVENTS_MAX)

    def _story(self) -> Iterator[Told]:
        self._campaigns += 1
        campaign_id = f"{self._prefix}-{self._campaigns}"
        self._webhooks += payments.webhooks(campaign_id, self._chance)
        for _, value in story(campaign_id, PLEDGES, self._chance):
            yield campaign_id, value, _decoded(value)

    def _send(self, client: httpx.Client, door: str, group: list[Told]) -> None:
        if door == "log":
            for campaign_id, value, _ in group:
                self._write(campaign_id, value)
        elif door == "admin":
            for campaign_id, _, event in group:
                self._launch(client, campaign_id, event)
        else:
            self._post(client, door, [event for _, _, event in group if event is not None])

    def _post(self, client: httpx.Client, source: str, events: list[LogEvent]) -> None:
        if self.skewed:
            events = [
                msgspec.structs.replace(one, time=one.time + self._chance.choice((-SKEW, SKEW))) for one in events
            ]
        body = msgspec.json.encode(events).decode()
        path = f"/v1/sources/{source}/events"
        if self.skewed:
            answer = self._exchange(client, "POST", path, body, self._signed(body, self._chance.choice((-SKEW, SKEW))))
            if answer is not None and answer.status_code != httpx.codes.UNAUTHORIZED:
                self.complaints.append(f"signed an hour off, and answered {answer.status_code}")
        self._until_accepted(client, "POST", path, body, lambda: self._signed(body, timedelta()))

    def _tell_payment(self, client: httpx.Client) -> None:
        webhook = self._webhooks.pop(self._chance.randrange(min(len(self._webhooks), WEBHOOKS_AHEAD)))
        if self._until_accepted(client, "POST", payments.PATH, webhook.body, lambda: payments.headers(webhook.body)):
            self.owed.accept(webhook)

    def _launch(self, client: httpx.Client, campaign_id: str, event: LogEvent | None) -> None:
        if not isinstance(event, CampaignLaunched):
            raise TypeError("only launches come in by the admin door")
        terms = {name: value for name, value in msgspec.to_builtins(event.data).items() if name != "campaign_id"}
        headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
        self._until_accepted(client, "PUT", f"/v1/campaigns/{campaign_id}", json.dumps(terms), lambda: headers)

    def _signed(self, body: str, ahead: timedelta) -> dict[str, str]:
        identifier, moment = f"msg_{uuid.uuid4().hex}", datetime.now(UTC) + ahead
        return {
            "content-type": BATCH_CONTENT_TYPE,
            "webhook-id": identifier,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": self._webhook.sign(identifier, moment, body),
        }

    def _until_accepted(self, client: httpx.Client, method: str, path: str, body: str, headers: Any) -> bool:
        """Return whether it was accepted: not when the load is stopped before."""
        while not self._stopping.is_set():
            answer = self._exchange(client, method, path, body, headers())
            if answer is not None and answer.status_code == httpx.codes.ACCEPTED:
                self.receipts.add([_receipt(one) for one in answer.json()["accepted"]])
                return True
            if answer is not None and answer.status_code not in ANSWERS_TO_RETRY:
                self.complaints.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                return False
            self._stopping.wait(RETRY_SECONDS)
        return False

    def _exchange(
        self, client: httpx.Client, method: str, path: str, body: str, headers: dict[str, str]
    ) -> httpx.Response | None:
        try:
            return client.request(method, self._gateway_url + path, content=body.encode(), headers=headers)
        except httpx.TransportError:
            return None

    def _write(self, campaign_id: str, value: bytes) -> None:
        """Write garbage straight to the log, as a broken producer would; not again when the broker does not take it."""
        try:
            if self._producer is None:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", max_block_ms=BROKER_SECONDS_MAX * 1000
                )
            sent = self._producer.send(LOG.name, key=campaign_id.encode(), value=value).get(BROKER_SECONDS_MAX)
        except KafkaError:
            self._drop_producer()
            return
        self.receipts.add([Receipt.of(value, sent)])

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError):
                producer.close(timeout=1)


def _decoded(value: bytes) -> LogEvent | None:
    try:
        return Decoding.log.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _by_door(records: list[Told]) -> Iterator[tuple[str, list[Told]]]:
    """Yield runs of records that come in by the same door, in order: the admin's, a source's, or past all doors."""
    groups: list[tuple[str, list[Told]]] = []
    for record in records:
        event = record[2]
        if event is None:
            door = "log"
        elif isinstance(event, CampaignLaunched):
            door = "admin"
        else:
            door = event.source.removeprefix("sources/")
        if not groups or groups[-1][0] != door:
            groups.append((door, []))
        groups[-1][1].append(record)
    yield from groups


def _receipt(accepted: dict[str, str]) -> Receipt:
    partition, _, offset = accepted["position"].partition(":")
    return Receipt(int(partition), int(offset), accepted["id"])
