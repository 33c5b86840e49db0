"""One rendition in the making: a thread that scales, paces, encodes and muxes what is put into its queue.

Decoding happens once; every rendition gets the same frames through a short queue, so that the slowest one
holds up the decoder and memory stays bounded. All the work is inside FFmpeg, outside the interpreter's lock.
A lane that failed goes on emptying its queue, so nobody ever blocks on it; `finish` raises its error.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from av.video.frame import PictureType, VideoFrame

from livepeer.wire import texts
from livepeer.wire.signing import Hasher
from runtime.video.codec.failures import as_transcode_error
from runtime.video.codec.output import Layout, Output
from runtime.video.codec.scaler import Scaler
from runtime.video.codec.settings import frames_allowed
from runtime.video.codec.signature import make_signature
from runtime.video.codec.source import AudioPacket
from runtime.video.jobs import Rendition, TranscodeError

_WAITING = 8
_HASH_PIECE_BYTES = 1 << 18
_SIGNATURE_TIMEOUT_S = 60.0  # the pool's limit for the whole segment is shorter


class Lane:
    """Takes frames and audio packets in file order, then `finish` or `abandon`, exactly once."""

    def __init__(
        self,
        layout: Layout,
        scaler: Scaler,
        output: Output,
        progress: Callable[[], None],
        *,
        with_signature: bool,
    ) -> None:
        self._progress = progress
        self._layout = layout
        self._scaler = scaler
        self._output = output
        self._queue: queue.Queue[VideoFrame | AudioPacket | None] = queue.Queue(_WAITING)
        self._error: Exception | None = None
        self._with_signature = with_signature
        self._signature: Path | None = None
        self._taken = 0
        self._passed = 0
        self._next_key: Fraction | None = None
        self._thread = threading.Thread(target=self._run, name=layout.path.name, daemon=True)
        self._thread.start()

    @property
    def has_failed(self) -> bool:
        return self._error is not None

    def put(self, item: VideoFrame | AudioPacket) -> None:
        self._queue.put(item)

    def abandon(self) -> None:
        """End it, whatever became of it."""
        self._queue.put(None)
        self._thread.join()

    def finish(self) -> Rendition:
        """Wait for all work; raises `TranscodeError`."""
        self.abandon()
        size = self._layout.size
        if self._error is not None:
            raise as_transcode_error(self._error, f"rendition {size}") from self._error
        path = self._layout.path
        return Rendition(
            path=path,
            size_bytes=path.stat().st_size,
            pixels=self._output.frames * size.pixels,
            frames=self._output.frames,
            width=size.width,
            height=size.height,
            keccak=_keccak(path),
            perceptual_hash=self._signature,
        )

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                self._take(item)
            self._end()
        except Exception as error:  # noqa: BLE001 - the boundary of this thread; `finish` raises it
            self._error = error
            while item is not None:
                item = self._queue.get()

    def _take(self, item: VideoFrame | AudioPacket) -> None:
        if isinstance(item, AudioPacket):
            self._output.copy(item)
            return
        self._taken += 1
        for frame in self._scaler.push(item):
            self._encode(frame)

    def _end(self) -> None:
        for frame in self._scaler.flush():
            self._encode(frame)
        if self._passed:
            self._output.encode(None)
        self._output.close()
        if not self._output.frames:
            raise TranscodeError(texts.INVALID_ARGUMENT, "no frame is left to encode")
        if self._with_signature:
            self._signature = make_signature(
                self._layout.path, timeout_s=_SIGNATURE_TIMEOUT_S, progress=self._progress
            )

    def _encode(self, frame: VideoFrame) -> None:
        self._passed += 1
        if self._passed > frames_allowed(self._taken):
            raise TranscodeError(texts.RUNAWAY, f"{self._passed} frames of {self._taken}")
        # Decoders leave their picture types on frames, which the encoder would take for orders.
        frame.pict_type = PictureType.I if self._is_key(frame) else PictureType.NONE
        self._output.encode(frame)

    def _is_key(self, frame: VideoFrame) -> bool:
        now = (frame.pts or 0) * (frame.time_base or Fraction(0))
        interval = self._layout.settings.key_every_s
        if self._next_key is None:
            self._next_key = now + (interval or 0)
            return True
        if interval is None or now < self._next_key:
            return False
        self._next_key += interval * (1 + (now - self._next_key) // interval)
        return True


def _keccak(path: Path) -> bytes:
    hasher = Hasher()
    with path.open("rb") as file:
        while piece := file.read(_HASH_PIECE_BYTES):
            hasher.update(piece)
    return hasher.digest()
