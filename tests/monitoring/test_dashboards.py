"""The dashboards as Grafana will load them: provisioned, complete, and without two panels in one place."""

from typing import Any, Final

import pytest

from tests.monitoring.files import GRAFANA, PROMETHEUS, dashboards, read_yaml
from tests.project.documents import ROOT

DASHBOARDS: Final = dashboards()
COLUMNS: Final = 24
"""Width of Grafana's grid."""


def panels(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARDS[name]["panels"]
    return found


def targets_of(service: str) -> set[str]:
    """Return the files that Compose puts into a container."""
    return {config["target"] for config in read_yaml(ROOT / "docker-compose.yml")["services"][service]["configs"]}


def test_there_is_one_for_the_business_and_one_for_the_pipeline() -> None:
    """Each has an address of its own, which stays when its title changes."""
    assert {name: board["uid"] for name, board in DASHBOARDS.items()} == {
        "campaigns": "cercles-campaigns",
        "pipeline": "cercles-pipeline",
    }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_are_complete_and_ask_the_provisioned_source(name: str) -> None:
    """Each has a title, words, and expressions to the data source whose id is provisioned."""
    [source] = read_yaml(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    wanted = {"type": source["type"], "uid": source["uid"]}
    assert all(one["datasource"] == wanted for one in DASHBOARDS[name]["templating"]["list"])
    for panel in panels(name):
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["description"], panel["title"]
        assert panel["targets"], panel["title"]
        assert {"type": wanted["type"], "uid": wanted["uid"]} == panel["datasource"]
        assert all(target["datasource"] == wanted and target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_numbers_and_places_of_their_own(name: str) -> None:
    """No two cover each other, and none hangs over the edge."""
    assert len({panel["id"] for panel in panels(name)}) == len(panels(name))
    taken: set[tuple[int, int]] = set()
    for panel in panels(name):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells


def test_compose_puts_the_files_where_their_readers_look() -> None:
    """Prometheus finds the rules beside its configuration; Grafana the dashboards where the provider looks."""
    config = read_yaml(PROMETHEUS / "prometheus.yml")
    assert config["rule_files"] == ["rules/*.yml"]
    rules = {f"/etc/prometheus/rules/{path.name}" for path in PROMETHEUS.glob("rules/*.yml")}
    assert targets_of("prometheus") == rules | {"/etc/prometheus/prometheus.yml"}
    [provider] = read_yaml(GRAFANA / "provisioning" / "dashboards" / "cercles.yml")["providers"]
    boards = {f"{provider['options']['path']}/{name}.json" for name in DASHBOARDS}
    assert targets_of("grafana") == boards | {
        "/etc/grafana/provisioning/datasources/prometheus.yml",
        "/etc/grafana/provisioning/dashboards/cercles.yml",
    }


def test_source_knows_how_often_is_scraped() -> None:
    """Grafana makes its shortest window of it."""
    [source] = read_yaml(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    assert source["jsonData"]["timeInterval"] == read_yaml(PROMETHEUS / "prometheus.yml")["global"]["scrape_interval"]
