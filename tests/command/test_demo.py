"""The demo from end to end: real Kafka, real processes, real HTTP."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from cercles.demo.story import LES_ANGES_ANONYMES

DEMO_SECONDS_MAX = 240


def a_demo(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a demo whose temporary directories are made in that one."""
    environment = dict(os.environ) | {"TMPDIR": str(directory)}
    command = [sys.executable, "-m", "cercles", "demo", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_demo_ends_at_115_percent_with_one_line_of_json(tmp_path: Path) -> None:
    """It ends by itself with exit code 0, every number the story's, and leaves nothing behind."""
    with a_demo(tmp_path, "--json", "--pace", "5") as demo:
        out, err = demo.communicate(timeout=DEMO_SECONDS_MAX)
    assert demo.returncode == 0, err
    assert out.count("\n") == 1
    result = json.loads(out)
    [campaign] = result["campaigns"]
    milestones = [(one["type"], one.get("step") or one["occurrence"]) for one in campaign.pop("milestones")]
    assert campaign == {
        "campaign_id": "les-anges-anonymes",
        "currency": "EUR",
        "goal_minor": 1_500_000,
        "pledged_minor": 1_723_000,
        "collected_minor": 1_446_000,
        "percent": 115,
        "circles": {
            "friends": {"pledged_minor": 596_500, "collected_minor": 516_500, "backers": 31},
            "friends_of_friends": {"pledged_minor": 632_500, "collected_minor": 575_000, "backers": 64},
            "public": {"pledged_minor": 466_500, "collected_minor": 331_000, "backers": 83},
            "unattributed": {"pledged_minor": 27_500, "collected_minor": 23_500, "backers": 9},
        },
        "backers": 183,
    }
    assert milestones == [
        ("cercles.milestone.passed", 25),
        ("cercles.milestone.passed", 50),
        ("cercles.milestone.passed", 75),
        ("cercles.goal.reached", 1),
        ("cercles.goal.lost", 1),
        ("cercles.goal.reached", 2),
        ("cercles.goal.overfunded", 100),
        ("cercles.goal.overfunded", 105),
        ("cercles.goal.overfunded", 110),
    ]
    assert result["dead_letters"] == 3
    assert result["events_sent"] == result["events_applied"] + result["events_unchanged"] + result["dead_letters"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("cercles-demo-")]


def test_a_demo_whose_numbers_are_not_the_storys_fails_with_the_difference(tmp_path: Path) -> None:
    """A story that expects one cent more: non-zero exit, the difference from every side, and the logs are kept."""
    story = tmp_path / "story.toml"
    text = LES_ANGES_ANONYMES.read_text(encoding="utf-8")
    story.write_text(
        text.replace('pledged = "17230.00"\ncollected', 'pledged = "17230.01"\ncollected'), encoding="utf-8"
    )
    with a_demo(tmp_path, "--json", "--pace", "0", "--story", str(story), "--data", str(tmp_path / "data")) as demo:
        out, err = demo.communicate(timeout=DEMO_SECONDS_MAX)
    assert (demo.returncode, out) == (1, ""), err
    for where in ("reader", "reader, days", "rows of ledger_entries", "rows of pledges", "rows of day_totals"):
        assert f"{where}: totals, campaign pledged_minor is 1723000, the story says 1723001" in err
    assert "the demo failed" in err
    assert (tmp_path / "data" / "logs" / "worker.log").exists()


def test_an_interrupted_demo_stops_everything(tmp_path: Path) -> None:
    """In the middle of its story: exit code 130, and no temporary directory is left."""
    with a_demo(tmp_path, "--pace", "60") as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if "25 %" in line or "Les Anges Anonymes" in line:
                break
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=60)
    assert (demo.returncode, out) == (130, ""), err
    assert "interrupted by SIGINT" in err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("cercles-demo-")]


def test_a_directory_with_something_in_it_is_not_begun_afresh(tmp_path: Path) -> None:
    """Nothing of somebody's is ever deleted or mixed with a demo's."""
    (tmp_path / "mine.txt").write_text("mine")
    with a_demo(tmp_path, "--data", str(tmp_path)) as demo:
        _, err = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "is not empty" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
