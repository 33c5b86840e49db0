"""What x264 presets reached on this machine: the measurement's result and where it is kept between runs.

The cache is a file of a few entries, each under a key made of all that the result depends on (machine,
versions, sessions), so a changed machine or number of sessions simply finds nothing. Parsing is lenient: an
unreadable cache is an empty one, since measuring again is always right. Read by the kinds `presets`,
`runtime` and `settings`; written by `presets` only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.values import digest
from reconciler.serving.capacity import Machine

_LONGEST_CACHE_BYTES = 1_000_000
_ENTRIES_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One result. `summary` is for people: what was measured, on what, how fast. `at` is unix seconds.

    `holds` is false where even the fastest preset cannot keep up with so many sessions.
    """

    preset: str
    sessions: int
    summary: str
    at: float
    holds: bool = True


Cache = Mapping[str, Measurement]


def measurement_key(machine: Machine, versions: str, *, sessions: int, threads: int) -> str:
    return digest(
        {
            "cpu": machine.cpu,
            "cores": machine.cores,
            "versions": versions,
            "sessions": sessions,
            "threads": threads,
        }
    )[:16]


def read_cache(path: Path) -> Cache:
    """The kept measurements; empty where there are none or they cannot be read."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST_CACHE_BYTES)
        value = json.loads(content)
    except (OSError, ValueError):
        return {}
    entries = value.get("measured") if isinstance(value, dict) else None
    if not isinstance(entries, dict):
        return {}
    return {key: found for key, entry in entries.items() if (found := _parse(entry))}


def write_cache(path: Path, cache: Cache) -> None:
    """Replaces the file by rename. The oldest entries beyond a few are dropped."""
    kept = sorted(cache.items(), key=lambda item: (-item[1].at, item[0]))[:_ENTRIES_KEPT]
    text = json.dumps({"format": 1, "measured": {key: _entry(found) for key, found in kept}}, indent=1)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)


def _entry(found: Measurement) -> dict[str, object]:
    return {
        "preset": found.preset,
        "sessions": found.sessions,
        "summary": found.summary,
        "at": found.at,
        "holds": found.holds,
    }


def _parse(value: object) -> Measurement | None:
    match value:
        case {
            "preset": str(preset),
            "sessions": int(sessions),
            "summary": str(summary),
            "at": float() | int() as at,
            **rest,
        }:
            holds = rest.get("holds") is not False
            return Measurement(preset=preset, sessions=sessions, summary=summary, at=float(at), holds=holds)
    return None
