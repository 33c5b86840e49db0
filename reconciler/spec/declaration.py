"""The declared state of one node, typed: what loading the YAML files gives to everyone else.

Frozen, complete (defaults are filled in), with exact amounts: prices are fractions of wei, times are seconds,
sizes are bytes. Secrets are references. What no kind acts on yet is kept validated (`Frozen`). Made by
`build`, read by the kinds' desired states, the verbs and the reports; it knows neither YAML nor the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from reconciler.core.values import Diagnostic, Revision, Source
from reconciler.spec.prices import Model, Price, Relative
from reconciler.spec.secrets import Template

Frozen = str | int | bool | None | Template | tuple["Frozen", ...] | Mapping[str, "Frozen"]
"""A validated value without a type of its own yet; mappings are read-only, references are masked."""


class Auto(Enum):
    """`auto`: the node finds the value out by itself."""

    AUTO = "auto"


AUTO: Final = Auto.AUTO


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Admission(StrEnum):
    """`drain`: running sessions go on, new ones are refused. `closed`: all work is refused."""

    OPEN = "open"
    DRAIN = "drain"
    CLOSED = "closed"


class Preset(StrEnum):
    """x264's speed presets, from fastest to slowest."""

    ULTRAFAST = "ultrafast"
    SUPERFAST = "superfast"
    VERYFAST = "veryfast"
    FASTER = "faster"
    FAST = "fast"
    MEDIUM = "medium"
    SLOW = "slow"
    SLOWER = "slower"
    VERYSLOW = "veryslow"


class Fallback(StrEnum):
    """What takes the place of a GPU that is declared for video and fails its self-test."""

    NONE = "none"
    SOFTWARE = "software"


class Healing(StrEnum):
    """What happens when the world moved and the files did not."""

    HEAL = "heal"
    REPORT = "report"


class Consent(StrEnum):
    """Whether a change is made by itself, waits for `reconcile approve`, or is only reported."""

    AUTO = "auto"
    APPROVE = "approve"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A listening address. IPv6 hosts stand without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """A declared certificate chain (PEM) and the secret that is its key (PEM)."""

    certificate: Path
    key: Template


@dataclass(frozen=True, slots=True)
class Listen:
    public: Endpoint
    cli: Endpoint
    metrics: Endpoint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What strangers may use of the node."""

    connections: int
    connections_per_address: int
    body_bytes: int
    headers_s: float
    body_idle_s: float
    session_idle_s: float
    drain_s: float
    queue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How gateways reach the node. `uri` is advertised byte for byte."""

    uri: str
    host: str
    port: int
    keep_previous_s: float
    tls: Tls | None
    listen: Listen
    admission: Admission
    limits: Limits


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute."""

    data: Path
    weights: Path


@dataclass(frozen=True, slots=True)
class GpuVideo:
    sessions: int | Auto
    vram_bytes: int | Auto


@dataclass(frozen=True, slots=True)
class Gpu:
    """A declared GPU. `video` is None where it does no video."""

    name: str
    uuid: str
    video: GpuVideo | None
    ai: bool


@dataclass(frozen=True, slots=True)
class Gpus:
    """`auto`: every GPU that is found. `none`: none is used. `listed`: exactly `devices`, in file order."""

    mode: Literal["auto", "none", "listed"]
    devices: tuple[Gpu, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """`workers` counts the processes where the CPU does the work."""

    preset: Preset | Auto
    sessions: int | Auto
    workers: int | Auto
    worker_memory_bytes: int
    fallback: Fallback


@dataclass(frozen=True, slots=True)
class Pricing:
    """Video prices are per pixel. Floor and cap are wei per pixel."""

    video: Price | None = None
    video_floor: Fraction | None = None
    video_cap: Fraction | None = None
    redemption_overhead: Mapping[str, Frozen] | None = None

    @property
    def video_wei(self) -> Fraction | None:
        """Wei per pixel; None where none is declared, or only one that needs a currency feed."""
        return self.video.wei if self.video else None


@dataclass(frozen=True, slots=True)
class Gateway:
    """An agreement with a gateway. `address` is lower case. `reserve_video` sessions are kept free for it."""

    name: str
    address: str
    video: Price | Relative | None = None
    reserve_video: int = 0
    ai: Frozen = None

    def video_wei(self, base: Fraction | None) -> Fraction | None:
        """Wei per pixel for this gateway, given the node's own price; None: no price of its own."""
        if isinstance(self.video, Price):
            return self.video.wei
        return self.video.of(base) if self.video is not None and base is not None else None


@dataclass(frozen=True, slots=True)
class Chain:
    """`network` is `offchain`, `devnet`, `arbitrum-one` or `custom`; the rest is not acted on yet."""

    network: str
    rest: Mapping[str, Frozen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Automation:
    """What the operator does by itself. `protect` names actions that need a hand: `stake.decrease`."""

    routine: Consent = Consent.AUTO
    chain_settings: Consent = Consent.APPROVE
    drift_runtime: Healing = Healing.HEAL
    drift_chain: Healing = Healing.REPORT
    protect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One node's declared state. `files` are all that it was read from; with `warnings` it still runs.

    `revision` is a digest of the merged declaration with references unresolved; it does not depend on where
    the files lie, on the order of keys, or on how many files the content is spread over. `text` is that
    declaration as one canonical JSON text to keep, masked where a secret may stand.
    """

    name: str
    log: LogLevel
    service: Service | None
    paths: Paths
    gpus: Gpus
    video: Video
    pricing: Pricing
    gateways: tuple[Gateway, ...]
    models: tuple[Model, ...]
    chain: Chain
    automation: Automation
    runner: Frozen
    workers: Frozen
    joins: Frozen
    notify: Frozen
    source_of_truth: Frozen
    rollout: Frozen
    revision: Revision
    text: str
    files: tuple[Path, ...]
    sources: Mapping[str, Source]
    warnings: tuple[Diagnostic, ...] = ()

    def source(self, path: str) -> Source | None:
        """Where the value of a dotted path (`pricing.video`, `gateways.daydream.video`) was declared.

        A path that is not in the files (a default) gives the nearest part above it that is, or None.
        """
        while path:
            if found := self.sources.get(path):
                return found
            path = path.rpartition(".")[0]
        return None

    def declares(self, path: str) -> bool:
        """Whether the files themselves hold a value at this dotted path."""
        return path in self.sources
