"""What a segment's headers must prove before anything else is looked at, in the network's order.

Payment, segment order, signature, capabilities, token, session: the first that fails decides status and
text, which gateways act on. Pure but for the clock inside `Tokens` and the state inside `Admission`; reads
no body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from livepeer.wire import capabilities, headers, segments, texts
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.auth import AuthToken
from livepeer.wire.errors import PeerProtocolError
from livepeer.wire.segments import SegmentOrder
from livepeer.wire.signing import ADDRESS_BYTES, NO_ADDRESS, Signer, fit
from runtime.control.accepted import Accepted
from runtime.server.admission import Admission, text_of
from runtime.server.advertisement import Advertisement
from runtime.server.answers import Scope, header
from runtime.server.refusals import Refusal
from runtime.server.sessions import SessionFacts
from runtime.server.tokens import Tokens

_PAYMENT = headers.PAYMENT.lower().encode()
_SEGMENT = headers.SEGMENT.lower().encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A gateway's right to have this segment transcoded. `sender` is who pays, zeros for nobody."""

    payment: pb.Payment
    sender: bytes
    order: SegmentOrder
    token: AuthToken
    session: SessionFacts


class Denied(Exception):
    """Raised when a segment is refused before work begins."""

    def __init__(self, reason: Refusal, *, status: HTTPStatus, text: str, sender: bytes = NO_ADDRESS) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status
        self.text = text
        self.sender = sender


class Credentials:
    def __init__(
        self,
        *,
        accepted: Accepted,
        admission: Admission,
        advertisement: Callable[[], Advertisement],
        tokens: Tokens,
        signer: Signer,
    ) -> None:
        self._accepted = accepted
        self._admission = admission
        self._advertisement = advertisement
        self._tokens = tokens
        self._signer = signer

    def check(self, scope: Scope) -> Claim:
        """The claim that the request's headers prove, or `Denied`."""
        with _denying(Refusal.BAD_PAYMENT):
            payment = headers.decode_payment(header(scope, _PAYMENT).decode("latin-1"))
        sender = fit(payment.sender, ADDRESS_BYTES)
        with _denying(Refusal.BAD_CREDENTIALS, sender):
            message = headers.decode_segment(header(scope, _SEGMENT).decode("latin-1"))
        with _denying(Refusal.BAD_PROFILES, sender):
            order = segments.read_order(message)
        if not self._signer.accepts(order.signed_message, order.signature, by=sender):
            raise _forbidden(Refusal.BAD_SIGNATURE, texts.SEGMENT_SIGNATURE, sender)
        if not capabilities.is_compatible(order.capabilities, self._advertisement().capabilities):
            raise _forbidden(Refusal.INCOMPATIBLE, texts.INCOMPATIBLE, sender)
        token = self._token(order, sender)
        session = SessionFacts(
            id=token.session_id,
            sender=self._owner(sender, token),
            stream=order.manifest_id,
            token_expires_at=token.expiration,
        )
        reason = self._admission.refuse_segment(session)
        if reason is not None:
            raise _forbidden(reason, text_of(reason), session.sender)
        return Claim(payment=payment, sender=sender, order=order, token=token, session=session)

    def _token(self, order: SegmentOrder, sender: bytes) -> AuthToken:
        try:
            return self._tokens.check(order.auth_token)
        except PeerProtocolError as error:
            is_old = error.text == texts.TOKEN_EXPIRED
            reason = Refusal.EXPIRED_TOKEN if is_old else Refusal.BAD_TOKEN
            raise Denied(reason, status=error.status, text=error.text, sender=sender) from error

    def _owner(self, sender: bytes, token: AuthToken) -> bytes:
        """Whose session it is: the payer's, else (off-chain) the declared gateway's that asked for it."""
        if sender != NO_ADDRESS:
            return sender
        declared = (gateway.address for gateway in self._accepted.spec.gateways)
        return self._tokens.owner(token.session_id, declared) or NO_ADDRESS


@contextmanager
def _denying(reason: Refusal, sender: bytes = NO_ADDRESS) -> Iterator[None]:
    try:
        yield
    except PeerProtocolError as error:
        raise Denied(reason, status=error.status, text=error.text, sender=sender) from error


def _forbidden(reason: Refusal, text: str, sender: bytes) -> Denied:
    return Denied(reason, status=HTTPStatus.FORBIDDEN, text=text, sender=sender)
