"""What is valid and not acted on yet: refused when a plan is made, never silently ignored.

One table of gaps, each with the place and the reason; it shrinks with every part that is built. `validate`
does not ask it: a file may be ready before the node is. On purpose not in the table: `automation.protect`,
`automation.chainSettings`, `automation.drift.chain`, a GPU's `ai: true`: they limit what does not happen yet.
Pure. Called by whoever makes plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.core.errors import ConfigError
from reconciler.core.values import Diagnostic
from reconciler.spec.declaration import Consent, Declaration
from reconciler.spec.documents import Library
from reconciler.spec.excerpts import excerpts_of
from reconciler.spec.prices import Currency, Price
from reconciler.spec.sentences import error

_SECTIONS: Final[Mapping[str, str]] = {
    "runner": "no AI containers are run",
    "workers": "remote workers are not let in",
    "joins": "this node does not work for another orchestrator",
    "notify": "nobody is notified",
    "source": "the declared state is read from local files only",
    "rollout": "there is no fleet to roll out to",
    "pricing.redemptionOverhead": "no tickets are redeemed",
}
"""Parts of the declaration that nothing acts on, with what that means."""


@dataclass(frozen=True, slots=True)
class Gap:
    path: str
    reason: str
    instead: str


def gaps_of(declaration: Declaration) -> tuple[Gap, ...]:
    """Everything that this declaration asks for in vain."""
    return (
        *_sections(declaration),
        *_chain(declaration),
        *_models(declaration),
        *_prices(declaration),
        *_automation(declaration),
    )


def require_support(declaration: Declaration, library: Library | None = None) -> None:
    """Raises `ConfigError` (exit code 78) with one finding for each gap, and its line from the library."""
    found = tuple(_told(gap, declaration) for gap in gaps_of(declaration))
    if found:
        raise ConfigError(found, excerpts_of(found, library) if library else None)


def _told(gap: Gap, declaration: Declaration) -> Diagnostic:
    return error(
        f"{gap.path}: declared but not supported yet",
        rule=f"what is declared is done or refused, never ignored; {gap.reason}",
        instead=gap.instead,
        source=declaration.source(gap.path),
    )


def _sections(declaration: Declaration) -> Iterator[Gap]:
    for path, reason in _SECTIONS.items():
        if declaration.declares(path):
            yield Gap(path, reason, f"nothing: remove {path} for now")


def _chain(declaration: Declaration) -> Iterator[Gap]:
    if declaration.chain.network != "offchain":
        instead = "chain: {network: offchain}, or no chain"
        yield Gap("chain.network", "this node works off-chain", instead)


def _models(declaration: Declaration) -> Iterator[Gap]:
    if declaration.models:
        count = len(declaration.models)
        reason = f"AI work is not served, and the file declares {count} model{'s' if count > 1 else ''}"
        yield Gap("models", reason, "an aiModels.json with an empty list, or no models")


def _prices(declaration: Declaration) -> Iterator[Gap]:
    own = declaration.pricing.video
    if own is not None and own.currency is Currency.USD:
        yield Gap("pricing.video", "a price in USD needs a currency feed", "a price in wei, such as 1200 wei")
    for gateway in declaration.gateways:
        path = f"gateways.{gateway.name}"
        if isinstance(gateway.video, Price) and gateway.video.currency is Currency.USD:
            instead = "a price in wei, such as 800 wei"
            yield Gap(f"{path}.video", "a price in USD needs a currency feed", instead)
        if gateway.ai is not None:
            yield Gap(f"{path}.ai", "AI work is not served", f"nothing: remove {path}.ai for now")


def _automation(declaration: Declaration) -> Iterator[Gap]:
    if declaration.automation.routine is not Consent.AUTO:
        instead = "routine: auto, and `reconcile suspend` where nothing is to happen by itself"
        yield Gap("automation.routine", "there is no approval of routine work", instead)
