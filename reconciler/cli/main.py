"""Entry point of `reconcile`: finds the verb, loads only its file, and maps whatever ends it to an exit code.

Adding a verb is one file with `add_arguments(parser)` and `run(arguments) -> int`, and one line in `VERBS`.
Invariants: nothing else exits; usage errors are 64, not argparse's 2; a broken pipe is quiet; heavy libraries
are imported by the verb that needs them, so `--help` stays fast.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FrameType
from typing import Protocol, cast

from reconciler.cli.arguments import Parser, Terminated
from reconciler.core.errors import UsageError

VERBS: dict[str, tuple[str, str]] = {
    "run": ("run", "supervise the node: converge again and again, until it is stopped"),
    "plan": ("plan", "show what would be done, why, and what it costs; change nothing"),
    "apply": ("apply", "show the plan, ask, and do exactly that"),
    "diff": ("diff", "show declared against observed values, as text"),
    "drift": ("drift", "show what moved although nobody changed the files; exit 3 if something did"),
    "status": ("status", "show how the node is: conditions, processes, what waits and why"),
    "events": ("events", "show what happened; --follow waits for more"),
    "history": ("history", "show past runs by revision and result"),
    "refusals": ("refusals", "show refused work, counted by reason and gateway"),
    "suspend": ("suspend", "stop acting, keep serving and watching"),
    "resume": ("resume", "act again after a suspension"),
    "restart": ("restart", "replace a process by a new one without dropping work"),
    "stop": ("stop", "drain, then end everything, the operator included"),
    "validate": ("validate", "check declared state offline and report every error at once"),
    "doctor": ("doctor", "check from outside, as a gateway would, that a node serves"),
    "support-bundle": ("support_bundle", "pack a redacted archive for whoever helps"),
    "completion": ("completion", "print shell completion for bash, zsh or fish"),
}
"""Verb → its file and what `--help` says about it."""

_BARE = ("converge", "")
_TAKES_A_VALUE = frozenset({"-f", "--file", "--timeout"})
"""Options that may stand before the verb and are followed by their value."""


class Verb(Protocol):
    """What a verb's file offers. `DESCRIPTION` and `EXAMPLES`, where it has them, are its help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; the console script exits with it."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with _termination_raised():
            code = _dispatch(words)
            sys.stdout.flush()
            return code
    except BrokenPipeError:
        _abandon_stdout()
        return 0
    except SystemExit as leaving:  # argparse after --help and --version
        return leaving.code if isinstance(leaving.code, int) else 0
    except (Exception, KeyboardInterrupt, Terminated) as error:  # noqa: BLE001 - the one boundary
        from reconciler.cli.failure import report_failure  # noqa: PLC0415

        with contextlib.suppress(BrokenPipeError):
            return report_failure(error)
        return 1


def _dispatch(words: list[str]) -> int:
    name, rest = split_verb(words)
    module, _summary = VERBS[name] if name else _BARE
    verb = cast("Verb", import_module(f"reconciler.cli.{module}"))
    parser = build_parser(name, verb)
    return verb.run(parser.parse_args(rest))


def build_parser(name: str, verb: Verb) -> argparse.ArgumentParser:
    examples = getattr(verb, "EXAMPLES", "")
    parser = Parser(
        prog=f"reconcile {name}".rstrip(),
        description=getattr(verb, "DESCRIPTION", "") or VERBS[name][1],
        epilog=examples if name else _overview(examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    return parser


def split_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """The verb (empty for the bare command) and the words without it."""
    skip = False
    for index, word in enumerate(words):
        if skip or (word.startswith("-") and word != "-"):
            skip = not skip and word in _TAKES_A_VALUE
            continue
        if word not in VERBS:
            raise UsageError(f"there is no verb {word!r}", next_step=_suggest(word))
        return word, [*words[:index], *words[index + 1 :]]
    return "", list(words)


def _suggest(word: str) -> str:
    near = difflib.get_close_matches(word, VERBS, n=1)
    hint = f"did you mean `reconcile {near[0]}`? " if near else ""
    return f"{hint}`reconcile --help` lists the verbs"


def _overview(examples: str) -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_module, summary) in VERBS.items()]
    return "\n".join(["verbs:", *lines, "", "`reconcile VERB --help` explains each.", "", examples])


@contextlib.contextmanager
def _termination_raised() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C does. `run` puts its own, gentler handlers in place while it serves."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_terminated(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _abandon_stdout() -> None:
    """Nobody reads any more: nothing may complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
