"""Rules about money between fields: relative to what, between which bounds, and is it absurd. Pure.

Each rule asks first whether what it stands on is intact. Called through `rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from reconciler.core.values import Diagnostic, Source
from reconciler.spec.declaration import Gateway
from reconciler.spec.facts import Facts, Rule
from reconciler.spec.hints import nearest
from reconciler.spec.prices import Price, Relative
from reconciler.spec.sentences import clipped, error, warning
from reconciler.spec.units import shown_ether, shown_wei

ABSURD_VIDEO_WEI: Final = 100_000
"""Wei per pixel; the network's usual price is about 1,000."""
_MINUTE_OF_1080P30: Final = 1920 * 1080 * 30 * 60


def check_relative_prices(facts: Facts) -> Iterator[Diagnostic]:
    for gateway in facts.declaration.gateways:
        path = f"gateways.{gateway.name}.video"
        if not isinstance(gateway.video, Relative) or not facts.intact(path, "pricing"):
            continue
        if facts.declaration.pricing.video is None:
            yield error(
                f"{path} is relative to a price that is not declared",
                rule="a percentage is of pricing.video",
                instead="a price such as 800 wei, or declare pricing.video",
                source=facts.at(path),
            )
        elif gateway.video.change <= -1:
            yield error(
                f"{path} leaves nothing of the price",
                rule="a discount is less than 100 %",
                instead="0 wei, where the work is to be free",
                source=facts.at(path),
            )


def check_price_bounds(facts: Facts) -> Iterator[Diagnostic]:
    pricing = facts.declaration.pricing
    floor, cap, own = pricing.video_floor, pricing.video_cap, pricing.video_wei
    if not facts.intact("pricing.video"):
        return
    if floor is not None and cap is not None and floor > cap:
        yield error(
            "pricing.video: the floor is above the cap",
            rule="floor <= cap",
            instead=f"floor: {shown_wei(cap)}, cap: {shown_wei(floor)}",
            source=facts.at("pricing.video.floor"),
        )
    for name, bound, outside in (
        ("floor", floor, own is not None and floor is not None and own < floor),
        ("cap", cap, own is not None and cap is not None and own > cap),
    ):
        if outside and own is not None and bound is not None:
            yield error(
                f"pricing.video: {shown_wei(own)} is outside its own {name} of {shown_wei(bound)}",
                rule="floor and cap bound the price; a price in ether does not move by itself",
                instead=f"a price within the bounds, or no {name}",
                source=facts.at("pricing.video.price"),
            )


def check_video_prices(facts: Facts) -> Iterator[Diagnostic]:
    """A slip of the decimal point makes a node that nobody hires: say what the price means."""
    if facts.intact("pricing.video"):
        path = "pricing.video.price" if facts.declaration.declares("pricing.video.price") else "pricing.video"
        yield from _absurd_video(facts.declaration.pricing.video_wei, path, facts.at(path))
    for gateway in facts.declaration.gateways:
        path = f"gateways.{gateway.name}.video"
        if isinstance(gateway.video, Price) and facts.intact(path):
            yield from _absurd_video(gateway.video.wei, path, facts.at(path))


def _absurd_video(price: Fraction | None, path: str, source: Source | None) -> Iterator[Diagnostic]:
    if price is not None and price > ABSURD_VIDEO_WEI:
        minute = shown_ether(price * _MINUTE_OF_1080P30)
        yield warning(
            f"{path}: {shown_wei(price)} per pixel = {minute} ETH per minute of 1080p30 video",
            rule="usual prices are about 1,000 wei per pixel; gateways skip what is above their limit",
            instead="1200 wei, if this was a slip",
            source=source,
        )


def check_gateway_models(facts: Facts) -> Iterator[Diagnostic]:
    known = [model.key for model in facts.declaration.models]
    for gateway in facts.declaration.gateways:
        for name in _priced_models(gateway):
            path = f"gateways.{gateway.name}.ai.{name}"
            if name not in known and facts.intact(path, "models"):
                yield warning(
                    f"gateways.{gateway.name}.ai prices {clipped(name)}, which is not served",
                    rule="prices name models of aiModels.json as pipeline/model_id",
                    instead=nearest(name, known),
                    source=facts.at(path),
                )


def _priced_models(gateway: Gateway) -> tuple[str, ...]:
    return tuple(gateway.ai) if isinstance(gateway.ai, Mapping) else ()


def check_gateway_addresses(facts: Facts) -> Iterator[Diagnostic]:
    first: dict[str, str] = {}
    for gateway in facts.declaration.gateways:
        path = f"gateways.{gateway.name}.address"
        if not facts.intact(path):
            continue
        other = first.setdefault(gateway.address, gateway.name)
        if other != gateway.name:
            yield error(
                f"gateways.{gateway.name} has the address of gateways.{other}",
                rule="a gateway is declared once",
                instead="one of them",
                source=facts.at(path),
            )


PRICE_RULES: Final[tuple[Rule, ...]] = (
    check_relative_prices,
    check_price_bounds,
    check_video_prices,
    check_gateway_models,
    check_gateway_addresses,
)
