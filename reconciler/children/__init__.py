"""Managed children: started with an identity, found again by whoever operates next, ended on purpose only.

The identity is a locked file that the child itself holds; see `docs/contracts.md`. Called by the kinds that
run processes (edge, runtime) and by the operator's loop. It knows no kind and takes no decision.
"""

from reconciler.children.ending import end_child, keep_ending, reap, signal_child, wait_end, watch
from reconciler.children.identity import Child, is_same_process, observe_child, observe_children
from reconciler.children.logs import last_words, rotate_logs
from reconciler.children.start import (
    Launch,
    child_environment,
    forget_dead,
    log_file,
    next_generation,
    start_child,
)

__all__ = [
    "Child",
    "Launch",
    "child_environment",
    "end_child",
    "forget_dead",
    "is_same_process",
    "keep_ending",
    "last_words",
    "log_file",
    "next_generation",
    "observe_child",
    "observe_children",
    "reap",
    "rotate_logs",
    "signal_child",
    "start_child",
    "wait_end",
    "watch",
]
