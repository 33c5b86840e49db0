"""Amounts as operators write them, read exactly: `1200 wei`, `0.55 USD / 1e12 pixels`, `-15%`, `4 GiB`.

Everything is a `Fraction` or an `int`, never a float; numbers are bounded, so no text makes a huge integer.
A unit is always required: money without one is refused. What `render_…` writes, `read_…` reads back. Pure.
The patterns in the JSON Schema accept the same texts (a test compares them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from reconciler.spec.prices import Currency, Price, Relative

_NUMBER: Final = r"[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?"
_AMOUNT: Final = re.compile(rf"({_NUMBER}) ?([A-Za-z]+)")
_PRICE: Final = re.compile(rf"({_NUMBER}) ?(wei|gwei|ETH|USD)(?: ?/ ?({_NUMBER})? ?([a-z]+))?")
_PERCENT: Final = re.compile(r"([+-]?)([0-9]{1,9}(?:\.[0-9]{1,9})?) ?%")
_DURATION: Final = re.compile(
    r"(?=[0-9])(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?"
    r"(?:([0-9]{1,9})ms)?"
)
_BARE: Final = re.compile(rf"[+-]?(?:{_NUMBER})")

WEI_PER: Final[Mapping[str, int]] = {"wei": 1, "gwei": 10**9, "ETH": 10**18}
BYTES_PER: Final[Mapping[str, int]] = {
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
    "TB": 10**12,
    "TiB": 2**40,
}
_SECONDS: Final = (Fraction(86400), Fraction(3600), Fraction(60), Fraction(1), Fraction(1, 1000))
VIDEO_UNITS: Final = frozenset({"pixel", "pixels"})
AI_UNITS: Final = VIDEO_UNITS | {"unit", "units", "token", "tokens", "ms"}


class UnitError(ValueError):
    """Raised when a text is not the amount it should be; says what is wrong, in a few words."""


def read_price(text: str, units: frozenset[str] = VIDEO_UNITS) -> Price:
    """A price of one unit of work: `1200 wei`, `2 gwei / 1e6 pixels`, `0.55 USD / 1e12 pixels`."""
    match = _PRICE.fullmatch(text)
    if match is None:
        raise UnitError(_why_no_amount(text, ("wei", "gwei", "ETH", "USD")))
    number, currency, count, unit = match.groups()
    if unit is not None and unit not in units:
        raise UnitError(f"priced per {unit!r}, known here: {', '.join(sorted(units))}")
    per = Fraction(count) if count else Fraction(1)
    if per == 0:
        raise UnitError("divides by zero")
    if currency == "USD":
        return Price(Fraction(number) / per, Currency.USD)
    return Price(Fraction(number) * WEI_PER[currency] / per, Currency.WEI)


def read_price_or_percent(text: str, units: frozenset[str] = VIDEO_UNITS) -> Price | Relative:
    """A price, or a difference from the node's own price: `-15%`."""
    if not text.endswith("%"):
        return read_price(text, units)
    if text[0] not in "+-":
        raise UnitError("has no sign: -15% is 15 % below the own price, +15% above it")
    return Relative(read_percent(text))


def read_wei(text: str) -> int:
    """An amount of ether in whole wei: `0.3 ETH`, `2 gwei`, `8000000000 wei`."""
    return _whole(text, WEI_PER, "wei")


def read_lpt(text: str) -> int:
    """An amount of LPT in its smallest unit (10^-18): `15000 LPT`."""
    return _whole(text, {"LPT": 10**18}, "10^-18 LPT")


def read_size(text: str) -> int:
    """A size in bytes: `4 GiB`, `300 MB`."""
    return _whole(text, BYTES_PER, "bytes")


def read_percent(text: str) -> Fraction:
    """A share or a difference: `10%` is 1/10, `-15%` is -3/20."""
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise UnitError("is not a percentage")
    value = Fraction(match[2]) / 100
    return -value if match[1] == "-" else value


def read_duration(text: str) -> Fraction:
    """A time span in seconds: `48h`, `1h30m`, `2.5s`, `250ms`, `7d`. Larger units stand first."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UnitError("has no unit" if _BARE.fullmatch(text) else "is not a time span")
    return sum((Fraction(n) * s for n, s in zip(match.groups(), _SECONDS, strict=True) if n), Fraction(0))


def _whole(text: str, factors: Mapping[str, int], smallest: str) -> int:
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in factors:
        raise UnitError(_why_no_amount(text, tuple(factors)))
    amount = Fraction(match[1]) * factors[match[2]]
    if amount.denominator != 1:
        raise UnitError(f"is not a whole number of {smallest}")
    return int(amount)


def _why_no_amount(text: str, units: tuple[str, ...]) -> str:
    if _BARE.fullmatch(text):
        return "negative amount without a unit" if text.startswith("-") else "has no unit"
    if text.startswith("-"):
        return "is negative"
    by_lower = {unit.lower(): unit for unit in units}
    if (match := re.fullmatch(rf"({_NUMBER}) ?([A-Za-z]+)(.*)", text)) and match[2] not in units:
        right = by_lower.get(match[2].lower())
        known = f"write {right}" if right else f"known: {', '.join(units)}"
        return f"has the unit {match[2]!r}; {known}"
    if re.match(r"[0-9]{1,3}(,[0-9]{3})+", text):
        return "has separators inside the number"
    return f"is not a number with a unit ({', '.join(units)})"


def render_decimal(value: Fraction) -> str:
    """The shortest exact text: a decimal where there is one, otherwise `n/d`."""
    denominator, twos, fives = value.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    if denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def render_price(price: Price, unit: str = "pixels") -> str:
    """`1200 wei`, `0.55 USD / 1000000000000 pixels`: dollars per unit are tiny, so they get a divisor."""
    if price.currency is Currency.USD:
        return f"{render_decimal(price.per_unit * 10**12)} USD / 1000000000000 {unit}"
    amount = render_decimal(price.per_unit)
    if "/" in amount:
        return f"{price.per_unit.numerator} wei / {price.per_unit.denominator} {unit}"
    return f"{amount} wei"


def render_percent(value: Fraction, *, signed: bool = False) -> str:
    """`10%`; with `signed`, `+10%`. Exact to nine decimals, as declared."""
    sign = "+" if signed and value >= 0 else ""
    return f"{sign}{render_decimal(value * 100)}%"


def render_wei(amount: int) -> str:
    """In the largest unit that gives a short text: `0.3 ETH`, `2 gwei`, `1200 wei`."""
    for unit, factor in (("ETH", 10**18), ("gwei", 10**9)):
        if amount and abs(amount) >= factor // 1000 and amount % (factor // 10**6) == 0:
            return f"{render_decimal(Fraction(amount, factor))} {unit}"
    return f"{amount} wei"


def render_size(amount: int) -> str:
    """In the largest unit that divides it: `4 GiB`, `300 MB`, `17 B`."""
    for unit, factor in sorted(BYTES_PER.items(), key=lambda item: -item[1]):
        if amount and amount % factor == 0:
            return f"{amount // factor} {unit}"
    return f"{amount} B"


def render_duration(seconds: Fraction | float) -> str:
    """`1h30m`, `2.5s`, `0s`. Exact to nine decimals of a second."""
    left = Fraction(seconds).limit_denominator(10**9)
    text = ""
    for unit, factor in zip("dhm", _SECONDS, strict=False):
        count, left = divmod(left, factor)
        text += f"{count}{unit}" if count else ""
    return f"{text}{render_decimal(left)}s" if left or not text else text


def shown_wei(price: Fraction) -> str:
    """For sentences: `1200 wei`, `5·10^15 wei`."""
    if price.denominator == 1 and price >= 10**9:
        digits = str(price.numerator)
        significant = digits.rstrip("0")
        if len(significant) <= 3:
            return f"{significant}·10^{len(digits) - len(significant)} wei"
    return render_price(Price(price, Currency.WEI))


def shown_ether(wei: Fraction) -> str:
    """For sentences, in ETH, to three significant digits: `5,243`, `0.224`."""
    ether = wei / WEI_PER["ETH"]
    return f"{round(ether):,}" if ether >= 10 else render_decimal(Fraction(f"{float(ether):.3g}"))
