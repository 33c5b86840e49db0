"""aiModels.json: go-livepeer's entries, typed, and the rules between them.

Files that go-livepeer takes are taken unchanged: key names in any case, prices as bare numbers. More is taken
too (prices such as "0.5e-2USD") and less is silent: every oddity is said, none ends the program. Pure.
Called by `load` with the tree of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from reconciler.core.values import Diagnostic
from reconciler.spec.mend import Mended
from reconciler.spec.prices import Currency, Model, Price
from reconciler.spec.secrets import has_reference, parse_template
from reconciler.spec.sentences import clipped, error, warning
from reconciler.spec.tree import Entry, Mapped, Node, Scalar, Sequence, find, plain
from reconciler.spec.units import shown_ether, shown_wei
from reconciler.spec.vocabulary import MODELS, schema_at

ABSURD_WEI: Final = 10**11
"""Wei per unit; the network's usual prices are 10^3 to 10^8."""
_MEGAPIXEL: Final = 1024 * 1024
_AMOUNT: Final = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")
_WEI_PER: Final = {"": 1, "wei": 1, "eth": 10**18}


def fold_keys(root: Node) -> Node:
    """Keys in the spelling of the format: go-livepeer reads them in any case."""
    known = (schema_at(MODELS, (0,)) or {}).get("properties", {})
    spelling = {key.lower(): key for key in known}
    if not isinstance(root, Sequence):
        return root
    return replace(root, items=tuple(_folded(item, spelling) for item in root.items))


def _folded(item: Node, spelling: Mapping[str, str]) -> Node:
    if not isinstance(item, Mapped):
        return item
    entries: dict[str, Entry] = {}
    for name, entry in item.entries.items():
        right = spelling.get(name.lower(), name)
        entries[name if right in item.entries else right] = entry
    return replace(item, entries=entries)


def check_models(mended: Mended) -> Iterator[Diagnostic]:
    """Rules between the fields and the entries of a file; entries with a fault are passed over."""
    root = mended.root
    first: dict[str, Model] = {}
    for index, model in enumerate(build_models(root, Path())):
        if not mended.intact(f"[{index}]"):
            continue
        yield from _check_entry(root, index, model)
        other = model if model.gateway is not None else first.setdefault(model.key, model)
        if other.warm != model.warm:
            yield error(
                f"{clipped(model.key)} is declared warm and cold",
                rule="entries of one model agree on warm; go-livepeer ends at start where they do not",
                instead=f"the same as on line {other.source.line}",
                source=model.source,
            )


def _check_entry(root: Node, index: int, model: Model) -> Iterator[Diagnostic]:
    price, token = find(root, (index, "price_per_unit")), find(root, (index, "token"))
    if isinstance(price, Scalar):
        yield from _check_currency(root, index, price)
        yield from _check_height(model, price)
    if isinstance(token, Scalar) and not has_reference(str(token.value)):
        yield warning(
            f"the token of {clipped(model.key)} is written in clear",
            rule="secrets are references; go-livepeer itself reads only clear ones",
            instead='"${env:NAME}" or "${file:PATH}"',
            source=token.source,
        )
    if model.optimization_flags and not model.warm and model.url is None:
        flags = find(root, (index, "optimization_flags"))
        yield warning(
            f"optimization_flags of the cold model {clipped(model.key)}",
            rule="go-livepeer drops the flags of cold models",
            instead='"warm": true, or no flags',
            source=(flags or root).source,
        )


def _check_height(model: Model, price: Scalar) -> Iterator[Diagnostic]:
    """A price of a job where the price of a unit belongs makes a node that nobody hires."""
    wei = model.price.wei if model.price else None
    if wei is not None and wei > ABSURD_WEI:
        image = shown_ether(wei * _MEGAPIXEL)
        yield warning(
            f"{clipped(model.key)}: {shown_wei(wei)} per pixel = {image} ETH per megapixel image",
            rule="prices are of one unit (pixel, token, millisecond), not of a job",
            instead="4768371, for example, which is 0.000005 ETH per megapixel image",
            source=price.source,
        )


def _check_currency(root: Node, index: int, price: Scalar) -> Iterator[Diagnostic]:
    currency = find(root, (index, "currency"))
    if not isinstance(price.value, str):
        return
    _, inside = _split(price.value)
    outside = str(currency.value) if isinstance(currency, Scalar) else ""
    if inside.lower() not in {"", "wei", "eth", "usd"}:
        yield error(
            f"price_per_unit: {clipped(price.value)} has the currency {clipped(inside)}",
            rule="prices are in wei, ETH or USD",
            instead="0.5e-2USD",
            source=price.source,
        )
    elif inside and outside and inside.lower() != outside.lower():
        yield error(
            f"price_per_unit is in {inside}, currency says {outside}",
            rule="one currency for a price",
            instead=f"no currency key, or {outside} in both",
            source=price.source,
        )


def build_models(root: Node, base: Path) -> tuple[Model, ...]:
    """The entries of a valid tree. References count from `base`."""
    if not isinstance(root, Sequence):
        return ()
    return tuple(_model(item, base) for item in root.items if isinstance(item, Mapped))


def _model(item: Mapped, base: Path) -> Model:
    def get(key: str, default: Any) -> Any:
        entry = item.entries.get(key)
        return plain(entry.value) if entry else default

    gateway, token = get("gateway", "default"), get("token", "")
    return Model(
        pipeline=get("pipeline", ""),
        model_id=get("model_id", ""),
        warm=get("warm", False),
        capacity=get("capacity", 0) or 1,
        price=_price(get("price_per_unit", None), get("pixels_per_unit", 1), get("currency", "")),
        gateway=None if gateway == "default" else gateway.lower(),
        url=get("url", "") or None,
        token=parse_template(token, base) if token else None,
        optimization_flags=tuple(get("optimization_flags", {}).items()),
        source=item.source,
    )


def _price(amount: Any, units: int, currency: str) -> Price | None:
    """Wei per unit: price_per_unit / pixels_per_unit, times 10^18 for ether."""
    if amount is None:
        return None
    if isinstance(amount, str):
        amount, inside = _split(amount)
        currency = inside or currency
    per_unit = Fraction(amount) / units
    if currency.lower() == "usd":
        return Price(per_unit, Currency.USD)
    return Price(per_unit * _WEI_PER.get(currency.lower(), 1), Currency.WEI)


def _split(text: str) -> tuple[str, str]:
    """`0.5e-2USD` is `0.5e-2` and `USD`. Matches what the vocabulary's pattern lets through."""
    match = _AMOUNT.fullmatch(text)
    return (match[1], match[2]) if match else ("0", "")
