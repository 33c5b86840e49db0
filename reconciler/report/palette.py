"""Colour as a value: renderers stay pure, and the command line decides whether there is any.

A palette maps a role to the SGR parameters that draw it; the plain one draws nothing. Called by every text
renderer; whether a terminal is there, and what `NO_COLOR` says, is the command line's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.values import Action


@dataclass(frozen=True, slots=True)
class Palette:
    """Text in, text out; colour around it where the role has one."""

    codes: Mapping[str, str] = field(default_factory=dict)

    def paint(self, role: str, text: str) -> str:
        code = self.codes.get(role)
        return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


PLAIN = Palette()

COLOUR = Palette(
    {
        "heading": "1",
        "target": "1",
        "good": "32",
        "bad": "31",
        "caution": "33",
        "quiet": "2",
        Action.CREATE.value: "32",
        Action.UPDATE.value: "33",
        Action.DELETE.value: "31",
        Action.REPLACE.value: "35",
        Action.RECREATE.value: "31",
        Action.RESTART.value: "33",
        Action.READ.value: "36",
        Action.DUTY.value: "36",
    }
)
