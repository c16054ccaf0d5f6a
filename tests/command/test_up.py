"""`cercles up` from end to end, and the clock in it."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cercles import upkeep
from cercles.interruption import Interrupted
from cercles.stack import Ports
from tests.command.stacks import WAIT_SECONDS_MAX, Stack, eventually, up


def family_of(pid: int) -> list[int]:
    """Return the children of a process, their children and so on."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [grandchild for child in children for grandchild in family_of(child)]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def shell(line: str) -> str:
    """Run a line as somebody who pastes it."""
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout


def a_second_one_is_refused(data: Path) -> None:
    command = [sys.executable, "-m", "cercles", "up", "--data", str(data)]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another `cercles up`" in second.stderr


def the_clock_closes_a_campaign(stack: Stack, data: Path) -> None:
    now = datetime.now(UTC)
    terms = json.loads((data / "examples" / "campaign.json").read_text())
    terms |= {"opens_at": (now - timedelta(days=1)).isoformat(), "settle_hours": 0}
    terms["closes_at"] = (now + timedelta(seconds=2)).isoformat()
    key = (data / "secrets" / "admin_key").read_text().strip()
    url = f"{stack.address('gateway')}/v1/campaigns/brief"
    assert httpx.put(url, json=terms, headers={"authorization": f"Bearer {key}"}).status_code == 202
    eventually(lambda: (found := stack.campaign("brief")) and found["status"] == "failed")


def a_killed_part_is_restarted(stack: Stack, directory: Path) -> None:
    def sinks() -> list[int]:
        return [pid for pid in family_of(stack.process.pid) if b"\0sink\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    [sink] = sinks()
    os.kill(sink, signal.SIGKILL)
    eventually(lambda: sinks() not in ([], [sink]))
    assert "sink ended (signal 9)" in (directory / "up.err").read_text()


def test_up_works_as_pasted_restarts_what_dies_and_keeps_its_data(tmp_path: Path) -> None:
    """One story, since each start takes seconds: paste, close a campaign, kill a part, kill the whole, come back."""
    data = tmp_path / "data"
    with up(data) as stack:
        assert '"position"' in shell(stack.line("curl "))
        assert shell(stack.line("CERCLES_SEND_SECRET")).startswith("4 events accepted; the last stands at ")
        eventually(lambda: (found := stack.campaign("example")) and found["totals"]["pledged_minor"] == 115_000)
        assert (found := stack.campaign("example")) is not None
        assert found["circles"][0]["pledged_minor"] == 115_000, "the share link's circle is the friends'"
        assert "cercles_campaign_pledged_minor" in httpx.get(stack.address("metrics of campaigns")).text
        a_second_one_is_refused(data)
        the_clock_closes_a_campaign(stack, data)
        a_killed_part_is_restarted(stack, tmp_path)
        family = family_of(stack.process.pid)
        assert len(family) >= 8  # six processes, the broker's supervisor, the broker
        stack.process.kill()
    eventually(lambda: not any(map(lives, family)))
    with up(data) as stack:
        found = stack.campaign("example")
        assert found is not None
        assert found["totals"]["pledged_minor"] == 115_000
        shell(stack.line("curl "))  # the same terms: nothing new
        stack.process.send_signal(signal.SIGINT)
        assert stack.process.wait(WAIT_SECONDS_MAX) == 0
    assert f"stopped. Everything is kept in {data}" in (tmp_path / "up.err").read_text()


def test_whoever_stops_it_is_told_when_it_has_ended_and_where_its_data_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line; to stop takes seconds."""

    def interrupted(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(upkeep, "_run", interrupted)
    assert upkeep.keep_up(tmp_path / "data", Ports()) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("stopped. ")
    assert str(tmp_path / "data") in last
