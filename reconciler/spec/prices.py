"""Exact prices, and the entries of aiModels.json that carry them. Frozen values, no reading, no IO.

A price is of one unit of work: a pixel of video, or the unit of an AI pipeline. Made by `units`, `models` and
`build`; read by the kinds that advertise prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from reconciler.core.values import Source
from reconciler.spec.secrets import Template


class Currency(StrEnum):
    WEI = "wei"
    USD = "USD"


@dataclass(frozen=True, slots=True)
class Price:
    """An exact price of one unit of work, in a currency."""

    per_unit: Fraction
    currency: Currency

    @property
    def wei(self) -> Fraction | None:
        """Wei per unit; None where a currency feed is needed."""
        return self.per_unit if self.currency is Currency.WEI else None


@dataclass(frozen=True, slots=True)
class Relative:
    """A price relative to the node's own: `-15%` is a change of -3/20."""

    change: Fraction

    def of(self, base: Fraction) -> Fraction:
        return base * (1 + self.change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One entry of aiModels.json. `price` is None where the file names none; `gateway` None: for everyone."""

    pipeline: str
    model_id: str
    warm: bool
    capacity: int
    price: Price | None
    gateway: str | None
    url: str | None
    token: Template | None
    optimization_flags: tuple[tuple[str, str | bool], ...]
    source: Source

    @property
    def key(self) -> str:
        """`pipeline/model_id`, as prices of single gateways name it."""
        return f"{self.pipeline}/{self.model_id}"
