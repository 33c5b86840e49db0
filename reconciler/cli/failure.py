"""The one function that turns what ended a verb into a message and an exit code."""

from __future__ import annotations

import sys
import traceback

from reconciler.cli.arguments import Terminated
from reconciler.cli.terminal import palette_for, say
from reconciler.core.errors import ConfigError, OperatorError
from reconciler.core.exitcodes import Exit, of_error
from reconciler.report.diagnostics import render_at


def report_failure(error: BaseException) -> int:
    """Says what, where, why and what next on stderr. A fault of this program shows its trace as well."""
    palette = palette_for(sys.stderr)
    if isinstance(error, Terminated):
        return Exit.TERMINATED
    if isinstance(error, KeyboardInterrupt):
        say("interrupted")
        return Exit.INTERRUPTED
    label = palette.paint("bad", "error")
    if isinstance(error, ConfigError):
        for finding in error.diagnostics:
            say(render_at(finding, error.excerpts, palette) + "\n")
        say(f"{label}: {error}")
    elif isinstance(error, OperatorError | OSError | TimeoutError):
        say(f"{label}: {error or type(error).__name__}")
    else:
        traceback.print_exception(error, file=sys.stderr)
        say(f"{label}: a fault of reconcile itself; `reconcile support-bundle` packs what helps to find it")
    next_step = getattr(error, "next_step", "")
    if next_step:
        say(f"  next: {next_step}")
    return int(of_error(error))
