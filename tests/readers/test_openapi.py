"""The OpenAPI document is true: whatever it allows is answered as it says, whatever it forbids is refused."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.readers.conftest import READ_KEY, StartReader
from tests.readers.stored import Line, Stored

EXAMPLES = 10
SECONDS_MAX = 200
# A 504 is what a wait that comes to nothing is answered with; every other 5xx fails.
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "504"]
"""


def test_every_answer_is_as_the_document_says(stored: Stored, start_reader: StartReader, tmp_path: Path) -> None:
    """No 500; only documented statuses, content types and contents; what the document forbids is refused."""
    stored.campaign(rewards=[{"reward_id": "poster", "quantity": 2}])
    stored.reward("poster", 1, 1)
    stored.entries(1, [Line(2_000)])
    stored.milestone(1, "cercles.goal.reached", occurrence=1)
    stored.dead_letter(2)
    stored.progress(4)
    api = start_reader(wait_seconds=0.01, wait_poll_seconds=0.01, stream_seconds=0.01)
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    run = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            *("--config-file", str(configuration), "run", str(api.base_url.join("/openapi.json"))),
            *("--header", f"Authorization: Bearer {READ_KEY}", "--max-examples", str(EXAMPLES), "--seed", "1"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"Tested: 10\b", run.stdout), run.stdout


def document(api: httpx.Client) -> dict[str, Any]:
    """Return the document."""
    answer: dict[str, Any] = api.get("/openapi.json").raise_for_status().json()
    return answer


def test_the_document_names_every_route_and_its_problems(api: httpx.Client) -> None:
    """Each route with `wait_for`, problem+json for every error, and the key where it is asked for."""
    paths = document(api)["paths"]
    campaign = "/v1/campaigns/{campaign_id}"
    keyed = {f"{campaign}/entries", f"{campaign}/events/{{position}}"}
    stream = f"{campaign}/stream"
    assert set(paths) == keyed | {"/v1/campaigns", campaign, stream} | {
        f"{campaign}/{part}" for part in ("circles", "days", "rewards", "shares", "milestones")
    }
    for path, item in paths.items():
        operation = item["get"]
        waits = {"wait_for"} <= {parameter["name"] for parameter in operation["parameters"]}
        assert waits == ({"304", "504"} <= set(operation["responses"])) == (path != stream)
        assert set(operation["responses"]) >= {"200", "400", "404", "503"}
        assert ({"401", "403"} <= set(operation["responses"])) == (path in keyed)
        assert bool(operation.get("security")) == (path in keyed)
        for status, response in operation["responses"].items():
            assert status in ("200", "304") or set(response["content"]) == {"application/problem+json"}


def test_the_document_does_not_name_what_is_not_answered(api: httpx.Client) -> None:
    """No backer, owner or source in any schema."""
    assert not re.search(r"backer_id|owner_id|sources", api.get("/openapi.json").text)


def test_patterns_are_those_of_json_schema(api: httpx.Client) -> None:
    """ECMA 262, whose `$` is the very end; what Python needs to say the same is no business of the document's."""
    patterns = set(re.findall(r'"pattern":"([^"]*)"', api.get("/openapi.json").text))
    assert len(patterns) >= 4
    assert all(pattern.startswith("^") and pattern.endswith("$") for pattern in patterns)
