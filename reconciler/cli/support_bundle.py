"""`support-bundle`: an archive for whoever helps, without any secret in it."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import tarfile
import time
from pathlib import Path

from reconciler.cli.arguments import add_files
from reconciler.cli.terminal import say
from reconciler.cli.version import version
from reconciler.cli.workplace import files_of, locate
from reconciler.core.errors import OperatorError, UsageError

DESCRIPTION = """\
Packs versions, the declared files (secrets masked), plan, status, events,
history, the edge's and the runtime's documents and the ends of all logs. Keys
and databases are never opened. Works with broken files, with and without a
running operator. Have a look into it before you pass it on.
"""

EXAMPLES = """\
examples:
  reconcile support-bundle
  reconcile support-bundle -o /tmp/for-support.tar.gz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="where to write it (default: named by time, here)"
    )


def run(arguments: argparse.Namespace) -> int:
    from reconciler.cli.narrator import Narrator  # noqa: PLC0415

    now = time.time()
    out = Path(arguments.out or time.strftime("support-bundle-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime(now)))
    with Narrator() as narrator:
        narrator.begin("gather", "gathering")
        files = gather(arguments, now=now)
        narrator.end("gather")
    _write(out, files, now)
    print(f"{out}: {len(files)} files. Secrets are masked; look into it before you pass it on.")
    if "missing.txt" in files:
        say("Not everything could be gathered; missing.txt in it says what and why.")
    return 0


def gather(arguments: argparse.Namespace, *, now: float) -> dict[str, str]:
    """The bundle's files by name."""
    from reconciler.operator import bundle as parts  # noqa: PLC0415
    from reconciler.operator.assembly import load_declaration, open_recollection, open_survey  # noqa: PLC0415
    from reconciler.operator.declared import known_secrets, secrets_in_files  # noqa: PLC0415
    from reconciler.spec.load import check  # noqa: PLC0415

    files, layout = files_of(arguments), locate(arguments)
    declaration, _findings = check(files)
    secrets = set(secrets_in_files(files, os.environ))
    if declaration is not None:
        secrets.update(known_secrets(declaration, os.environ))
    bundle = parts.Bundle(secrets=frozenset(secrets))
    parts.add_versions(bundle, version=version(), now=now)
    parts.add_declaration(bundle, files)
    parts.add_files(bundle, layout)
    asyncio.run(parts.add_runtime(bundle, layout))
    with open_recollection(layout) as recollection:
        parts.add_memory(bundle, recollection)
    try:
        with open_survey(load_declaration(files), layout) as surveyor:
            asyncio.run(parts.add_state(bundle, surveyor, layout, version=version()))
    except OperatorError as error:
        bundle.missing["plan and status"] = str(error)
    return bundle.files()


def _write(out: Path, files: dict[str, str], now: float) -> None:
    """Readable by its owner only, and never over something that is there."""
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{out} exists already", next_step="name another file with -o") from error
    root = out.name.partition(".")[0]
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            content = text.encode()
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(now), 0o600
            archive.addfile(entry, io.BytesIO(content))
