"""Status and events as text and JSON, and the metrics' names: golden files and schemas."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from report_builders import NOW, assert_golden, everything
from report_statuses import busy_status, quiet_status
from test_report_plan import schema_of

from reconciler.core.tally import Figures, Histogram, Tally
from reconciler.core.values import Event
from reconciler.report.events import event_json, render_event
from reconciler.report.metrics import Measured, render_metrics
from reconciler.report.palette import COLOUR
from reconciler.report.status_json import status_json
from reconciler.report.status_text import render_status

STATUSES = {"quiet": quiet_status, "busy": busy_status}
KINDS = ("edge", "runtime", "gpus")


def figures(**fields) -> Figures:
    tally = Tally()
    tally.know(KINDS)
    return replace(tally.figures(queue_depth=0), **fields)


def measured(of: Figures, status=None) -> Measured:
    return Measured(kinds=KINDS, figures=of, status=status, now=NOW)


def values(of: Measured) -> dict[str, float]:
    families = text_string_to_metric_families(render_metrics(of).decode())
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
        fields={"target": "edge.process", "detail": "exited 1", "duration_s": 0.25, "lane": "edge"},
    )
    schema_of("event").validate(event_json(event))
    assert render_event(event) == (
        '2027-01-15 08:00:00 UTC  operation.failed      target=edge.process detail="exited 1" duration_s=0.25'
    )


def test_metric_series_are_as_recorded_and_start_at_zero():
    assert_golden("metrics.txt", render_metrics(measured(figures())).decode())
    assert set(values(measured(figures())).values()) == {0.0}


def test_metrics_show_the_loops_figures():
    found = values(
        measured(
            figures(
                runs={("edge", "ok"): 4},
                run_seconds=Histogram().with_one(0.2).with_one(4000),
                actuations={("edge", "done"): 3},
                vetoed_total=2,
                queue_depth=5,
                running_since=NOW - 7,
                observed_at={"edge": NOW - 3},
                drifting_since={"edge": NOW - 30},
                last_success_at=NOW - 1,
                declared_at=NOW - 60,
            )
        )
    )
    expected = {
        'reconcile_total{"result": "ok", "unit": "edge"}': 4,
        'reconcile_seconds_bucket{"le": "0.5"}': 1,
        'reconcile_seconds_bucket{"le": "+Inf"}': 2,
        "reconcile_seconds_sum{}": 4000.2,
        'actuation_total{"kind": "edge", "result": "done"}': 3,
        "actuation_vetoed_total{}": 2,
        "queue_depth{}": 5,
        "unfinished_seconds{}": 7,
        'observed_age_seconds{"source": "edge"}': 3,
        'observed_age_seconds{"source": "runtime"}': 60,  # never seen: as old as what it is to be
        'drift_seconds{"unit": "edge"}': 30,
        "last_success_timestamp_seconds{}": NOW - 1,
        "source_age_seconds{}": 60,
    }
    assert {name: found[f"orchestrator_operator_{name}"] for name in expected} == expected


def test_metrics_show_the_newest_status():
    core = replace(busy_status().core, plan=everything())
    found = values(measured(figures(), core))
    assert found['orchestrator_operator_condition{"status": "False", "type": "Ready"}'] == 1
    assert found['orchestrator_operator_condition{"status": "True", "type": "Ready"}'] == 0
    assert found["orchestrator_operator_suspended{}"] == 1
    assert found['orchestrator_operator_plan_changes{"action": "restart", "impact": "restart"}'] == 1


def test_no_series_of_a_closed_set_ever_appears_later():
    later = values(measured(figures(runs={("edge", "ok"): 1}), busy_status().core)).keys()
    from_the_start = values(measured(figures())).keys()
    assert {name for name in later - from_the_start if "condition" not in name} == set()
