"""`run`: the operator itself, in the foreground; a service manager keeps it there."""

from __future__ import annotations

import argparse

from reconciler.cli.arguments import add_files
from reconciler.cli.version import version
from reconciler.cli.workplace import files_of

DESCRIPTION = """\
Converges the node and keeps it so: on file changes, when a child ends, and by
a regular look at everything. One per node: a second one exits 75 and names the
first. SIGTERM and Ctrl-C end the operator only, its children serve on and the
next operator adopts them; `reconcile stop` ends everything. SIGHUP reads the
files again. A bad edit changes nothing but the status, which says where it is.
"""

EXAMPLES = """\
examples:
  reconcile run
  reconcile run -f base.yaml -f fra-1.yaml

in a systemd unit:
  ExecStart=/opt/orchestrator/.venv/bin/reconcile run
  ExecReload=/bin/kill -HUP $MAINPID
  KillMode=process                     children outlive the operator, as designed
  Restart=on-failure
  SuccessExitStatus=143
  RestartPreventExitStatus=64 77 78    a bad file is not mended by starting again
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)


def run(arguments: argparse.Namespace) -> int:
    from reconciler.operator.daemon import Daemon  # noqa: PLC0415
    from reconciler.operator.declared import DeclaredNode  # noqa: PLC0415

    return Daemon(declared=DeclaredNode(files_of(arguments)), version=version()).run()
