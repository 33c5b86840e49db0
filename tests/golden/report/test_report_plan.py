"""Plans as text, JSON, Markdown and stream: golden files, schemas, colour, and no secret anywhere."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator
from report_builders import (
    CANARY,
    NOW,
    assert_golden,
    everything,
    first,
    nothing,
    operation,
    plan,
    with_canary,
)

from reconciler.core.values import Action, Change, Origin, Outcome, Result, Standing, Step
from reconciler.report.palette import COLOUR
from reconciler.report.plan_json import plan_json
from reconciler.report.plan_markdown import render_plan_markdown
from reconciler.report.plan_text import render_drift, render_plan
from reconciler.report.stream import outcome_line, planned_lines, progress_line, start_line, version_line

PLANS = {"everything": everything, "first": first, "nothing": nothing}


def schema_of(name: str) -> Draft202012Validator:
    schema = json.loads(files("schemas").joinpath(f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("name", PLANS)
def test_plan_text_is_as_recorded(name):
    assert_golden(f"plan_{name}.txt", render_plan(PLANS[name](), dry_run=True))


@pytest.mark.parametrize("name", PLANS)
def test_plan_json_is_as_recorded_and_valid(name):
    document = plan_json(PLANS[name]())
    schema_of("plan").validate(document)
    assert_golden(f"plan_{name}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("name", PLANS)
def test_plan_markdown_is_as_recorded(name):
    assert_golden(f"plan_{name}.md", render_plan_markdown(PLANS[name]()))


def test_stream_is_as_recorded():
    done = operation("edge.process", action=Action.RESTART)
    outcomes = [
        Outcome(operation=done, result=result, started_at=NOW, ended_at=NOW + 1.5, detail="pid 812")
        for result in Result
    ]
    lines = [
        version_line("0.1.0", NOW),
        *planned_lines(everything()),
        start_line(done, NOW),
        progress_line(done, "waiting for health", elapsed_s=10.0, at=NOW + 10),
        *map(outcome_line, outcomes),
    ]
    for line in lines:
        assert {"@level", "@message", "@module", "@timestamp", "type"} <= line.keys()
    assert_golden("stream.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def test_equal_plans_give_equal_bytes():
    assert render_plan(everything()) == render_plan(everything())
    assert json.dumps(plan_json(everything())) == json.dumps(plan_json(everything()))


def test_colour_only_adds_escapes():
    coloured = render_plan(everything(), palette=COLOUR)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_plan(everything())


def test_only_a_dry_run_says_that_nothing_was_changed():
    assert render_plan(first(), dry_run=True).endswith("Nothing was changed.\n")
    assert "Nothing was changed." not in render_plan(first())


def test_drift_that_is_left_stands_with_the_drift_and_not_with_the_wishes():
    moved = operation("runtime.pricing.video", origin=Origin.DRIFT)
    left = plan(Step(moved, Standing.BLOCKED, "reported, not healed"))
    for text in (render_plan(left), render_drift(left)):
        assert "Changed outside, and left so\n  ~ runtime.pricing.video" in text
        assert "Changed outside: nothing." not in text
        assert "Will not do now" not in text


def test_sensitive_values_are_in_no_output():
    leaky = with_canary()
    outputs = [
        render_plan(leaky),
        json.dumps(plan_json(leaky)),
        render_plan_markdown(leaky),
        json.dumps(planned_lines(leaky)),
    ]
    assert not [text for text in outputs if CANARY in text]
    assert "(sensitive)" in outputs[0]
    assert plan_json(leaky)["resource_changes"][0]["change"]["changed"] is True


def test_a_name_cannot_break_out_of_its_markdown_cell():
    hostile = operation("edge.names", change=Change(before="a", after="b | c\n<script> @everyone"))
    row = next(line for line in render_plan_markdown(plan(hostile)).splitlines() if line.startswith("| `"))
    assert "<script>" not in row
    assert "@everyone" not in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 8
