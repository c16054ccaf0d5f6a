"""`cercles up`: the embedded stack for as long as somebody wants it, on one data directory that is kept."""

import shlex
import shutil
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from cercles.attendance import Attendance, NotReadyError
from cercles.data_directory import DataDirectory, DataDirectoryError
from cercles.display import Display
from cercles.embedded.jars import JarsError
from cercles.exit_codes import EXIT_CLEAN, EXIT_FAILED, EXIT_SETTINGS
from cercles.interruption import Interrupted, interruptible
from cercles.parts import StartError
from cercles.ports import NoFreePortError, PortTakenError, check_free
from cercles.stack import Doors, Ports, Stack
from cercles.supervisor import HopelessError
from cercles.topics import PartitionsDifferError
from cercles.watch import Watch

EXAMPLE: Final = "example"
"""Name of the source and of the Stripe account that have secrets from the start."""

SHARE_LINK: Final = "example-friends"
"""The link that brings the example's pledges, so that a circle is seen to grow."""

CAMPAIGN_DAYS: Final = 30
_FAILURES: Final = (
    HopelessError,
    JarsError,
    KafkaError,
    NoFreePortError,
    NotReadyError,
    PartitionsDifferError,
    SQLAlchemyError,
    StartError,
)


def keep_up(data: Path, ports: Ports) -> int:
    """Run everything until somebody interrupts; return the exit code. Addresses go to standard output."""
    directory = DataDirectory(data)
    with Display() as display:
        try:
            with interruptible(), directory.held():
                check_free(ports.by_option())
                _run(directory, ports, display)
        except Interrupted:
            display.say(f"stopped. Everything is kept in {directory.path}: the next start goes on from there")
            return EXIT_CLEAN
        except PortTakenError as failure:
            display.say(f"cercles up: {failure}")
            return EXIT_SETTINGS
        except DataDirectoryError as failure:
            display.say(f"cercles up: {failure}")
            return EXIT_FAILED
        except _FAILURES as failure:
            display.say(f"cercles up: {failure}")
            if directory.logs.exists():
                display.say(f"the logs are in {directory.logs}")
            return EXIT_FAILED
    return EXIT_CLEAN


def _run(directory: DataDirectory, ports: Ports, display: Display) -> None:
    with ExitStack() as undo:
        stack = Stack(directory, Doors((EXAMPLE,), (EXAMPLE,)), ports=ports, say=display.say)
        undo.callback(stack.stop)
        undo.callback(display.say, "stopping")
        stack.prepare()
        stack.start()
        watch = undo.enter_context(closing(Watch(stack.reader_url)))
        attendance = Attendance(stack, watch, display)
        attendance.await_ready()
        write_examples(directory)
        sys.stdout.write(addresses(directory, stack))
        sys.stdout.flush()
        shown = {
            "write": stack.gateway_url,
            "read": f"{stack.reader_url}/v1/campaigns",
            "page": f"{stack.reader_url}/campaigns",
            "metrics": stack.exporter_url,
        }
        attendance.attend(lambda: False, addresses=shown)


def addresses(directory: DataDirectory, stack: Stack) -> str:
    """Return every address, and the lines to paste, as text."""
    rows = {
        "gateway": stack.gateway_url,
        "reader": stack.reader_url,
        "live page": f"{stack.reader_url}/campaigns",
        "metrics of campaigns": stack.exporter_url,
        "Kafka": stack.bootstrap_servers,
        "database": directory.database_url,
        "secrets": str(directory.secrets),
        "logs": str(directory.logs),
        **{f"{name}, health and metrics": url for name, url in stack.operations_addresses().items()},
    }
    width = max(map(len, rows))
    listed = "".join(f"{name:<{width}}  {address}\n" for name, address in rows.items())
    return (
        f"{listed}\nLaunch a campaign, then send it some pledges:\n\n"
        f"{curl_line(directory, stack.gateway_url)}\n\n{send_line(directory, stack.gateway_url)}\n\n"
        f"See whether every number is right:\n\n{audit_line(directory, stack.bootstrap_servers)}\n\n"
        f"What became of it: {stack.reader_url}/v1/campaigns/{EXAMPLE}\n"
    )


def curl_line(directory: DataDirectory, gateway_url: str) -> str:
    """Return a line for a shell that launches the example campaign."""
    key, terms = shlex.quote(str(directory.secret_path("admin_key"))), shlex.quote(f"@{_examples(directory)[0]}")
    return (
        f'curl -fsS -X PUT -H "Authorization: Bearer $(cat {key})" -H "Content-Type: application/json" '
        f"--data {terms} {gateway_url}/v1/campaigns/{EXAMPLE}"
    )


def send_line(directory: DataDirectory, gateway_url: str) -> str:
    """Return a line for a shell that sends pledges to the example campaign."""
    secret, events = (shlex.quote(str(path)) for path in (_source_secret(directory), _examples(directory)[1]))
    return f'CERCLES_SEND_SECRET="$(cat {secret})" {command()} send {events} --source {EXAMPLE} --gateway {gateway_url}'


def audit_line(directory: DataDirectory, bootstrap_servers: str) -> str:
    """Return a line for a shell that compares the database with the log."""
    url = shlex.quote(directory.database_url)
    return f"CERCLES_KAFKA_BOOTSTRAP_SERVERS={bootstrap_servers} CERCLES_DATABASE_URL={url} {command()} audit"


def command() -> str:
    """Return how a shell finds this very `cercles`."""
    script = Path(sys.executable).with_name("cercles")
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m cercles"
    found = shutil.which("cercles")
    return "cercles" if found is not None and Path(found) == script else shlex.quote(str(script))


def write_examples(directory: DataDirectory) -> None:
    """Write the files that the lines to paste name, unless an earlier run has: the same terms can be sent again."""
    campaign, pledges = _examples(directory)
    if campaign.exists() and pledges.exists():
        return
    campaign.parent.mkdir(exist_ok=True)
    now = datetime.now(UTC).replace(microsecond=0)
    terms = {
        "title": "A first campaign",
        "owner_id": "me",
        "currency": "EUR",
        "goal_minor": 100_000,
        "opens_at": now,
        "closes_at": now + timedelta(days=CAMPAIGN_DAYS),
        "timezone": "Europe/Paris",
        "funding_model": "keep_it_all",
        "sources": [f"sources/{EXAMPLE}", f"stripe/{EXAMPLE}/test"],
    }
    campaign.write_bytes(msgspec.json.format(msgspec.json.encode(terms), indent=2) + b"\n")
    amounts_minor = (25_000, 40_000, 50_000)
    events = [_share(now), *(_pledge(number, amount, now) for number, amount in enumerate(amounts_minor, start=1))]
    pledges.write_bytes(msgspec.json.Encoder().encode_lines(events))


def _share(now: datetime) -> dict[str, Any]:
    data = {"share_token": SHARE_LINK, "sharer_id": "me", "network": "email"}
    return _event("share", "cercles.share.posted", now, data)


def _pledge(number: int, amount_minor: int, now: datetime) -> dict[str, Any]:
    data = {
        "pledge_id": f"pledge-{number}",
        "capture_id": f"capture-{number}",
        "amount_minor": amount_minor,
        "currency": "EUR",
        "backer_id": f"backer-{number}",
        "share_token": SHARE_LINK,
    }
    return _event(str(number), "cercles.pledge.captured", now, data)


def _event(name: str, kind: str, now: datetime, data: dict[str, Any]) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "id": f"example-{name}", "source": EXAMPLE, "type": kind, "time": now}
    return envelope | {"data": {"campaign_id": EXAMPLE} | data}


def _examples(directory: DataDirectory) -> tuple[Path, Path]:
    examples = directory.path / "examples"
    return examples / "campaign.json", examples / "pledges.jsonl"


def _source_secret(directory: DataDirectory) -> Path:
    return directory.secret_path(f"source_{EXAMPLE}")
