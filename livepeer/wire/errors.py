"""What a peer did wrong, with the text that it will read.

Raised by the codecs of this folder on anything a stranger sends; the server turns it into an HTTP answer, a
client into a verdict. No codec lets another exception out for hostile input. Local mistakes (a caller that
breaks a contract) are ordinary `ValueError`s and never become answers.
"""

from __future__ import annotations

from http import HTTPStatus


class PeerProtocolError(Exception):
    """Raised when a peer's message cannot be accepted. `text` is shown to it, with this HTTP status."""

    def __init__(self, text: str, *, status: HTTPStatus) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
