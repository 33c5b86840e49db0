"""One accepted segment from its file to its result: session, turn, transcoding, storing, signing, debit.

Everything that goes wrong here is an error *inside* the result, since the 200 is on its way already; nothing
that fails costs pixels. Called by the segment route once the data has proved to be what was announced.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire import texts
from livepeer.wire.signing import Signer, results_message
from runtime.control.accepted import Accepted
from runtime.payments.gate import PaymentGate
from runtime.server.admission import Admission, Refused
from runtime.server.events import EventLog
from runtime.server.refusals import Refusal, Refusals
from runtime.server.sessions import Session, SessionBusy, Sessions
from runtime.video.credentials import Claim
from runtime.video.jobs import Transcoded, TranscodeError, TranscodeJob, Transcoder
from runtime.video.outbound import Outbound
from runtime.video.storage import OutputStorage, OwnStorage, OwnStore, StorageError
from runtime.video.targets import Targets
from runtime.video.uploads import FormStorage

_SMALLEST_RENDITION_BYTES = 25
_MAKER_OFFCHAIN = "offchain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A result, and what it was made of (None where nothing was made)."""

    result: pb.TranscodeResult
    transcoded: Transcoded | None


class Workshop:
    """Also the keeper of each session's output storage, from its first segment to its end."""

    def __init__(
        self,
        *,
        accepted: Accepted,
        admission: Admission,
        sessions: Sessions,
        transcoder: Transcoder,
        store: OwnStore,
        gate: PaymentGate,
        signer: Signer,
        refusals: Refusals,
        events: EventLog,
        targets: Targets,
        outbound: Outbound,
        threads: Executor,
        has_worker: Callable[[], bool],
    ) -> None:
        self._accepted = accepted
        self._admission = admission
        self._sessions = sessions
        self._transcoder = transcoder
        self._store = store
        self._gate = gate
        self._signer = signer
        self._refusals = refusals
        self._events = events
        self._targets = targets
        self._outbound = outbound
        self._threads = threads
        self._has_worker = has_worker
        self._outputs: dict[str, OutputStorage] = {}
        self._job_numbers = itertools.count(1)

    async def deliver(self, claim: Claim, source: Path, directory: Path) -> Delivery:
        """The result for this segment. `directory` is the job's own; the source may be in it."""
        result = pb.TranscodeResult(seq=claim.order.sequence)
        transcoded = None
        try:
            session = self._open(claim)
            limits = self._accepted.spec.limits
            async with self._sessions.turn(session, queue=limits.queue, idle_s=limits.session_idle_s):
                transcoded = await self._transcode(claim, source, directory)
                result.data.CopyFrom(await self._store_all(claim, transcoded))
        except Refused as error:
            self._refuse(claim, error.reason)
            result.error = error.text
        except SessionBusy:
            self._refuse(claim, Refusal.BUSY)
            result.error = texts.ORCHESTRATOR_BUSY
        except (TranscodeError, StorageError) as error:
            self._report(claim, error)
            result.error = error.text if isinstance(error, TranscodeError) else str(error)
        pixels = sum(segment.pixels for segment in result.data.segments)
        self._gate.debit(claim.payment, sender=claim.sender, key=claim.session.id, pixels=pixels)
        return Delivery(result=result, transcoded=None if result.error else transcoded)

    def forget(self, session: Session, why: str) -> None:
        """A session has ended: its files go."""
        self._outputs.pop(session.facts.id, None)
        self._store.drop(session.facts.id)
        self._events.emit("session.ended", session=session.facts.id, why=why)

    def _open(self, claim: Claim) -> Session:
        """The claim's session, with somewhere to put its renditions. Raises `Refused`, `StorageError`."""
        facts = claim.session
        session = self._admission.session(facts)
        if facts.id in self._outputs:
            self._store.touch(facts.id)
            return session
        try:
            self._store.begin(facts)
        except OSError as error:
            self._sessions.end(facts.id)
            raise StorageError(f"cannot keep renditions: {error.strerror}") from error
        self._outputs[facts.id] = self._output(claim)
        self._events.emit("session.started", session=facts.id, gateway=facts.sender.hex())
        return session

    def _output(self, claim: Claim) -> OutputStorage:
        wanted = claim.order.storage
        if wanted is None:
            return OwnStorage(
                self._store,
                session_id=claim.session.id,
                service_uri=lambda: self._accepted.spec.service_uri,
            )
        return FormStorage(wanted, targets=self._targets, outbound=self._outbound, threads=self._threads)

    async def _transcode(self, claim: Claim, source: Path, directory: Path) -> Transcoded:
        order, spec = claim.order, self._accepted.spec
        if not order.profiles:
            return Transcoded(renditions=(), decoded_pixels=0, codec_s=0.0, worker="")
        if not self._has_worker():
            raise TranscodeError(texts.TRANSCODER_UNAVAILABLE)
        output = directory / "out"
        try:
            output.mkdir(mode=0o700)
        except OSError as error:
            raise StorageError(f"cannot keep renditions: {error.strerror}") from error
        job = TranscodeJob(
            id=f"{claim.session.id}-{next(self._job_numbers)}",
            session_id=claim.session.id,
            sequence=order.sequence,
            source=source,
            profiles=order.profiles,
            duration_ms=order.duration_ms,
            output=output,
            preset=spec.preset,
            provider=f"Livepeer Transcoder {spec.version} ({_MAKER_OFFCHAIN})",
            clip_from_ms=order.clip.from_ms if order.clip else None,
            clip_to_ms=order.clip.to_ms if order.clip else None,
            perceptual_hash=order.wants_perceptual_hash,
        )
        transcoded = await self._transcoder.transcode(job)
        if len(transcoded.renditions) != len(order.profiles):
            raise TranscodeError(texts.MISMATCHED_SEGMENTS)
        if any(rendition.size_bytes < _SMALLEST_RENDITION_BYTES for rendition in transcoded.renditions):
            raise TranscodeError(texts.ZERO_SEGMENTS)
        return transcoded

    async def _store_all(self, claim: Claim, transcoded: Transcoded) -> pb.TranscodeData:
        """Every rendition stored, in request order, or `StorageError`: never fewer than were asked for."""
        output = self._outputs[claim.session.id]
        data = pb.TranscodeData()
        for profile, rendition in zip(claim.order.profiles, transcoded.renditions, strict=True):
            name = f"{profile.name}/{claim.order.sequence}{profile.container.extension}"
            segment = data.segments.add(url=await output.put(name, rendition.path), pixels=rendition.pixels)
            if rendition.perceptual_hash is not None:
                hash_name = f"{name}.phash"
                segment.perceptual_hash_url = await output.put(hash_name, rendition.perceptual_hash)
        hashes = (rendition.keccak for rendition in transcoded.renditions)
        data.sig = self._signer.sign(results_message(hashes))
        return data

    def _refuse(self, claim: Claim, reason: Refusal) -> None:
        self._refusals.count(reason, claim.session.sender)

    def _report(self, claim: Claim, error: TranscodeError | StorageError) -> None:
        self._events.emit(
            "segment.failed",
            level=logging.WARNING,
            session=claim.session.id,
            sequence=claim.order.sequence,
            error=str(error),
        )
