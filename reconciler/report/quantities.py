"""Numbers as people read them: durations, moments, counts, amounts of ETH, JSON values on one line.

Pure and locale-free, so that equal values give equal text. Called by the renderers of this package only;
parsing the declared state's units is the spec's part.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from reconciler.core.values import Json

_WEI_PER_ETH = Decimal(10) ** 18
_LONGEST_VALUE = 120


def render_duration(seconds: float) -> str:
    """The two largest units: `14 h 13 m`, `48 s`, `0.4 s`. Negative durations read as `0 s`."""
    if seconds < 0:
        return "0 s"
    if 0 < seconds < 0.1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (left, "s")) if n]
    return " ".join(parts[:2]) or "0 s"


def render_moment(at: float) -> str:
    """RFC 3339 in UTC with milliseconds, for machines."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def render_clock(at: float) -> str:
    """A moment for people, UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def render_eth(wei: int) -> str:
    """Three significant digits without an exponent: `0.0000101 ETH`."""
    if wei == 0:
        return "0 ETH"
    amount = Decimal(wei) / _WEI_PER_ETH
    rounded = amount.quantize(Decimal(1).scaleb(amount.adjusted() - 2))
    text = f"{rounded:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} ETH"


def render_count(count: int, noun: str, plural: str = "") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def render_value(value: Json) -> str:
    """A JSON value on one line, short enough to read; strings bare, nothing as `(none)`."""
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value
    elif isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        text = " + ".join(str(item) for item in value) or "(none)"
    else:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
