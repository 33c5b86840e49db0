"""Takes GOAWAY frames out of a server's HTTP/2 stream, and remembers what they said.

A server that drains says goodbye and finishes what it has begun (RFC 9113, 6.8). The `h2` library refuses
every frame after a goodbye, so a gateway built on it would lose the segment in flight. Frames pass whole;
nothing else is looked at.
"""

from __future__ import annotations

_PREFIX_BYTES = 9
_GOAWAY = 7
_LARGEST_BYTES = 16_384  # what we announce, so a longer frame is an error that the library names


class GoodbyeFilter:
    """`last_stream` is None until the first goodbye: then nothing new may start, later streams are lost."""

    __slots__ = ("_held", "last_stream")

    def __init__(self) -> None:
        self._held = b""
        self.last_stream: int | None = None

    def pass_on(self, data: bytes) -> bytes:
        """The whole frames so far, without goodbyes; the beginning of the next one is held back."""
        data = self._held + data
        passed = []
        start = 0
        while len(data) - start >= _PREFIX_BYTES:
            size = int.from_bytes(data[start : start + 3])
            end = len(data) if size > _LARGEST_BYTES else start + _PREFIX_BYTES + size
            if end > len(data):
                break
            if data[start + 3] == _GOAWAY:
                stream = int.from_bytes(data[start + _PREFIX_BYTES : start + _PREFIX_BYTES + 4])
                self.last_stream = stream & 0x7FFFFFFF
            else:
                passed.append(data[start:end])
            start = end
        self._held = data[start:]
        return b"".join(passed)
