"""Checks of the work itself: a real segment, its renditions, its speed, and how a wrong one is refused."""

from __future__ import annotations

import asyncio

from livepeer.gateway.calls import CallRefused
from livepeer.gateway.clip import make_clip
from livepeer.gateway.doctor.finding import Outcome, failed, passed, skipped, warned
from livepeer.gateway.doctor.patient import Patient
from livepeer.gateway.failures import (
    DownloadFailed,
    NotACandidate,
    PixelMismatch,
    Refused,
    SegmentFailed,
    SignatureMismatch,
)
from livepeer.wire import texts
from livepeer.wire.auth import AuthToken
from livepeer.wire.profiles import VideoProfile

PROFILES = (
    VideoProfile(name="doctor-240p", width=426, height=240, bitrate=250_000, fps=30),
    VideoProfile(name="doctor-144p", width=256, height=144, bitrate=100_000),
)
_LATER = (DownloadFailed, PixelMismatch, SignatureMismatch)
_MANIFEST = "reconcile-doctor"


async def check_segment(patient: Patient) -> Outcome:
    """Pushes the test clip; failures after the result are left to the checks that they belong to."""
    clip = patient.options.clip
    segments = await asyncio.to_thread(make_clip, clip)
    done = []
    try:
        async with patient.gateway.session(_MANIFEST, PROFILES) as session:
            for sequence, segment in enumerate(segments):
                done.append(await session.push(segment, sequence, duration_s=clip.segment_s))
    except NotACandidate as error:
        return failed(str(error), "a gateway would not choose this node", "see the checks of discovery")
    except SegmentFailed as error:
        patient.failure = error
        if not isinstance(error, _LATER):
            cause = f"a gateway would do this: {error.consequence}"
            return failed(str(error), cause, "`reconcile refusals` and the runtime's log say why")
        return passed("a result came back; the checks below say what is wrong with it")
    patient.pushed = tuple(done)
    shown = f"{clip.width}x{clip.height}, {clip.segment_s:g} s"
    return passed(f"{len(segments)} segments of {shown} transcoded to {len(PROFILES)} renditions")


async def check_download(patient: Patient) -> Outcome:
    if isinstance(patient.failure, DownloadFailed):
        return failed(
            str(patient.failure),
            "gateways fetch every rendition within 4 s, over HTTP/1.1 without ALPN",
            "fetch that URL by hand; it must be reachable from where gateways are",
        )
    if not patient.pushed:
        return skipped("no rendition came back")
    slowest = max(entry.download_s for done in patient.pushed for entry in done.renditions)
    return passed(f"slowest rendition in {slowest * 1000:.0f} ms")


async def check_pixels(patient: Patient) -> Outcome:
    if isinstance(patient.failure, PixelMismatch):
        return failed(
            str(patient.failure),
            "gateways decode every rendition and pay by its pixels: any difference removes the node",
            "report it with this clip: the count must be taken from the encoded output",
        )
    if not patient.pushed:
        return skipped("no rendition came back")
    parts = [
        f"{entry.decoded.width}x{entry.decoded.height} {entry.decoded.frames} frames"
        for entry in patient.pushed[-1].renditions
        if entry.decoded
    ]
    return passed(f"equal to what a decoder counts ({', '.join(parts)})")


async def check_results_signature(patient: Patient) -> Outcome:
    if isinstance(patient.failure, SignatureMismatch):
        return failed(
            str(patient.failure),
            "gateways check who made the renditions, and ask the same node three times in vain",
            "compare the node key with the advertised address",
        )
    if not patient.gateway.is_onchain:
        return skipped("off-chain gateways check none")
    return passed("by the advertised address") if patient.pushed else skipped("no rendition came back")


async def check_speed(patient: Patient) -> Outcome:
    if not patient.pushed:
        return skipped("no rendition came back")
    warm = patient.pushed[-1]
    detail = f"round trip {warm.total_s:.2f} s for {warm.duration_s:g} s of video (score {warm.score:.2f})"
    if warm.score > 1:
        return warned(
            detail,
            "gateways swap a node out that is slower than real time",
            "declare a faster preset, more workers or fewer sessions",
        )
    return passed(f"{detail}; the 200 after {warm.headers_s * 1000:.0f} ms")


async def check_refusals(patient: Patient) -> Outcome:
    """Peers decide by exact texts, so two refusals are provoked on purpose."""
    wrong = []
    async with patient.gateway.session(_MANIFEST, PROFILES) as session:
        try:
            await session.push(b"not what was announced", 0, duration_s=1.0, content_hash=bytes(32))
        except Refused as error:
            if (error.status, error.text) != (403, texts.FORBIDDEN):
                wrong.append(f"a wrong hash gets {error.status} {error.text!r} instead of 403 Forbidden")
        except SegmentFailed as error:
            wrong.append(f"a wrong hash gets no refusal: {error}")
        else:
            wrong.append("a wrong hash is not noticed")
    wrong += await _foreign_token(patient)
    if wrong:
        return failed("; ".join(wrong), "peers decide by these texts", "upgrade the node")
    return passed("a wrong hash and a foreign token are refused with the known texts")


async def _foreign_token(patient: Patient) -> list[str]:
    token = AuthToken(bytes(32), "00000000", int(patient.options.now()) + 600)
    try:
        await patient.gateway.end_session(token)
    except CallRefused as error:
        return [] if error.text == texts.END_SESSION_TOKEN else [f"a foreign token gets {error.text!r}"]
    return ["a foreign token ends a session"]
