"""Status and events as text and JSON, and the metrics' names: golden files and schemas."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from report_builders import NOW, assert_golden, busy_status, everything, nothing, operation, quiet_status
from test_report_plan import schema_of

from reconciler.core.values import Event, Origin, Outcome, Result
from reconciler.report.events import event_json, render_event
from reconciler.report.metrics import OperatorMetrics
from reconciler.report.palette import COLOUR
from reconciler.report.status_json import status_json
from reconciler.report.status_text import render_status

STATUSES = {"quiet": quiet_status, "busy": busy_status}
KINDS = ("edge", "runtime", "gpus")


def metrics() -> OperatorMetrics:
    return OperatorMetrics(kinds=KINDS, units=("node",))


def values(of: OperatorMetrics) -> dict[str, float]:
    families = text_string_to_metric_families(of.render().decode())
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("name", STATUSES)
def test_status_text_is_as_recorded(name):
    assert_golden(f"status_{name}.txt", render_status(STATUSES[name]()))


@pytest.mark.parametrize("name", STATUSES)
def test_status_json_is_as_recorded_and_valid(name):
    document = status_json(STATUSES[name]())
    schema_of("status").validate(document)
    assert_golden(f"status_{name}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def test_status_colour_only_adds_escapes():
    coloured = render_status(busy_status(), palette=COLOUR)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_status(busy_status())


def test_events_are_valid_and_readable():
    event = Event(
        sequence=7,
        at=NOW,
        name="operation.failed",
        fields={"target": "edge.process", "reason": "exited 1", "duration_s": 0.25, "retry": None},
    )
    schema_of("event").validate(event_json(event))
    assert render_event(event) == (
        "2027-01-15 08:00:00 UTC  operation.failed      "
        'target=edge.process reason="exited 1" duration_s=0.25 retry=(none)'
    )


def test_metric_series_are_as_recorded_and_start_at_zero():
    assert_golden("metrics.txt", metrics().render().decode())
    assert {value for name, value in values(metrics()).items()} == {0.0}


def test_metrics_count_runs_outcomes_and_vetoes():
    of = metrics()
    of.record_run("node", "success", duration_s=0.2, ended_at=NOW)
    of.record_outcome(
        Outcome(operation=operation("edge.process"), result=Result.DONE, started_at=NOW, ended_at=NOW)
    )
    of.record_status(busy_status())
    of.record_status(busy_status())
    of.record_queue(depth=2, unfinished_s=1.5)
    of.record_wait(0.01)
    of.record_ages(source_s=12, observed_s={"edge": 3})
    found = values(of)
    assert found['orchestrator_operator_reconcile_total{"result": "success", "unit": "node"}'] == 1
    assert found['orchestrator_operator_actuation_total{"kind": "edge", "result": "done"}'] == 1
    assert found["orchestrator_operator_actuation_vetoed_total{}"] == 1
    assert found['orchestrator_operator_condition{"status": "False", "type": "Ready"}'] == 1
    assert found["orchestrator_operator_suspended{}"] == 1
    assert found["orchestrator_operator_last_success_timestamp_seconds{}"] == NOW
    assert found['orchestrator_operator_observed_age_seconds{"source": "edge"}'] == 3


def test_drift_age_grows_until_the_drift_is_gone():
    of = metrics()
    moved = replace(everything(), steps=everything().of(Origin.DRIFT))
    of.record_plan(moved)
    of.record_plan(replace(moved, created_at=NOW + 30))
    assert values(of)['orchestrator_operator_drift_seconds{"unit": "edge"}'] == 30
    of.record_plan(replace(nothing(), created_at=NOW + 60))
    assert values(of)['orchestrator_operator_drift_seconds{"unit": "edge"}'] == 0


def test_plan_changes_show_the_latest_plan_only():
    of = metrics()
    of.record_plan(everything())
    name = 'orchestrator_operator_plan_changes{"action": "restart", "impact": "restart"}'
    assert values(of)[name] == 1
    of.record_plan(nothing())
    assert values(of)[name] == 0
