"""Where the parts of a runtime are made and joined: the only module that knows all of them.

Making them opens files but neither sockets nor processes; `life.py` does that, in order. Features hand over
their routes and their part of the advertisement here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from livepeer.wire import capabilities
from livepeer.wire.signing import OffchainSigner
from runtime.control.accepted import Accepted
from runtime.control.status import status_document
from runtime.payments.database import load_token_secret
from runtime.payments.gate import OffchainGate
from runtime.server import logs
from runtime.server.admission import Admission
from runtime.server.advertisement import Advertisement
from runtime.server.discovery import Discovery
from runtime.server.events import EventLog
from runtime.server.metrics import Metrics
from runtime.server.program import Program, healthz
from runtime.server.refusals import Refusal, Refusals
from runtime.server.sessions import Session, Sessions
from runtime.server.tokens import Tokens
from runtime.spec import RuntimeSpec
from runtime.video.credentials import Credentials
from runtime.video.jobs import Phase, WorkerEvent
from runtime.video.offer import Offer, Workers, offer
from runtime.video.outbound import Outbound
from runtime.video.room import Room
from runtime.video.segment import SegmentRoute
from runtime.video.source import SourceFetcher
from runtime.video.staging import Staging
from runtime.video.storage import OwnStore
from runtime.video.stream import PREFIX, Downloads
from runtime.video.targets import Targets
from runtime.video.work import Workshop

_THREADS = 4
_SERVICE = "/net.Orchestrator"


@dataclass(slots=True)
class Standing:
    """What the life of the process is at; written by `life.py` only."""

    started_at: float
    is_serving: bool = False
    is_stopping: bool = False


class Runtime:
    """All parts of one runtime. `advertisement` and `offer` are replaced, never changed.

    `settled` is set once the first workers are ready or given up.
    """

    def __init__(self, spec: RuntimeSpec, transcoder: Workers) -> None:
        self.standing = Standing(started_at=time.time())
        self.accepted = Accepted(spec)
        self.transcoder = transcoder
        self.settled = asyncio.Event()
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="io")
        self.signer = OffchainSigner()
        self.gate = OffchainGate()
        self.events = EventLog(clock=time.time)
        self.metrics = Metrics()
        self.refusals = Refusals(clock=time.time, listener=self._on_refusal)
        self.sessions = Sessions(on_end=self._on_session_end)
        self.tokens = Tokens(
            load_token_secret(spec.database), clock=time.time, random_bytes=secrets.token_bytes
        )
        self.store = OwnStore(Path(spec.renditions), clock=time.time)  # first: it makes sure whose this is
        self.staging = Staging(Path(spec.renditions))
        self.room = Room.on(Path(spec.renditions))
        self.outbound = Outbound(self.threads)
        self.targets = Targets(service_uri=lambda: self.accepted.spec.service_uri)
        self.admission = Admission(
            accepted=self.accepted,
            sessions=self.sessions,
            has_worker=self.has_worker,
            recall=lambda session_id: self.store.recall(session_id, idle_s=self.session_idle_s),
            clock=time.time,
        )
        self.workshop = self._make_workshop()
        self.offer: Offer
        self.advertisement: Advertisement
        self.prepare_advertisement()
        self.refusals.declare(gateway.address for gateway in spec.gateways)
        self.accepted.on_change(self._on_new_spec)
        self.transcoder.subscribe(self._on_worker_event)
        self._follow_with_metrics()

    @property
    def session_idle_s(self) -> float:
        return self.accepted.spec.limits.session_idle_s

    def has_worker(self) -> bool:
        """As of the last event of a worker: asking each one reads its memory, too slow for discovery."""
        return self._has_worker

    def jobs_queued(self) -> int:
        return self.transcoder.queued + sum(session.queued for session in self.sessions)

    def prepare_advertisement(self) -> None:
        """Say from now on what is served now."""
        spec = self.accepted.spec
        self._has_worker = any(worker.state is not Phase.FAILED for worker in self.transcoder.states())
        self.offer = offer(self.transcoder.abilities())
        self.advertisement = Advertisement(
            service_uri=spec.service_uri,
            address=self.signer.address,
            capabilities=capabilities.offering(self.offer.advertised, version=spec.version),
        )

    def program(self) -> Program:
        """The public socket's program."""
        discovery = Discovery(
            advertisement=lambda: self.advertisement,
            admission=self.admission,
            sessions=self.sessions,
            tokens=self.tokens,
            signer=self.signer,
            refusals=self.refusals,
            metrics=self.metrics,
        )
        return Program(
            paths={"/segment": self._segment_route().answer, "/healthz": healthz},
            prefixes={PREFIX: Downloads(self.store).answer},
            methods={
                f"{_SERVICE}/GetOrchestrator": discovery.get_orchestrator,
                f"{_SERVICE}/Ping": discovery.ping,
                f"{_SERVICE}/EndTranscodingSession": discovery.end_session,
            },
        )

    def status(self) -> Mapping[str, object]:
        return status_document(
            spec=self.accepted.spec,
            pid=os.getpid(),
            started_at=self.standing.started_at,
            is_serving=self.standing.is_serving,
            is_draining=self.standing.is_stopping,
            sessions_live=len(self.sessions),
            jobs_queued=self.jobs_queued(),
            workers=self.transcoder.states(),
            offer=self.offer,
            refusals=self.refusals.snapshot(),
        )

    def _segment_route(self) -> SegmentRoute:
        credentials = Credentials(
            accepted=self.accepted,
            admission=self.admission,
            advertisement=lambda: self.advertisement,
            tokens=self.tokens,
            signer=self.signer,
        )
        fetcher = SourceFetcher(targets=self.targets, outbound=self.outbound, threads=self.threads)
        return SegmentRoute(
            accepted=self.accepted,
            credentials=credentials,
            advertisement=lambda: self.advertisement,
            sessions=self.sessions,
            gate=self.gate,
            staging=self.staging,
            room=self.room,
            fetcher=fetcher,
            workshop=self.workshop,
            refusals=self.refusals,
            metrics=self.metrics,
            threads=self.threads,
        )

    def _make_workshop(self) -> Workshop:
        return Workshop(
            accepted=self.accepted,
            admission=self.admission,
            sessions=self.sessions,
            transcoder=self.transcoder,
            store=self.store,
            gate=self.gate,
            signer=self.signer,
            refusals=self.refusals,
            events=self.events,
            targets=self.targets,
            outbound=self.outbound,
            threads=self.threads,
            has_worker=self.has_worker,
        )

    def _follow_with_metrics(self) -> None:
        self.metrics.follow(
            sessions=lambda: len(self.sessions),
            session_limit=lambda: self.accepted.spec.sessions,
            running=lambda: sum(worker.state is Phase.BUSY for worker in self.transcoder.states()),
            queued=self.jobs_queued,
            workers=self.transcoder.states,
        )

    def _on_refusal(self, reason: Refusal, gateway: str) -> None:
        self.metrics.refusals.labels(reason=reason, gateway=gateway).inc()

    def _on_session_end(self, session: Session, why: str) -> None:
        self.workshop.forget(session, why)

    def _on_new_spec(self, old: RuntimeSpec, new: RuntimeSpec) -> None:
        logs.set_level(new.log_level)
        self.refusals.declare(gateway.address for gateway in new.gateways)
        self.prepare_advertisement()
        self.events.emit("spec.accepted", generation=new.generation, previous=old.generation)

    def _on_worker_event(self, event: WorkerEvent) -> None:
        # The worker's own state follows its event; look once it has.
        asyncio.get_running_loop().call_soon(self.prepare_advertisement)
        self.events.emit(event.name, level=logging.INFO, slot=event.slot, **event.fields)
