"""The whole pipeline as processes, from the gateway's doors to the rows: what is told over HTTP, as its clients do."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import Engine, func, select

from cercles.ports import LOOPBACK, free_ports
from schemas.tables import campaigns, dead_letters, milestones
from tests.faults.processes import Fleet
from tests.gateway import knocking
from tests.gateway.knocking import admin_headers, captured, launch, send

ANSWER_SECONDS_MAX: Final = 10.0
READY_SECONDS_MAX: Final = 60.0
PROCESSES: Final = ("worker", "sink", "gateway")


@dataclass
class Pipeline:
    """Running processes, and the way in."""

    fleet: Fleet
    client: httpx.Client

    def launch(self, campaign_id: str, **terms: Any) -> None:
        """Launch a campaign. Raises httpx.HTTPStatusError when the door refuses."""
        path = f"/v1/campaigns/{campaign_id}"
        self.client.put(path, json=launch(**terms), headers=admin_headers()).raise_for_status()

    def amend(self, campaign_id: str, revision: int, **terms: Any) -> str:
        """Amend its terms and return the event's id. Raises httpx.HTTPStatusError when the door refuses."""
        path = f"/v1/campaigns/{campaign_id}/amendments"
        answer = self.client.post(path, json={"revision": revision, **terms}, headers=admin_headers())
        return str(answer.raise_for_status().json()["accepted"][0]["id"])

    def pledge(self, campaign_id: str, number: int, **changes: Any) -> None:
        """Send a capture by the campaign's source. Raises httpx.HTTPStatusError when the door refuses."""
        send(self.client, captured(number, campaign_id=campaign_id, **changes)).raise_for_status()


@contextmanager
def pipeline(
    bootstrap: str, database_url: str, directory: Path, names: Sequence[str] = PROCESSES, **settings: str
) -> Iterator[Pipeline]:
    """Run these processes until the end of the block, the gateway among them, and wait until it takes events."""
    (port,) = free_ports(1)
    environment = {
        "CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CERCLES_DATABASE_URL": database_url,
        "CERCLES_GATEWAY_PORT": str(port),
        "CERCLES_GATEWAY_ADMIN_KEY": knocking.ADMIN_KEY,
        "CERCLES_GATEWAY_SOURCES": json.dumps({knocking.SOURCE: {"current": knocking.SOURCE_SECRET}}),
        "CERCLES_PSEUDONYM_KEY": knocking.PSEUDONYM_KEY,
    }
    fleet = Fleet(dict.fromkeys((*names, "clock"), environment | settings), directory)
    try:
        fleet.start(names)
        with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=ANSWER_SECONDS_MAX) as client:
            fleet.wait_until(lambda: _takes_events(client), "the gateway takes events", READY_SECONDS_MAX)
            yield Pipeline(fleet, client)
    finally:
        fleet.kill()


def _takes_events(client: httpx.Client) -> bool:
    """Whether the gateway and its broker are there: asked by an event of a campaign that nobody launches."""
    try:
        return send(client, captured(0, campaign_id="nobodys")).is_success
    except httpx.TransportError:
        return False


def said(engine: Engine, campaign_id: str) -> list[tuple[str, int | str | None]]:
    """Return the campaign's milestones in the database, in short."""
    place = (milestones.c.log_offset, milestones.c.milestone_number)
    with engine.connect() as connection:
        rows = connection.execute(select(milestones).where(milestones.c.campaign_id == campaign_id).order_by(*place))
        return [(row.type.removeprefix("cercles."), row.step or row.occurrence or row.stretch_goal_id) for row in rows]


def refused(engine: Engine, campaign_id: str) -> list[str]:
    """Return the reasons of the campaign's dead letters in the database, in the order of the log."""
    query = select(dead_letters.c.reason).where(dead_letters.c.campaign_id == campaign_id)
    with engine.connect() as connection:
        return list(connection.scalars(query.order_by(dead_letters.c.record_offset)))


def count_open(engine: Engine) -> int:
    """Return how many campaigns have no outcome in the database."""
    with engine.connect() as connection:
        query = select(func.count()).select_from(campaigns).where(campaigns.c.status == "open")
        return connection.scalar(query) or 0


def sleep_until(moment: datetime) -> None:
    """Sleep until then; not at all when it has passed."""
    time.sleep(max(0.0, (moment - datetime.now(moment.tzinfo)).total_seconds()))
