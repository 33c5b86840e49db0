"""One measured figure and how a table of them is printed. Every part of the bench returns these rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`met` is None where there is a figure but no target. Texts are ready to print, units included."""

    measure: str
    ours: str
    reference: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "MISSED", None: ""}[self.met]


def render(rows: Iterable[Row]) -> str:
    """A Markdown table, so that it can be pasted into the README as it is."""
    lines = ["| Measure | Ours | Reference in the same run | Target | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.measure} | {row.ours} | {row.reference} | {row.target} | {row.verdict} |" for row in rows
    ]
    return "\n".join(lines)
