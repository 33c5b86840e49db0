"""The reconciler's errors. A type names the treatment; the exit code is part of the contract.

OperatorError
├── ConfigError        78  the declared state is invalid, or declares what is not supported yet
├── UsageError         64  the command line makes no sense
├── Unreachable        69  a needed service does not answer
├── LockHeld           75  another operator owns this node
├── Refused            77  permission or signature
├── Blocked             4  policy, protection, missing approval, suspension
├── StalePlan           7  what the plan was made from has moved
├── PlanError            1  the kinds contradict each other: a cycle, an id twice
├── JournalError         1  the operator's memory cannot be read or written
└── ApplyError          1  an operation failed
    ├── Transient          again, with backoff
    ├── Terminal           not again until something changes
    └── OutcomeUnknown  6  it may or may not have happened
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.values import Diagnostic, Source


class OperatorError(Exception):
    """Raised when a verb cannot go on. `next_step` tells the reader what to do."""

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of the declared state as it may be shown, and the column (from 1) that a finding is about."""

    text: str
    column: int


class ConfigError(OperatorError):
    """Raised when the declared state is invalid; carries every finding, and their lines."""

    exit_code = 78

    def __init__(
        self, diagnostics: tuple[Diagnostic, ...], excerpts: Mapping[Source, Excerpt] | None = None
    ) -> None:
        count = len(diagnostics)
        super().__init__(
            f"{count} error{'s' if count != 1 else ''} in the declared state",
            next_step="nothing was changed; mend the places named above and run it again",
        )
        self.diagnostics = diagnostics
        self.excerpts = excerpts or {}


class UsageError(OperatorError):
    """Raised when the command line makes no sense."""

    exit_code = 64


class Unreachable(OperatorError):
    """Raised when a needed service does not answer."""

    exit_code = 69


class LockHeld(OperatorError):
    """Raised when another process holds the node's lock; the message names it."""

    exit_code = 75


class Refused(OperatorError):
    """Raised when permission or a signature is missing."""

    exit_code = 77


class Blocked(OperatorError):
    """Raised when policy, protection, suspension or a missing approval stands in the way."""

    exit_code = 4


class StalePlan(OperatorError):
    """Raised when the inputs of a plan have moved since it was made."""

    exit_code = 7


class PlanError(OperatorError):
    """Raised when kinds contradict each other: operations in a cycle, one id used twice."""


class JournalError(OperatorError):
    """Raised when the operator's memory cannot be read or written. The file is left as it is."""


class ApplyError(OperatorError):
    """Raised when an operation failed."""


class Transient(ApplyError):
    """Raised when trying again later may help. `after_s` overrides the backoff, e.g. from Retry-After."""

    def __init__(self, message: str, *, next_step: str = "", after_s: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.after_s = after_s


class Terminal(ApplyError):
    """Raised when trying again will not help until something changes."""


class OutcomeUnknown(ApplyError):
    """Raised when an irreversible act may or may not have happened."""

    exit_code = 6
