"""The files that operations gives to Prometheus and Grafana, as the tests of this folder read them."""

import json
import re
from pathlib import Path
from typing import Any, Final

import yaml

from tests.project.documents import ROOT

PROMETHEUS: Final = ROOT / "ops" / "prometheus"
GRAFANA: Final = ROOT / "ops" / "grafana"
RUNBOOK: Final = ROOT / "ops" / "runbook.md"
RULE_FILES: Final = tuple(sorted(PROMETHEUS.glob("rules/*.yml")))
DASHBOARD_FILES: Final = tuple(sorted(GRAFANA.glob("dashboards/*.json")))

Rule = dict[str, Any]

_METRIC: Final = re.compile(r"\b(?:\w+:)*(?:cercles|process)_\w+(?::\w+)?")


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules() -> list[Rule]:
    """Return every rule, in the order of the files."""
    return [rule for path in RULE_FILES for group in read_yaml(path)["groups"] for rule in group["rules"]]


def alerts() -> dict[str, Rule]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> set[str]:
    """Return the names that recording rules make."""
    return {rule["record"] for rule in rules() if "record" in rule}


def scrape_configs() -> dict[str, dict[str, Any]]:
    """Return how each job is scraped, by its name."""
    return {job["job_name"]: job for job in read_yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]}


def dashboards() -> dict[str, dict[str, Any]]:
    """Return the dashboards by the names of their files."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARD_FILES}


def expressions() -> dict[str, str]:
    """Return every expression of a dashboard, by dashboard, panel and letter."""
    return {
        f"{name}: {panel['title']}: {target['refId']}": target["expr"]
        for name, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }


def metrics_in(expression: str) -> set[str]:
    """Return the names of metrics and recorded series that an expression asks for; not `up` and `ALERTS`."""
    without_texts = re.sub(r'"[^"]*"', "", expression)
    return set(_METRIC.findall(without_texts))
