"""`cercles simulate`: the same bytes for the same seed, totals that a real pipeline comes to, and clear refusals."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from typer.testing import CliRunner

from cercles.commands import app
from cercles.simulation.run import CAMPAIGNS_SHOWN_MAX
from schemas.events import CampaignLaunched, Decoding
from schemas.updates import Totals
from tests.command.gateways import SECRET
from tests.command.stacks import Stack, eventually, up

RUNNER: Final = CliRunner()
TOTALS: Final = ("goal_minor", "pledged_minor", "collected_minor", "over_returned_minor", "late_minor", "percent")
SMALL: Final = ("--campaigns", "3", "--pledges", "60")


def simulated(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error, on lines as wide as they are."""
    result = RUNNER.invoke(app, ["simulate", *arguments], env={"COLUMNS": "400", **environment})
    return result.exit_code, result.stdout, result.stderr


def in_a_process(*arguments: str, **environment: str) -> bytes:
    command = [sys.executable, "-m", "cercles", "simulate", *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, check=True)
    return done.stdout


def test_the_same_seed_gives_the_same_bytes() -> None:
    """In another process, whose hashes, zone and locale are others, too."""
    one = in_a_process("-", "--seed", "7", *SMALL, PYTHONHASHSEED="1", TZ="America/New_York", LC_ALL="C")
    other = in_a_process("-", "--seed", "7", *SMALL, PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert one == other
    assert one.count(b"\n") > 180
    assert one != in_a_process("-", "--seed", "8", *SMALL)


def test_a_file_holds_what_standard_output_gets(tmp_path: Path) -> None:
    """One event a line, the launches first, every line an event of the log; the totals are on the other stream."""
    path = tmp_path / "events.jsonl"
    code, out, err = simulated(str(path), *SMALL)
    assert (code, err) == (0, "")
    content = path.read_bytes()
    assert RUNNER.invoke(app, ["simulate", "-", *SMALL]).stdout_bytes == content
    events = [Decoding.log.decode(line) for line in content.splitlines()]
    assert [isinstance(event, CampaignLaunched) for event in events[:4]] == [True, True, True, False]
    assert out.splitlines()[-1] == f"{len(events)} events of 3 campaigns"
    assert simulated("-", *SMALL)[2] == out


def test_totals_are_shown_by_circle(tmp_path: Path) -> None:
    """In the currency's own units; and as JSON, under the names of the reader's answers."""
    path = str(tmp_path / "events.jsonl")
    _, words, _ = simulated(path, "--pledges", "60", "--currency", "TND")
    code, out, _ = simulated(path, "--pledges", "60", "--currency", "TND", "--json")
    assert code == 0
    [line] = out.splitlines()
    [campaign] = json.loads(line)["campaigns"]
    pledged_minor = campaign["totals"]["pledged_minor"]
    assert words.startswith(f"{campaign['campaign_id']}: {pledged_minor // 1000}.{pledged_minor % 1000:03} TND pledged")
    assert [circle["circle"] for circle in campaign["circles"]] == [
        line.split()[0] for line in words.splitlines() if line.startswith("  ")
    ]
    assert sum(circle["pledged_minor"] for circle in campaign["circles"]) == pledged_minor
    assert set(campaign["totals"]) == set(Totals.__struct_fields__) - {
        "circles",
        "unattributed",
        "unknown_reward_claims",
    }


def test_many_campaigns_are_not_all_shown(tmp_path: Path) -> None:
    """To people; JSON has them all."""
    arguments = (str(tmp_path / "events.jsonl"), "--pledges", "1", "--campaigns", str(CAMPAIGNS_SHOWN_MAX + 2))
    _, out, _ = simulated(*arguments)
    assert out.count(" pledged, ") == CAMPAIGNS_SHOWN_MAX
    assert "… and 2 more; --json has all of them" in out
    _, out, _ = simulated(*arguments, "--json")
    assert len(json.loads(out)["campaigns"]) == CAMPAIGNS_SHOWN_MAX + 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a file to write to (- is standard output), or a gateway with --gateway"),
        (("x", "--gateway", "http://127.0.0.1:9"), "either a file or --gateway, not both"),
        (("x", "--rate", "5"), "--rate is for --gateway"),
        (("x", "--campaigns", "0"), "'--campaigns': Input should be greater than or equal to 1"),
        (("x", "--pledges", "many"), "'--pledges': Input should be a valid integer"),
        (("x", "--refund-rate", "1.5"), "'--refund-rate': Input should be less than or equal to 1"),
        (("x", "--refund-rate", "0.7", "--dispute-rate", "0.4"), "a pledge is refunded or disputed, not both"),
        (("x", "--refund-rate", "nan"), "'--refund-rate': Input should be"),
        (("--gateway", "http://127.0.0.1:9", "--rate", "inf"), "'--rate': Input should be less than or equal to"),
        (("x", "--currency", "eur"), "'eur' is not an active ISO 4217 code in capitals, such as EUR"),
        (("x", "--source", "a/b"), "'a/b' is no name of a source"),
        (("x", "--opens-on", "tomorrow"), "'tomorrow' does not match the formats '%Y-%m-%d'"),
        (("x", "--opens-on", "9990-01-01"), "open between 2009 and"),
        (("x", "--opens-on", "1969-01-01"), "open between 2009 and"),
        (("--gateway", "http://127.0.0.1:9", "--opens-on", "2100-01-01"), "a gateway takes nothing of the future"),
        (("--gateway", "http://127.0.0.1:9"), "CERCLES_SEND_ADMIN_KEY"),
        (("--gateway", "http://127.0.0.1:9", "--admin-key", "k"), "CERCLES_SEND_SECRET"),
        (("--gateway", "http://127.0.0.1:9", "--admin-key", "k", "--secret", "whsec_"), "Standard Webhooks"),
    ],
)
def test_what_was_asked_wrongly_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2, with what is wrong; nothing is written."""
    monkeypatch.chdir(tmp_path)
    code, out, err = simulated(*arguments)
    assert (code, out) == (2, "")
    assert words in " ".join(err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Exit code 1, at the beginning or when the disk is full."""
    assert simulated(str(tmp_path / "nowhere" / "x"))[::2] == (
        1,
        f"cercles: {tmp_path}/nowhere/x: No such file or directory\n",
    )
    assert simulated("/dev/full")[::2] == (1, "cercles: /dev/full: No space left on device\n")


def test_a_reader_that_has_seen_enough_ends_it() -> None:
    """`cercles simulate - | head` is no failure with a traceback."""
    command = f"{sys.executable} -m cercles simulate - --pledges 20000 | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith('{"type":"cercles.campaign.launched"')
    assert done.stderr == ""


def test_a_gateway_that_is_away_is_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded number of attempts."""
    monkeypatch.setattr("producers.sending.WAIT_FIRST_SECONDS", 0.0)
    code, _, err = simulated("--gateway", "http://127.0.0.1:9", "--admin-key", "k", "--secret", SECRET)
    assert code == 3
    assert "nothing listens at http://127.0.0.1:9" in err


def answered(stack: Stack, campaign_id: str) -> dict[str, Any]:
    """Return what the reader says of a campaign in the words of the prediction."""
    answer = httpx.get(f"{stack.address('reader')}/v1/campaigns/{campaign_id}").json()
    return {
        "campaign_id": campaign_id,
        "totals": {name: answer["totals"][name] for name in ("currency", *TOTALS, "backers")},
        "circles": [
            {name: one[name] for name in ("circle", "pledged_minor", "collected_minor", "backers")}
            for one in answer["circles"]
        ],
        "unattributed": answer["unattributed"],
    }


def send(stack: Stack, data: Path, *arguments: str) -> dict[str, Any]:
    """Simulate into the stack; return the prediction."""
    secrets = {
        "CERCLES_SEND_SECRET": (data / "secrets" / "source_example").read_text().strip(),
        "CERCLES_SEND_ADMIN_KEY": (data / "secrets" / "admin_key").read_text().strip(),
    }
    arguments = ("--gateway", stack.address("gateway"), "--json", *arguments)
    found: dict[str, Any] = json.loads(in_a_process(*arguments, **secrets))
    return found


def events_stored(stack: Stack) -> int:
    """Return how many events of the log show in the database."""
    metrics = httpx.get(stack.address("metrics of campaigns")).text
    return sum(int(float(line.split()[1])) for line in metrics.splitlines() if line.startswith("cercles_log_position{"))


def test_a_real_pipeline_comes_to_the_totals_that_were_predicted(tmp_path: Path) -> None:
    """Campaigns of every kind, through gateway, Kafka, worker and sink; sent twice, they come to the same."""
    data = tmp_path / "data"
    busy = ("--repeat-rate", "0.3", "--disorder-rate", "0.3", "--refund-rate", "0.2", "--dispute-rate", "0.2")
    with up(data) as stack:
        predicted = send(stack, data, *SMALL, "--seed", "5", *busy)
        eventually(lambda: events_stored(stack) >= predicted["events"])
        wanted = [{name: value for name, value in one.items() if name != "events"} for one in predicted["campaigns"]]
        assert [answered(stack, one["campaign_id"]) for one in wanted] == wanted
        assert any(one["totals"]["collected_minor"] != one["totals"]["pledged_minor"] for one in wanted)

        began = datetime.now(UTC)
        assert send(stack, data, *SMALL, "--seed", "5", *busy, "--rate", "400", "--batch-events", "50") == predicted
        seconds = (datetime.now(UTC) - began).total_seconds()
        assert seconds >= (predicted["events"] - 100) / 400, "no faster than asked"
        eventually(lambda: events_stored(stack) >= 2 * predicted["events"])
        assert [answered(stack, one["campaign_id"]) for one in wanted] == wanted
