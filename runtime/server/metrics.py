"""What Prometheus sees of this process, on the control socket.

Names and labels are a published contract; label values come from closed sets and every series of them
exists from the start with zero. Gauges that mirror live state are read when scraped, never kept in step by
hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from runtime.server.refusals import UNKNOWN, Refusal
from runtime.video.jobs import Phase, WorkerState

_SECONDS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0)
_RATIOS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
_OUTCOMES = ("done", "failed", "refused", "cancelled")


class Metrics:
    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.refusals = Counter(
            "livepeer_runtime_refusals",
            "Work refused, by reason and gateway.",
            ["reason", "gateway"],
            registry=self.registry,
        )
        self.segments = Counter(
            "livepeer_runtime_segments", "Segments answered, by outcome.", ["outcome"], registry=self.registry
        )
        self.round_trip = Histogram(
            "livepeer_runtime_segment_seconds",
            "From a segment's request to its result.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.codec = Histogram(
            "livepeer_runtime_codec_seconds",
            "Time inside the video worker.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.speed = Histogram(
            "livepeer_runtime_segment_duration_ratio",
            "Round trip over the segment's duration; above 1 is slower than real time.",
            buckets=_RATIOS,
            registry=self.registry,
        )
        self.pixels = Counter(
            "livepeer_runtime_pixels", "Pixels, by direction.", ["direction"], registry=self.registry
        )
        self.frames = Counter("livepeer_runtime_frames", "Frames encoded.", registry=self.registry)
        self.bytes = Counter(
            "livepeer_runtime_bytes", "Segment bytes, by direction.", ["direction"], registry=self.registry
        )
        self.discoveries = Counter(
            "livepeer_runtime_discoveries", "GetOrchestrator calls answered.", registry=self.registry
        )
        self._begin_with_zero()

    def follow(
        self,
        *,
        sessions: Callable[[], int],
        session_limit: Callable[[], int],
        running: Callable[[], int],
        queued: Callable[[], int],
        workers: Callable[[], Iterable[WorkerState]],
    ) -> None:
        """Read these when scraped."""
        for name, text, read in (
            ("sessions", "Live video sessions.", sessions),
            ("session_limit", "Most video sessions at once.", session_limit),
            ("jobs_running", "Segments being transcoded.", running),
            ("jobs_queued", "Segments that wait.", queued),
        ):
            Gauge(f"livepeer_runtime_{name}", text, registry=self.registry).set_function(read)
        self.registry.register(_Workers(workers))

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def _begin_with_zero(self) -> None:
        for reason in Refusal:
            self.refusals.labels(reason=reason, gateway=UNKNOWN)
        for outcome in _OUTCOMES:
            self.segments.labels(outcome=outcome)
        for direction in ("in", "out"):
            self.pixels.labels(direction=direction)
            self.bytes.labels(direction=direction)


class _Workers(Collector):
    """One series per declared slot, from the workers' own account."""

    def __init__(self, states: Callable[[], Iterable[WorkerState]]) -> None:
        self._states = states

    def collect(self) -> Iterable[Metric]:
        phase = GaugeMetricFamily(
            "livepeer_runtime_worker_state", "1 for the state a worker is in.", labels=["slot", "state"]
        )
        restarts = CounterMetricFamily(
            "livepeer_runtime_worker_restarts",
            "Workers replaced after a crash, hang or limit.",
            labels=["slot"],
        )
        memory = GaugeMetricFamily(
            "livepeer_runtime_worker_memory_bytes", "Resident memory of a worker.", labels=["slot"]
        )
        for worker in self._states():
            for state in Phase:
                phase.add_metric([worker.slot, state], float(worker.state is state))
            restarts.add_metric([worker.slot], worker.restarts)
            memory.add_metric([worker.slot], worker.memory_bytes)
        return (phase, restarts, memory)

    def describe(self) -> Iterable[Metric]:
        return ()
