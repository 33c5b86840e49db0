"""Which GPUs are declared. What is seen of them is `reconciler.serving.gpus.Inventory`. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.values import Source
from reconciler.spec.declaration import Declaration

KIND = "gpus"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredGpu:
    name: str
    uuid: str
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpusDesired:
    """`declared` None: every GPU that is found is used."""

    declared: tuple[DeclaredGpu, ...] | None


def desire(declaration: Declaration) -> GpusDesired | None:
    """None for a node that uses no GPU."""
    if declaration.gpus.mode == "none":
        return None
    if declaration.gpus.mode == "auto":
        return GpusDesired(declared=None)
    return GpusDesired(
        declared=tuple(
            DeclaredGpu(name=gpu.name, uuid=gpu.uuid, source=declaration.source(f"gpus.{gpu.name}.uuid"))
            for gpu in declaration.gpus.devices
        )
    )
