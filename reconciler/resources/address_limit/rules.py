"""The node's table in nftables: its text, and what a listing of it says. Pure.

One table per node, in front of the machine's own filters, which it leaves alone: it drops nothing but new
connections above the limit. Addresses of IPv6 count by /64, which is what one customer gets. Loopback is
free: a proxy in front of us would be one address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.resources.address_limit.state import AddressLimitDesired, Limit

_ADDRESSES = 65_535


def script(desired: AddressLimitDesired) -> str:
    """Replaces the table in one transaction, or removes it where there is no limit."""
    if not desired.connections:
        return removal(desired.table)
    over = f"ct count over {desired.connections}"
    new = f'iifname != "lo" tcp dport {desired.port} ct state new'
    return f"""{removal(desired.table)}table inet {desired.table} {{
  set four {{ type ipv4_addr; size {_ADDRESSES}; flags dynamic; }}
  set six {{ type ipv6_addr; size {_ADDRESSES}; flags dynamic; }}
  chain input {{
    type filter hook input priority -10; policy accept;
    {new} add @four {{ ip saddr {over} }} reject with tcp reset
    {new} add @six {{ ip6 saddr & ffff:ffff:ffff:ffff:: {over} }} reject with tcp reset
  }}
}}
"""


def removal(table: str) -> str:
    """Adding it first makes deleting valid whether there is one or not."""
    return f"add table inet {table}\ndelete table inet {table}\n"


def limit_of(listing: dict[str, Any]) -> Limit:
    """What the rules of a listing (`nft --json list table`) enforce; both of them must agree."""
    rules = [entry["rule"]["expr"] for entry in listing.get("nftables", ()) if "rule" in entry]
    found = {(_port(expressions), _count(expressions)) for expressions in rules}
    if len(rules) == 2 and len(found) == 1:
        ((port, connections),) = found
        return Limit(port, connections)
    return Limit(None, None)


def _port(expressions: list[dict[str, Any]]) -> int | None:
    for expression in expressions:
        match = expression.get("match", {})
        field = match.get("left", {}).get("payload", {}) if isinstance(match.get("left"), dict) else {}
        if field.get("field") == "dport" and isinstance(match.get("right"), int):
            return int(match["right"])
    return None


def _count(expressions: list[dict[str, Any]]) -> int | None:
    return next((count for expression in expressions for count in _counts(expression)), None)


def _counts(value: object) -> Iterator[int]:
    """Wherever this version of nft lists the statement: under `stmt` of the set, or beside it."""
    if isinstance(value, dict):
        inner = value.get("ct count")
        if isinstance(inner, dict) and isinstance(inner.get("val"), int):
            yield inner["val"]
        for part in value.values():
            yield from _counts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _counts(part)
