"""A real Prometheus with the project's own rules, in which a minute has become a second."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

import cercles.leash
from cercles.ports import LOOPBACK, free_ports
from tests.monitoring.files import PROMETHEUS, RULE_FILES, read_yaml

INTERVAL: Final = "500ms"
"""Between two scrapes, and between two looks at the rules."""

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 10.0

SHORTER: Final = {
    "CerclesProcessStalled": ("> 30", "> 3"),
    "CerclesPaymentNotSeen": ("> 3600", "> 5"),
    "CerclesDeadLettersLeftOpen": ("> 24 * 3600", "> 5"),
}
"""Thresholds that are times, and what stands for them: nobody waits for a day."""


class Prometheus:
    """A server that runs, and what it knows."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=10.0)

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression as of now. Raises AssertionError when it is none."""
        answer = self._client.get("/query", params={"query": expression})
        assert answer.is_success, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        answer = self._client.get("/alerts").raise_for_status()
        return {one["labels"]["alertname"] for one in answer.json()["data"]["alerts"] if one["state"] == "firing"}

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def render(directory: Path, ports: Mapping[str, int]) -> None:
    """Write the configuration with the jobs at these ports of loopback, and the rules with seconds for minutes."""
    config = read_yaml(PROMETHEUS / "prometheus.yml")
    config["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), INTERVAL)
    config["scrape_configs"] = [
        {"job_name": job["job_name"], "static_configs": [{"targets": [f"{LOOPBACK}:{ports[job['job_name']]}"]}]}
        for job in config["scrape_configs"]
    ]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (directory / "rules").mkdir()
    for path in RULE_FILES:
        content = read_yaml(path)
        for group in content["groups"]:
            group["rules"] = [_quick(rule) for rule in group["rules"]]
        (directory / "rules" / path.name).write_text(yaml.safe_dump(content), encoding="utf-8")


def _quick(rule: Mapping[str, Any]) -> dict[str, Any]:
    quick = dict(rule)
    for key in {"expr", "for"} & rule.keys():
        quick[key] = re.sub(r"\b(\d+)m\b", r"\1s", rule[key])
    if rule.get("alert") in SHORTER:
        before, after = SHORTER[rule["alert"]]
        assert before in quick["expr"]
        quick["expr"] = quick["expr"].replace(before, after)
    return quick


@contextmanager
def running(directory: Path, ports: Mapping[str, int]) -> Iterator[Prometheus]:
    """Run a server that scrapes these ports; whatever happens, it is gone afterwards. Raises TimeoutError."""
    program = shutil.which("prometheus")
    assert program is not None
    render(directory, ports)
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    log_path = directory / "prometheus.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, cercles.leash.__file__, str(os.getpid()), program),
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'tsdb'}",
                f"--web.listen-address={LOOPBACK}:{port}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Prometheus(url)
    try:
        _await_ready(process, url, log_path)
        yield server
    finally:
        server.close()
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: "subprocess.Popen[bytes]", url: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not _is_ready(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"Prometheus does not answer: {log_path.read_text()[-2000:]}")
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False
