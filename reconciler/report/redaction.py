"""Takes secrets out of text that leaves the node: known values, and what looks like a credential.

The last line of defence, behind references that are never resolved into output. Pure. Called for the
operator's log and everything in a support bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "(sensitive)"
_SHORTEST_SECRET = 6
"""Shorter values are left alone: masking every `1` of a text hides the text, not the secret."""

_PATTERNS = (
    re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"(?<=://)[^/\s:@\"']+:[^/\s@\"']+(?=@)"),
    re.compile(r"(?i)(?<=authorization: )[^\r\n\"']+"),
    re.compile(
        r"(?i)(?<![a-z])(?:password|passwd|passphrase|secret|token|api[_-]?key|apikey|private[_-]?key)"
        r"[\"']?\s*[=:]\s*[\"']?(?!\(sensitive\)|\$\{|null|true|false)([^\s\"',;&{}\[\]]{4,})"
    ),
    re.compile(r"\b(?:hf_[A-Za-z0-9]{20,}|ghp_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,})\b"),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with every known secret, and everything that looks like one, masked."""
    for secret in sorted({each for each in secrets if len(each) >= _SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(_masked, text)
    return text


def _masked(match: re.Match[str]) -> str:
    if not match.groups() or match[1] is None:
        return MASK
    start = match.start(1) - match.start()
    return match[0][:start] + MASK
