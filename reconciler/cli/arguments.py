"""Options that several verbs share, and a parser whose usage errors are exit code 64.

Called by the verbs' `add_arguments`. Wording and behaviour of a shared option live here only.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from reconciler.core.errors import UsageError

DEFAULT_FILE = "orchestrator.yaml"


class Terminated(BaseException):
    """Raised in the main thread when SIGTERM arrives, so that whatever runs can clean up."""


class Parser(argparse.ArgumentParser):
    """argparse, but a usage error is raised: one function maps errors to exit codes."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, next_step=f"`{self.prog} --help` explains")


def add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--file",
        action="append",
        dest="files",
        metavar="FILE",
        help=f"declared state; repeat it to lay files over each other (default: {DEFAULT_FILE})",
    )


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"print {what}, as JSON")


def add_detailed_exitcode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="exit 2 if the declared state changed, 3 if only the world moved, 4 if something is held back",
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--force", action="store_true", help="forgive earlier failures: try again now what was given up"
    )
