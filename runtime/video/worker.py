"""The worker program: `python -m runtime.video.worker`, one process per declared slot.

Started by exec with its end of a socket pair as standard input. It confines itself, proves its device, says
it is ready, then transcodes one job at a time. It ends when the pool's end of the socket closes, even in the
middle of a segment. It has no configuration, no network and no secret.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import select
import socket
import tempfile
import threading
import time
from pathlib import Path

from runtime.video import messages
from runtime.video.confine import confine
from runtime.video.jobs import TranscodeError, TranscodeJob

_PROGRESS_EVERY_S = 0.25


class Line:
    """The worker's end of the conversation. One thread at a time reports."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def report(self, message: dict[str, object]) -> None:
        self._connection.sendall(messages.encode(message))

    def next_job(self) -> TranscodeJob | None:
        """The next job, or None when the pool is gone."""
        prefix = self._exactly(messages.LENGTH_BYTES)
        if prefix is None:
            return None
        body = self._exactly(messages.body_length(prefix))
        return None if body is None else messages.read_job(body)

    def end_with_pool(self) -> None:
        """End the process as soon as the pool's end is closed, whatever the main thread does."""
        watch = select.poll()
        watch.register(self._connection, select.POLLRDHUP)
        watch.poll()
        os._exit(0)

    def _exactly(self, count: int) -> bytes | None:
        received = bytearray()
        while len(received) < count:
            piece = self._connection.recv(count - len(received))
            if not piece:
                return None
            received += piece
        return bytes(received)


class Progress:
    """Tells the pool that frames still move, at most a few times a second. Called from any thread."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._steps = 0
        self._told_at = 0.0

    def __call__(self) -> None:
        with self._lock:
            self._steps += 1
            now = time.monotonic()
            if now - self._told_at >= _PROGRESS_EVERY_S:
                self._told_at = now
                self._line.report(messages.progress_message(self._steps))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m runtime.video.worker")
    parser.add_argument("--slot", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    is_hardware = options.device != "cpu"
    confine(parent=options.parent, memory_bytes=options.memory_bytes, is_hardware=is_hardware)
    logging.basicConfig(level=logging.WARNING, format=f"worker {options.slot}: %(message)s %(reason)s")
    line = Line(socket.socket(fileno=0))
    threading.Thread(target=line.end_with_pool, daemon=True).start()
    _work(line, options.slot, options.device, options.threads)


def _work(line: Line, slot: str, device_name: str, threads: int) -> None:
    # Loaded after confining: the codec library is the largest thing in this process.
    from runtime.video.codec.abilities import abilities  # noqa: PLC0415
    from runtime.video.codec.devices import Device  # noqa: PLC0415
    from runtime.video.codec.selftest import failing_reason  # noqa: PLC0415
    from runtime.video.codec.transcode import transcode  # noqa: PLC0415

    device = Device(name=device_name, threads=threads)
    with tempfile.TemporaryDirectory(prefix="worker-") as directory:
        reason = failing_reason(device, Path(directory))
    if reason is not None:
        line.report(messages.unfit_message(reason))
        return
    known = abilities(device)
    served = frozenset(int(capability) for capability in known.served)
    withheld = {int(capability): why for capability, why in known.withheld.items()}
    line.report(messages.ready_message(messages.Ready(served, withheld)))
    while (job := line.next_job()) is not None:
        try:
            result = transcode(job, device, slot, progress=Progress(line))
        except TranscodeError as error:
            refusal = messages.refused_message(error.text, error.detail)
            del error
            gc.collect()  # what failed is tied up in cycles of its errors, with megabytes of pictures each
            line.report(refusal)
        else:
            line.report(messages.done_message(result))


if __name__ == "__main__":
    main()
