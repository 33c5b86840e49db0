"""One check's answer, as a value. Pure; rendered by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found: `detail` in one line; why it is so and what to do where it is not well."""

    verdict: Verdict
    detail: str
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome with the check's name and how long it took."""

    name: str
    outcome: Outcome
    duration_s: float

    @property
    def verdict(self) -> Verdict:
        return self.outcome.verdict


def passed(detail: str) -> Outcome:
    return Outcome(Verdict.PASS, detail)


def warned(detail: str, cause: str, remedy: str) -> Outcome:
    return Outcome(Verdict.WARN, detail, cause, remedy)


def failed(detail: str, cause: str, remedy: str) -> Outcome:
    return Outcome(Verdict.FAIL, detail, cause, remedy)


def skipped(why: str) -> Outcome:
    return Outcome(Verdict.SKIP, why)
