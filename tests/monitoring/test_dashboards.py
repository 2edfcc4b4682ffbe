"""The dashboards' form; test_panels.py runs their queries."""

import json
from itertools import combinations
from pathlib import Path

import pytest
import yaml

GRAFANA = Path(__file__).resolve().parents[2] / "monitoring" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
EACH = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_there_is_one_dashboard_for_the_service_and_one_for_the_model():
    assert list(DASHBOARDS) == ["model", "service"]
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == 2


@EACH
def test_panels_do_not_overlap_and_fit_the_grid(dashboard):
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        assert place["w"] >= 4
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@EACH
def test_panels_have_titles_and_ids_of_their_own(dashboard):
    for key in ("title", "id"):
        values = [panel[key] for panel in dashboard["panels"]]
        assert all(values)
        assert len(set(values)) == len(values)


@EACH
def test_panels_have_units_and_queries_of_the_chosen_data_source(dashboard):
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert {"datasource", "job"} <= variables
    for panel in panels(dashboard):
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert 'job=~"$job"' in target["expr"], "several services share a Prometheus"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@EACH
def test_all_services_are_those_that_have_a_model_and_not_whatever_is_scraped(dashboard):
    [job] = [variable for variable in dashboard["templating"]["list"] if variable["name"] == "job"]
    assert job["query"]["query"] == "label_values(model_loaded, job)"
    assert job["includeAll"]
    assert "allValue" not in job, "it takes the place of the values that the query finds"


@EACH
def test_charts_of_many_series_name_them(dashboard):
    for panel in panels(dashboard):
        for target in panel["targets"]:
            if panel["type"] in ("timeseries", "bargauge"):
                assert target["legendFormat"], panel["title"]


def test_provisioning_names_a_data_source_and_a_folder_of_dashboards():
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["uid"], source["isDefault"]) == ("prometheus", "prometheus", True)
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/dashboards.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
