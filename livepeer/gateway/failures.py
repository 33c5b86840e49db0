"""What goes wrong between a gateway and an orchestrator, and what a real gateway then does.

GatewayError
├── NotACandidate        its answer to discovery is late, wrong or useless
├── TransportError       the connection failed; `Unreachable` says it of a segment
│   └── NotProcessed     and the peer has not begun: the same may be sent again
└── SegmentFailed
    ├── Unreachable      no connection in time, or it broke
    ├── HeadersLate      no 200 in time: the upload or the admission took too long
    ├── BodyLate         the result did not come in time
    ├── Refused          another status than 200
    ├── ResultError      200, and the result is an error
    ├── ResultInvalid    200, and the result cannot be used
    ├── DownloadFailed   a rendition cannot be fetched
    ├── PixelMismatch    a rendition has other pixels than claimed
    └── SignatureMismatch  the result is not signed by the orchestrator
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from livepeer.wire import texts


class Consequence(StrEnum):
    NOT_A_CANDIDATE = "not asked this time"
    SUSPENDED = "suspended and removed from the session"
    REMOVED = "removed from this stream"
    REPEATED = "asked again for the same segment, three times in all"
    GIVEN_UP = "not punished: the segment is given up"


class GatewayError(Exception):
    """Raised when an orchestrator does not serve; `consequence` is what it costs it."""

    consequence: Consequence = Consequence.SUSPENDED

    @property
    def is_punished(self) -> bool:
        return self.consequence in (Consequence.SUSPENDED, Consequence.REMOVED)


class NotACandidate(GatewayError):
    """Raised when discovery gives no orchestrator to work with. `reasons` holds every one."""

    consequence = Consequence.NOT_A_CANDIDATE

    def __init__(self, uri: str, reasons: tuple[str, ...]) -> None:
        super().__init__(f"{uri} is no candidate: {'; '.join(reasons)}")
        self.reasons = reasons


class TransportError(GatewayError):
    """Raised when a connection cannot be made or breaks."""


class NotProcessed(TransportError):
    """Raised when the peer says that it has not begun an exchange, and will not on this connection."""


class SegmentFailed(GatewayError):
    """Raised when a segment is not transcoded as ordered. `text` is what the orchestrator said, if it did."""

    stage: ClassVar[str] = "segment"

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(f"{self.stage}: {message}")
        self.text = text


class Unreachable(SegmentFailed):
    """Raised when there is no connection in time, or it breaks."""

    stage = "connection"


class HeadersLate(SegmentFailed):
    """Raised when the 200 does not come in time."""

    stage = "upload"


class BodyLate(SegmentFailed):
    """Raised when the result does not come in time."""

    stage = "result"


class Refused(SegmentFailed):
    """Raised when the answer's status is not 200."""

    stage = "answer"

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}", text=text)
        self.status = status
        self.consequence = _of_text(text)


class ResultError(SegmentFailed):
    """Raised when the result is an error."""

    stage = "result"

    def __init__(self, text: str) -> None:
        super().__init__(text, text=text)
        self.consequence = _of_text(text)


class ResultInvalid(SegmentFailed):
    """Raised when the result cannot be read, is empty or too large."""

    stage = "result"


class DownloadFailed(SegmentFailed):
    """Raised when a rendition cannot be fetched."""

    stage = "download"


class PixelMismatch(SegmentFailed):
    """Raised when a decoder counts other pixels than the orchestrator claims."""

    stage = "pixels"
    consequence = Consequence.REMOVED


class SignatureMismatch(SegmentFailed):
    """Raised when the renditions are not those that were signed."""

    stage = "signature"
    consequence = Consequence.REPEATED


def _of_text(text: str) -> Consequence:
    return Consequence.SUSPENDED if texts.is_punished(text) else Consequence.GIVEN_UP
