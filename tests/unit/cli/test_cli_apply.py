"""Saved plans: what is read of them, and what is refused."""

from __future__ import annotations

import json

import pytest

from reconciler.cli.apply import read_agreement
from reconciler.core.errors import UsageError


def saved(path, **changes):
    plan = {
        "format_version": "1.7",
        "plan_id": "3e91c0a-5f02",
        "resource_changes": [{"id": "edge.process", "fingerprint": "ab", "added": "by a later minor"}],
    }
    path.write_text(json.dumps(plan | changes))
    return path


def test_a_saved_plan_of_a_later_minor_format_is_read(tmp_path):
    assert read_agreement(saved(tmp_path / "p.json")) == ("3e91c0a-5f02", {"edge.process": "ab"})


@pytest.mark.parametrize(
    "changes", [{"format_version": "2.0"}, {"resource_changes": None}, {"resource_changes": [{"id": "x"}]}]
)
def test_another_major_format_and_what_is_no_plan_are_refused(changes, tmp_path):
    with pytest.raises(UsageError):
        read_agreement(saved(tmp_path / "p.json", **changes))


def test_what_is_no_json_is_refused(tmp_path):
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(UsageError, match="no saved plan"):
        read_agreement(tmp_path / "p.json")
