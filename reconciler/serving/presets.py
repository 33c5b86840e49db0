"""What x264 presets reached on this machine: the measurement's result and where it is kept between runs.

A measurement says of each preset how many sessions it holds, so it answers for any number of sessions. The
cache is a file of a few of them, each under a key made of all that the result depends on (machine,
versions): a changed machine finds nothing. Parsing is lenient: an unreadable cache is an empty one, since
measuring again is always right. Read by the kinds `presets`, `runtime` and `settings`; written by `presets`
only.
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
_SLOWEST = "veryslow"


@dataclass(frozen=True, slots=True)
class Reached:
    """How many sessions a preset holds in real time, with the reserve."""

    preset: str
    sessions: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The preset for a number of sessions. `holds`: it keeps up with them, and so `up_to` that many.

    `surely_slowest` is false where slower ones were not tried, since it was measured for more sessions.
    """

    preset: str
    holds: bool
    up_to: int
    surely_slowest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One result. `reached` goes from the fastest preset to the slowest tried, and has one at least.

    `summary` is for people: what was measured for `sessions`, on what. `at` is unix seconds.
    """

    sessions: int
    reached: tuple[Reached, ...]
    summary: str
    at: float

    def choose(self, sessions: int) -> Choice:
        """The slowest preset that holds so many; the fastest where none does."""
        holding = [entry for entry in self.reached if entry.sessions >= sessions]
        best = holding[-1] if holding else self.reached[0]
        tried_enough = (
            len(holding) < len(self.reached) or sessions >= self.sessions or best.preset == _SLOWEST
        )
        return Choice(
            preset=best.preset, holds=bool(holding), up_to=best.sessions, surely_slowest=tried_enough
        )


Cache = Mapping[str, Measurement]


def measurement_key(machine: Machine, versions: str) -> str:
    return digest({"cpu": machine.cpu, "cores": machine.cores, "versions": versions})[:16]


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


def parse_reached(value: object) -> tuple[Reached, ...]:
    """Of a list of `{"preset", "sessions"}`; empty where it is none."""
    found = []
    for entry in value if isinstance(value, list) else ():
        match entry:
            case {"preset": str(preset), "sessions": int(sessions)}:
                found.append(Reached(preset, sessions))
    return tuple(found)


def _entry(found: Measurement) -> dict[str, object]:
    return {
        "sessions": found.sessions,
        "presets": [{"preset": entry.preset, "sessions": entry.sessions} for entry in found.reached],
        "summary": found.summary,
        "at": found.at,
    }


def _parse(value: object) -> Measurement | None:
    match value:
        case {
            "sessions": int(sessions),
            "presets": presets,
            "summary": str(summary),
            "at": float() | int() as at,
        }:
            reached = parse_reached(presets)
            if reached:
                return Measurement(sessions=sessions, reached=reached, summary=summary, at=float(at))
    return None
