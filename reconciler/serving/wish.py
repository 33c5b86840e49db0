"""What the declared state wants of the runtime, and the spec that this means in given surroundings.

The wish is made once from the files; GPUs and measured presets are looked at again in every run, so the spec
is a function of both. Pure: the kinds `runtime`, `settings` and `presets` call it in their planners and, with
fresh surroundings, when they act.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from reconciler.core.values import Source
from reconciler.layout import Layout
from reconciler.serving.capacity import GpuReading, GpuWish, Machine, Size, VideoWish, size_video
from reconciler.serving.presets import Cache, Choice, Measurement, measurement_key
from reconciler.serving.spec import GatewayTerms, RequestLimits, RuntimeSpec
from reconciler.spec.declaration import AUTO, Auto, Declaration, Fallback, Gpu, Service
from reconciler.spec.prices import Relative

COMPATIBLE_VERSION = "0.9.1"
"""The go-livepeer version that this node behaves like on the wire; gateways compare it with their minimum."""

_ANY_PRESET = "veryfast"
"""Stands in the document where no worker encodes on the CPU, so that nothing is measured for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is looked at in every run and shapes the spec: GPUs, and the kept measurements.

    `failing` are devices on which the present runtime's workers do not come up.
    """

    gpus: GpuReading
    cache: Cache
    failing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeWish:
    """Everything declared for the runtime. `preset` None is `auto`.

    `versions` names what a measurement depends on beside the machine. `sources` says where each target of the
    settings was declared. `relative` names gateways whose price is a share of the common one.
    """

    node: str
    version: str
    log: str
    service_uri: str
    admission: str
    address: str | None
    database: str
    renditions: str
    log_file: str
    preset: str | None
    video: VideoWish
    video_wei: Fraction | None
    gateways: tuple[GatewayTerms, ...]
    limits: RequestLimits
    machine: Machine
    versions: str
    sources: Mapping[str, Source]
    relative: frozenset[str]

    def size(self, around: Surroundings) -> Size:
        return size_video(self.video, self.machine, around.gpus, around.failing)

    def wants_measurement(self, around: Surroundings) -> bool:
        """Whether the preset is ours to find out: `auto`, and the CPU encodes."""
        return self.preset is None and self.size(around).encodes_on_cpu

    @property
    def measurement_key(self) -> str:
        return measurement_key(self.machine, self.versions)

    def measured(self, surroundings: Surroundings) -> Measurement | None:
        return surroundings.cache.get(self.measurement_key)

    def choice(self, surroundings: Surroundings) -> Choice | None:
        """What `auto` comes to for the number of sessions; None where nothing was measured."""
        found = self.measured(surroundings)
        return found.choose(self.size(surroundings).sessions or 0) if found else None

    def spec(self, surroundings: Surroundings) -> RuntimeSpec:
        """The spec for these surroundings; what they leave open stays None."""
        size = self.size(surroundings)
        return RuntimeSpec(
            node=self.node,
            version=self.version,
            log=self.log,
            service_uri=self.service_uri,
            admission=self.admission,
            address=self.address,
            database=self.database,
            renditions=self.renditions,
            log_file=self.log_file,
            sessions=size.sessions,
            preset=self._preset(surroundings),
            workers=size.workers,
            video_wei=self.video_wei,
            gateways=self.gateways,
            limits=self.limits,
        )

    def _preset(self, surroundings: Surroundings) -> str | None:
        if self.preset is not None:
            return self.preset
        if not self.wants_measurement(surroundings):
            return None if self.size(surroundings).workers is None else _ANY_PRESET
        choice = self.choice(surroundings)
        return choice.preset if choice else None


def wish_for(
    declaration: Declaration,
    service: Service,
    layout: Layout,
    *,
    machine: Machine,
    version: str,
    versions: str,
) -> RuntimeWish:
    """`version` is ours; `versions` names everything whose change makes a measurement worthless."""
    base = declaration.pricing.video_wei
    return RuntimeWish(
        node=declaration.name,
        version=f"{COMPATIBLE_VERSION}-reconciler.{version}",
        log=declaration.log.value,
        service_uri=service.uri,
        admission=service.admission.value,
        address=None,
        database=str(layout.money_database),
        renditions=str(layout.renditions),
        log_file=str(layout.logs / "runtime.log"),
        preset=None if isinstance(declaration.video.preset, Auto) else declaration.video.preset.value,
        video=_video(declaration),
        video_wei=base,
        gateways=tuple(
            GatewayTerms(
                name=gateway.name,
                address=gateway.address.lower(),
                video_wei=gateway.video_wei(base),
                reserve=gateway.reserve_video,
            )
            for gateway in sorted(declaration.gateways, key=lambda gateway: gateway.name)
        ),
        limits=RequestLimits(
            body_bytes=service.limits.body_bytes,
            body_idle_s=service.limits.body_idle_s,
            drain_s=service.limits.drain_s,
            session_idle_s=service.limits.session_idle_s,
            queue=service.limits.queue,
        ),
        machine=machine,
        versions=versions,
        sources=_sources(declaration),
        relative=frozenset(
            gateway.name for gateway in declaration.gateways if isinstance(gateway.video, Relative)
        ),
    )


def _video(declaration: Declaration) -> VideoWish:
    video, gpus = declaration.video, declaration.gpus
    return VideoWish(
        sessions=_number(video.sessions),
        workers=_number(video.workers),
        worker_memory_bytes=video.worker_memory_bytes,
        gpus=None if gpus.mode == "auto" else _declared_gpus(declaration),
        uses_cpu=gpus.mode != "listed",
        software_fallback=video.fallback is Fallback.SOFTWARE,
    )


def _declared_gpus(declaration: Declaration) -> tuple[GpuWish, ...]:
    return tuple(found for gpu in declaration.gpus.devices if (found := _gpu(gpu, declaration)))


def _gpu(gpu: Gpu, declaration: Declaration) -> GpuWish | None:
    if gpu.video is None:
        return None
    return GpuWish(
        name=gpu.name,
        uuid=gpu.uuid,
        sessions=_number(gpu.video.sessions),
        vram_bytes=_number(gpu.video.vram_bytes),
        source=declaration.source(f"gpus.{gpu.name}"),
    )


def _number(value: int | Auto) -> int | None:
    return None if value is AUTO or isinstance(value, Auto) else value


_DECLARED_AT = {
    "runtime.log": "log",
    "runtime.serviceURI": "service.uri",
    "runtime.admission": "service.admission",
    "runtime.sessions": "video.sessions",
    "runtime.preset": "video.preset",
    "runtime.workers": "video.workers",
    "runtime.pricing.video": "pricing.video",
    "runtime.gateways": "gateways",
    "runtime.limits": "service.limits",
    "runtime.process": "name",
}


def _sources(declaration: Declaration) -> Mapping[str, Source]:
    found = {target: declaration.source(path) for target, path in _DECLARED_AT.items()}
    for gateway in declaration.gateways:
        path = f"gateways.{gateway.name}"
        found[f"runtime.{path}"] = declaration.source(f"{path}.video") or declaration.source(path)
    return {target: source for target, source in found.items() if source}
