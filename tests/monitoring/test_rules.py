"""The alerts: each one explained, tested, and about series that exist."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from cercles.processes import DESCRIPTIONS
from cercles.reference.metrics import campaign_metrics, process_metrics
from schemas.topics import LOG
from tests.monitoring.files import (
    PROMETHEUS,
    RULE_FILES,
    RUNBOOK,
    Rule,
    alerts,
    dashboards,
    expressions,
    metrics_in,
    read_yaml,
    recorded,
    rules,
    scrape_configs,
)
from tests.monitoring.prometheus import SHORTER, render
from tests.project.documents import ROOT

UNIT_TESTS: Final = read_yaml(PROMETHEUS / "tests" / "alerts.yml")
ALERTS: Final = alerts()
SCALED: Final = {"resolver", "worker", "sink"}
"""Of these there may be several (tests/project/test_compose.py)."""

PARTS: Final = ("**Means:**", "**Hurts:**", "**Look", "**Over when:**")
OF_EVERY_PROCESS: Final = {
    "cercles_process_stalled_seconds",  # cercles/stall_watch.py
    # The Prometheus client's own (ProcessCollector).
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
}


@cache
def series() -> frozenset[str]:
    """Return the name of every series that a process of ours serves, or that a rule records."""
    names = OF_EVERY_PROCESS | recorded()
    for metric in [family for of_one in process_metrics().values() for one in of_one for family in one.describe()]:
        endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(metric.type, ("",))
        names |= {metric.name + ending for ending in endings}
    return frozenset(names) | {one.name + ("_total" if one.type == "counter" else "") for one in campaign_metrics()}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_it_is_for_whom_and_where_to_read_on(name: str) -> None:
    """Whoever is woken finds the words and the page."""
    rule = ALERTS[name]
    assert rule["labels"].keys() == {"severity", "team"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["labels"]["team"] in {"operations", "payments"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert ROOT / page == RUNBOOK
    assert anchor == name.lower()


def test_runbook_has_a_section_for_each_alert_and_for_no_other() -> None:
    """In the order of the rules, so that one finds the other; each tells what there is to tell."""
    _, *sections = RUNBOOK.read_text(encoding="utf-8").split("\n## ")
    assert [section.partition("\n")[0] for section in sections] == list(ALERTS)
    for section in sections:
        assert [part for part in PARTS if part not in section] == [], section.partition("\n")[0]
        assert re.search(r"\*\*(?:Look, do|Do):\*\*|\*\*Look, do:\*\*", section), section.partition("\n")[0]


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_unit_test_in_which_it_fires_and_clears(name: str) -> None:
    """Quiet, then firing, then quiet again, in one story."""
    assert any(
        [bool(moment.get("exp_alerts")) for moment in test["alert_rule_test"]][:3] == [False, True, False]
        for test in UNIT_TESTS["tests"]
        if all(moment["alertname"] == name for moment in test["alert_rule_test"])
    )


def test_unit_tests_load_every_rule() -> None:
    """A rule file that is added is tested too."""
    named = {(PROMETHEUS / "tests" / path).resolve() for path in UNIT_TESTS["rule_files"]}
    assert named == set(RULE_FILES)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rule_asks_for_series_that_exist(rule: Rule) -> None:
    """A metric that is renamed would silence an alert."""
    assert metrics_in(rule["expr"]) - series() == set()


def test_dashboards_ask_for_series_that_exist() -> None:
    """The same of every panel and every list to choose from."""
    asked = dict(expressions())
    for name, dashboard in dashboards().items():
        asked |= {f"{name}: {one['name']}": one["query"]["query"] for one in dashboard["templating"]["list"]}
    known = series()
    assert {name: unknown for name, one in asked.items() if (unknown := metrics_in(one) - known)} == {}


def test_log_of_the_rules_is_the_log() -> None:
    """A topic's name stands in an expression as a text."""
    assert f'topic="{LOG.name}"' in ALERTS["CerclesAcceptedEventsDoNotArrive"]["expr"]


def test_every_service_is_scraped_where_compose_puts_it() -> None:
    """A job for each process of ours at its operations port, and the campaigns' metrics."""
    services: dict[str, Any] = read_yaml(ROOT / "docker-compose.yml")["services"]
    jobs = scrape_configs()
    assert jobs.keys() == {*DESCRIPTIONS, "campaigns"}
    for name in DESCRIPTIONS:
        port = int(services[name]["environment"]["CERCLES_OPERATIONS_PORT"])
        at_once = {"static_configs": [{"targets": [f"{name}:{port}"]}]}
        as_many_as_there_are = {
            "dns_sd_configs": [{"names": [name], "type": "A", "port": port, "refresh_interval": "15s"}]
        }
        assert jobs[name] == {"job_name": name} | (as_many_as_there_are if name in SCALED else at_once)
    exporter = services["exporter"]["environment"]["CERCLES_EXPORTER_PORT"]
    assert jobs["campaigns"]["static_configs"] == [{"targets": [f"exporter:{exporter}"]}]


@pytest.mark.parametrize("name", ["CerclesTargetDown", "CerclesProcessMissing"])
def test_alerts_on_targets_know_every_job(name: str) -> None:
    """A job that is added is watched too."""
    expected = set(scrape_configs()) - ({"campaigns"} if name == "CerclesProcessMissing" else set())
    [matcher] = re.findall(r'job=~"([^"]+)"', ALERTS[name]["expr"])
    assert set(matcher.split("|")) == expected
    if name == "CerclesProcessMissing":
        assert set(re.findall(r'absent\(up\{job="(\w+)"\}\)', ALERTS[name]["expr"])) == expected


def test_quick_rules_differ_in_times_alone(tmp_path: Path) -> None:
    """What the live tests run is what operations runs, a minute being a second there."""
    render(tmp_path, dict.fromkeys(scrape_configs(), 1))
    for path in RULE_FILES:
        quick = (tmp_path / "rules" / path.name).read_text(encoding="utf-8")
        slow = yaml.safe_dump(read_yaml(path))
        for before, after in SHORTER.values():
            slow, quick = slow.replace(before, after), quick.replace(before, after)
        assert re.sub(r"\b(\d+)m\b", r"\1s", slow) == quick


def test_promtool_takes_the_configuration_and_the_alerts_behave() -> None:
    """`make check` asks the same; here so that a run of the tests alone is enough."""
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool (Debian, Ubuntu: apt-get install prometheus)")
    checked = subprocess.run(
        ["sh", ROOT / "ops" / "check_alerts.sh"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
