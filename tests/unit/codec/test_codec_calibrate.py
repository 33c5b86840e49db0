"""Which preset the measurement picks, and what it prints."""

import json
import subprocess
import sys

from runtime.video.calibrate import PRESETS, Measured, chosen, measure, report


def measured(*frames_per_s):
    return [
        Measured(preset=preset, frames_per_s=value)
        for preset, value in zip(PRESETS, frames_per_s, strict=False)
    ]


def test_sessions_are_held_with_a_quarter_in_reserve():
    assert [entry.sessions for entry in measured(37.4, 37.5, 75, 112.4)] == [0, 1, 2, 2]


def test_the_slowest_preset_that_holds_is_picked():
    assert chosen(measured(150, 120, 80, 50), 2).preset == "veryfast"
    assert chosen(measured(150, 120, 80, 50), 1).preset == "faster"


def test_where_none_holds_the_fastest_is_picked_and_said_so():
    found = report(measured(50), 4, 1.0)
    assert (found["preset"], found["holds"]) == ("ultrafast", False)
    assert "does not hold 4" in found["summary"]


def test_the_report_is_json_with_the_machine_it_is_true_for():
    found = json.loads(json.dumps(report(measured(150, 120), 2, 1.0)))
    assert found["presets"][1] == {"preset": "superfast", "frames_per_s": 120, "sessions": 3}
    assert len(found["machine"]["fingerprint"]) == 16
    assert found["versions"]["pyav"]


def test_measuring_stops_at_the_first_preset_that_is_too_slow(monkeypatch):
    rates = iter((400.0, 200.0, 60.0, 30.0))
    monkeypatch.setattr("runtime.video.calibrate.write_sample", lambda *_, **__: None)
    monkeypatch.setattr("runtime.video.calibrate._frames_per_s", lambda *_: next(rates))
    assert [entry.preset for entry in measure(4, budget_s=60)] == ["ultrafast", "superfast", "veryfast"]


def test_measuring_ends_within_its_budget(monkeypatch):
    monkeypatch.setattr("runtime.video.calibrate.write_sample", lambda *_, **__: None)
    monkeypatch.setattr("runtime.video.calibrate._frames_per_s", lambda *_: 1000.0)
    assert [entry.preset for entry in measure(1, budget_s=0)] == ["ultrafast"]


def test_the_program_measures_for_real():
    command = [
        sys.executable,
        "-m",
        "runtime.video.calibrate",
        "--sessions",
        "1000",
        "--json",
        "--budget",
        "0",
    ]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=50).stdout)
    assert found["preset"] == "ultrafast"
    assert found["presets"][0]["frames_per_s"] > 0
