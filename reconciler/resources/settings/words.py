"""The words of settings: each change as a reader wants it, with units, and what it does to running sessions.

Pure. Called by the planner only. A value that a newer or older runtime holds in another form is shown as it
is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from reconciler.core.values import Json

_GIB = 1024**3
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Running:
    """What of the runtime's present work the words speak of."""

    sessions: int = 0
    price: str | None = None


def change_words(target: str, before: Json, after: Json) -> str:
    """`1200 wei -> 1400 wei per pixel (+16.7 %)`."""
    return _CHANGE.get(_field(target), _plain_change)(target, before, after)


def impact_words(target: str, before: Json, after: Json, running: Running) -> str:
    """What running sessions notice; empty where there is nothing to say."""
    words = _IMPACT.get(_field(target))
    return words(before, after, running) if words else ""


def wei(price: Json) -> str:
    """`1200 wei`, `0.55 wei`, `1/3 wei`: always exact."""
    if price is None:
        return "no price"
    value = Fraction(str(price))
    digits = _decimal_digits(value.denominator)
    if digits is None:
        return f"{value} wei"
    scaled = str(abs(value.numerator) * 10**digits // value.denominator).rjust(digits + 1, "0")
    whole, part = scaled[: len(scaled) - digits], scaled[len(scaled) - digits :]
    return f"{whole}.{part} wei" if part else f"{whole} wei"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _field(target: str) -> str:
    for name in ("runtime.workers", "runtime.gateways", "runtime.limits"):
        if target.startswith(f"{name}."):
            return name
    return target


def _plain_change(_target: str, before: Json, after: Json) -> str:
    return f"{_plain(before)} -> {_plain(after)}"


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _price_change(_target: str, before: Json, after: Json) -> str:
    if before is None or after is None:
        return f"{wei(before)} -> {wei(after)}{' per pixel' if after is not None else ''}"
    return f"{wei(before)} -> {wei(after)} per pixel{_percentage(before, after)}"


def _percentage(before: Json, after: Json) -> str:
    old, new = Fraction(str(before)), Fraction(str(after))
    if old == 0:
        return ""
    per_mille = round((new / old - 1) * 1000)
    sign = "+" if new > old else "-"
    if per_mille == 0:
        return f" ({sign}<0.1 %)"
    return f" ({sign}{abs(per_mille) // 10}.{abs(per_mille) % 10} %)"


def _sessions_change(_target: str, before: Json, after: Json) -> str:
    return f"{_plain(before)} -> {count(cast('int', after), 'session')}"


def _sessions_impact(before: Json, after: Json, running: Running) -> str:
    if cast("int", after) >= cast("int", before or 0) or not running.sessions:
        return ""
    if running.sessions <= cast("int", after):
        return f"{count(running.sessions, 'session')} running, all go on"
    return f"{count(running.sessions, 'session')} go on; new ones are refused until fewer than {after} run"


def _price_impact(before: Json, _after: Json, running: Running) -> str:
    if not running.sessions:
        return ""
    keep = "keeps" if running.sessions == 1 else "keep"
    until = "until it ends" if running.sessions == 1 else "until they end"
    return f"{count(running.sessions, 'session')} {keep} {wei(before)} {until}"


def _admission_impact(_before: Json, after: Json, running: Running) -> str:
    sessions = count(running.sessions, "session")
    if after == "drain":
        going_on = f", {running.sessions} running ones go on" if running.sessions else ""
        return f"new sessions are refused{going_on}"
    if after == "closed":
        return (
            f"all work is refused from now on; {sessions} running end"
            if running.sessions
            else ("all work is refused from now on")
        )
    return "new sessions are taken"


def _preset_impact(_before: Json, _after: Json, running: Running) -> str:
    return f"{count(running.sessions, 'session')}, each from its next segment" if running.sessions else ""


def _uri_impact(_before: Json, _after: Json, running: Running) -> str:
    return "running sessions keep the old address" if running.sessions else ""


def _worker_change(_target: str, before: Json, after: Json) -> str:
    return _replaced(_worker(before), _worker(after))


def _worker(value: Json) -> str:
    if not isinstance(value, dict):
        return ""
    device, threads, memory = value.get("device"), value.get("threads"), value.get("memoryBytes")
    parts = [f"on {'the CPU' if device == 'cpu' else device}"]
    if device == "cpu":
        parts.append(count(threads, "thread") + " per rendition" if threads else "x264 chooses its threads")
    parts.append(f"at most {_size(memory)}" if memory else "no memory limit")
    return ", ".join(parts)


def _worker_impact(before: Json, after: Json, _running: Running) -> str:
    if before is None:
        return ""
    return "its running segment ends first" if after is None else "takes the change after its running segment"


def _gateway_change(_target: str, before: Json, after: Json) -> str:
    old, new = _mapping(before), _mapping(after)
    if not old or not new or old.get("address") != new.get("address"):
        return _replaced(_gateway(old), _gateway(new))
    parts = []
    if old.get("video") != new.get("video"):
        parts.append(_terms_price_change(old.get("video"), new.get("video")))
    if old.get("reserve") != new.get("reserve"):
        parts.append(f"reserve {old.get('reserve')} -> {count(cast('int', new.get('reserve')), 'session')}")
    return ", ".join(parts) or _replaced(_gateway(old), _gateway(new))


def _terms_price_change(before: Json, after: Json) -> str:
    if before is None or after is None:
        return f"{_terms_price(before)} -> {_terms_price(after)}"
    return _price_change("", before, after)


def _terms_price(price: Json) -> str:
    return "the common price" if price is None else f"{wei(price)} per pixel"


def _gateway(value: Mapping[str, Json]) -> str:
    if not value:
        return ""
    text = f"{value.get('address')}: {_terms_price(value.get('video'))}"
    reserve = value.get("reserve")
    return f"{text}, {count(cast('int', reserve), 'session')} reserved" if reserve else text


def _gateway_impact(before: Json, after: Json, running: Running) -> str:
    if after is None:
        return f"it gets the common price ({wei(running.price)}) and no reserve" if running.price else ""
    if (
        before is not None
        and _mapping(before).get("video") != _mapping(after).get("video")
        and running.sessions
    ):
        return "its running sessions keep their price until they end"
    return ""


def _limit_change(target: str, before: Json, after: Json) -> str:
    name = target.rpartition(".")[2]
    return _replaced(_limit(name, before), _limit(name, after))


def _limit(name: str, value: Json) -> str:
    if value is None:
        return ""
    if name == "bodyBytes":
        return _size(value)
    return count(cast("int", value), "segment") if name == "queue" else f"{_plain(value)} s"


def _limit_impact(_before: Json, _after: Json, running: Running) -> str:
    return "for requests that start from now on" if running.sessions else ""


def _replaced(before: str, after: str) -> str:
    if before and after:
        return f"{before} -> {after}"
    return after or before


def _size(value: Json) -> str:
    size = cast("int", value)
    for unit, name in ((_GIB, "GiB"), (_MIB, "MiB"), (10**6, "MB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size:,} bytes"


def _mapping(value: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else {}


def _decimal_digits(denominator: int) -> int | None:
    """How many decimals write a fraction of this denominator exactly; None where none do, or too many."""
    return next((digits for digits in range(7) if 10**digits % denominator == 0), None)


_CHANGE: Mapping[str, Callable[[str, Json, Json], str]] = {
    "runtime.pricing.video": _price_change,
    "runtime.sessions": _sessions_change,
    "runtime.workers": _worker_change,
    "runtime.gateways": _gateway_change,
    "runtime.limits": _limit_change,
}

_IMPACT: Mapping[str, Callable[[Json, Json, Running], str]] = {
    "runtime.pricing.video": _price_impact,
    "runtime.sessions": _sessions_impact,
    "runtime.preset": _preset_impact,
    "runtime.admission": _admission_impact,
    "runtime.serviceURI": _uri_impact,
    "runtime.workers": _worker_impact,
    "runtime.gateways": _gateway_impact,
    "runtime.limits": _limit_impact,
}
