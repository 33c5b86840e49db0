"""Why a text is not what it should be, and what to write instead. Pure; only words, no decisions.

Called with a value that a pattern of the vocabulary refused, and the kind of value (`x-unit`) that stands
there. A value that may be secret is never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fractions import Fraction
from typing import Final
from urllib.parse import urlsplit

from reconciler.spec.units import (
    AI_UNITS,
    BYTES_PER,
    UnitError,
    read_duration,
    read_lpt,
    read_percent,
    read_price,
    read_price_or_percent,
    read_size,
    read_wei,
    render_percent,
)

Hint = tuple[str, str]
"""What is wrong (follows the value in a sentence), and what to write; the latter may be empty."""

_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CASES: Final = {unit.lower(): unit for unit in ("wei", "gwei", "ETH", "USD", "LPT", *BYTES_PER)}


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    candidates = list(known)
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    if word.lower() in by_lower:
        return by_lower[word.lower()]
    close = get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else ""


def explain(unit: str, text: str) -> Hint:
    """The hint for a refused text; a general one where nothing better is known."""
    if unit in _READERS:
        return _explain_amount(unit, text)
    special = _SPECIAL.get(unit)
    return special(text) if special else ("does not have the right form", "")


def _explain_amount(unit: str, text: str) -> Hint:
    reader, habit = _READERS[unit]
    if unit == "percent" and re.fullmatch(r"0?\.[0-9]+|1(\.0+)?", text):
        return "has no unit", f"{render_percent(Fraction(text))} or {text}%"
    stripped = " ".join(text.split())
    if stripped != text and _is_read(reader, stripped):
        return "has spaces around it", stripped
    plain = text.replace(",", "").replace("_", "")
    if plain != text and _is_read(reader, plain):
        return "has separators inside the number", plain
    if text.startswith("+") or not text.startswith("-"):
        for candidate in (f"{text} {habit}".replace(" %", "%"), f"{text}{habit}", _right_case(text)):
            if candidate != text and _is_read(reader, candidate):
                return ("has no unit" if _NUMBER.fullmatch(text) else "has a misspelt unit"), candidate
    try:
        reader(text)
    except UnitError as error:
        return str(error), ""
    return "is out of range", ""


def is_read(unit: str, text: str) -> bool:
    """Whether a text is an amount of this unit; true for units that are no amounts."""
    return unit not in _READERS or text == "auto" or _is_read(_READERS[unit][0], text)


def _right_case(text: str) -> str:
    return re.sub(r"[A-Za-z]{2,}", lambda match: _CASES.get(match[0].lower(), match[0]), text)


def _is_read(reader: Callable[[str], object], text: str) -> bool:
    try:
        reader(text)
    except UnitError:
        return False
    return True


_READERS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "price": (read_price, "wei"),
    "priceOrPercent": (read_price_or_percent, "wei"),
    "aiPrice": (lambda text: read_price_or_percent(text, AI_UNITS), "wei"),
    "aiPercent": (lambda text: read_price_or_percent(text, AI_UNITS), "%"),
    "weiPrice": (read_price, "wei"),
    "wei": (read_wei, "wei"),
    "lpt": (read_lpt, "LPT"),
    "percent": (read_percent, "%"),
    "duration": (read_duration, "s"),
    "size": (read_size, "MiB"),
    "sizeOrAuto": (read_size, "GiB"),
}


def _explain_uri(text: str) -> Hint:
    if "://" not in text:
        return "has no scheme", _with_port(f"https://{text}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "has a port that is not a number from 1 to 65535", "https://HOST:8935"
    if parts.scheme not in {"http", "https"}:
        return f"has the scheme {parts.scheme!r}", f"https://{parts.netloc}"
    if parts.username is not None:
        return "has a user name in it", f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.path or parts.query or parts.fragment:
        what = (
            "ends with a slash" if parts.path == "/" and not parts.query else "has something behind the port"
        )
        return what, _with_port(f"{parts.scheme}://{parts.netloc}")
    if port is None:
        return "has no port", _with_port(text)
    return "is not scheme://host:port", "https://HOST:8935"


def _with_port(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        has_port = parts.port is not None
    except ValueError:
        return "https://HOST:8935"
    return f"{parts.scheme}://{parts.netloc}" if has_port else f"{parts.scheme}://{parts.netloc}:8935"


def _explain_endpoint(text: str, host: str) -> Hint:
    if "://" in text:
        return "is a URL", text.partition("://")[2].strip("/")
    if re.fullmatch(r":?[0-9]{1,5}", text):
        return "has no host", f"{host}:{text.lstrip(':')}"
    if text.count(":") > 1 and not text.startswith("["):
        return "is an IPv6 address without brackets", f"[{text}]:8935"
    if ":" not in text:
        return "has no port", f"{text}:8935"
    return "is not host:port", ""


def _explain_address(text: str) -> Hint:
    digits = text.removeprefix("0x").removeprefix("0X")
    if re.fullmatch(r"[0-9a-fA-F]{40}", digits):
        return "does not begin with 0x", f"0x{digits}"
    if not re.fullmatch(r"[0-9a-fA-F]*", digits):
        return "holds characters that are no hexadecimal digits", "0x and 40 hexadecimal digits"
    return f"has {len(digits)} hexadecimal digits, not 40", "0x and 40 hexadecimal digits"


def _explain_secret(text: str) -> Hint:
    if match := re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text):
        return "is not a reference", f'"${{env:{match[1]}}}"'
    if text.startswith("/run/secrets/") or re.fullmatch(r"[A-Za-z0-9._/-]+\.(pem|key|txt)", text):
        return "is a path, not a reference", f'"${{file:{text}}}"'
    return (
        "is written in clear",
        '"${env:NAME}" or "${file:PATH}", and change the secret: it has been in a file',
    )


_SPECIAL: Final[Mapping[str, Callable[[str], Hint]]] = {
    "uri": _explain_uri,
    "endpoint": lambda text: _explain_endpoint(text, "0.0.0.0"),  # noqa: S104 - what the short form means elsewhere
    "localEndpoint": lambda text: _explain_endpoint(text, "127.0.0.1"),
    "peer": lambda text: _explain_endpoint(text, "HOST"),
    "address": _explain_address,
    "gatewayAddress": _explain_address,
    "secret": _explain_secret,
    "secretUrl": lambda _text: ("is not a URL", ""),
    "gpuUuid": lambda text: (
        "is an index, which changes between boots" if text.isdigit() else "is not a GPU's UUID",
        "the UUID that nvidia-smi -L prints",
    ),
    "modelPrice": lambda text: ("is negative", "") if text.startswith("-") else ("is not a price", ""),
}
