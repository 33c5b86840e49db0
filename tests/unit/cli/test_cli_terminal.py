"""What goes where: colour, progress on stderr, data on stdout."""

from __future__ import annotations

import io
import time

import pytest

from reconciler.cli import narrator as narrator_module
from reconciler.cli.narrator import Narrator
from reconciler.cli.terminal import palette_for
from reconciler.report.palette import COLOUR, PLAIN
from reconciler.report.stream import plan_text_line, progress_text_line, result_line


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environment", "stream", "expected"),
    [
        ({}, Terminal(), COLOUR),
        ({}, io.StringIO(), PLAIN),
        ({"TERM": "dumb"}, Terminal(), PLAIN),
        ({"NO_COLOR": "1"}, Terminal(), PLAIN),
        ({"FORCE_COLOR": "1"}, io.StringIO(), COLOUR),
        ({"FORCE_COLOR": "0"}, Terminal(), PLAIN),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, Terminal(), PLAIN),
        ({"NO_COLOR": "", "FORCE_COLOR": ""}, Terminal(), COLOUR),
    ],
)
def test_colour_follows_wishes_and_the_terminal(environment, stream, expected, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert palette_for(stream) is expected


def start(name: str) -> dict:
    return {"type": "apply_start", "@level": "info", "@message": f"{name}: start", "hook": {"id": name}}


def complete(name: str, level: str = "info") -> dict:
    kind = "apply_complete" if level == "info" else "apply_errored"
    return {"type": kind, "@level": level, "@message": f"{name}: came out", "hook": {"id": name}}


def test_the_plan_and_the_end_are_data_and_progress_is_not(capsys):
    with Narrator() as narrator:
        narrator.hear(plan_text_line("the plan", 0))
        narrator.hear(start("edge"))
        narrator.hear(complete("edge"))
        narrator.hear(result_line("Done.", 0, at=0))
    told = capsys.readouterr()
    assert told.out == "the plan\nDone.\n"
    assert told.err == "edge: came out\n"


def test_a_failure_is_told_with_its_next_step(capsys):
    with Narrator() as narrator:
        narrator.hear(complete("edge", level="error"))
        narrator.hear(result_line("It is stale", 7, at=0, next_step="plan again"))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["edge: came out", "It is stale", "  next: plan again"]


def test_what_takes_long_is_told_and_told_again(capsys, monkeypatch):
    monkeypatch.setattr(narrator_module, "FIRST_WORD_S", 0.05)
    monkeypatch.setattr(narrator_module, "AGAIN_S", 0.3)
    monkeypatch.setattr(narrator_module, "_TICK_S", 0.02)
    with Narrator() as narrator:
        narrator.hear(start("edge"))
        narrator.hear(progress_text_line("runtime-1: waiting for 3 sessions (9 s left)", 0))
        deadline = time.monotonic() + 10
        told = ""
        while told.count("… edge: start") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
            told += capsys.readouterr().err
        narrator.hear(progress_text_line("runtime-1: ended", 0))
    assert told.count("… edge: start") >= 2
    assert "… runtime-1: waiting for 3 sessions" in told
    assert "runtime-1: ended" in capsys.readouterr().err


def test_what_is_quick_is_not_told(capsys):
    with Narrator() as narrator:
        narrator.begin("look", "looking")
        narrator.end("look")
    assert capsys.readouterr().err == ""
