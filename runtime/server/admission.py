"""Who may have a video session now, and why not.

One answer for discovery, for a segment's credentials, and for the moment a session begins, all from the
accepted document, the live sessions and the workers. What a stream needs to go on is never refused: known
sessions are not asked again, and a gateway whose live session's token is about to expire may fetch a new
one and move its stream to it at full capacity and while draining. "About to expire" bounds what an
unauthenticated gateway gains.
"""

from __future__ import annotations

from collections.abc import Callable

from livepeer.wire import auth, texts
from runtime.control.accepted import Accepted
from runtime.server.capacity import Address, Capacity, fits
from runtime.server.refusals import Refusal
from runtime.server.sessions import Session, SessionFacts, Sessions

_REFRESH_WINDOW_S = auth.REFRESH_BEFORE_S + 60
"""Gateways refresh within the first of the two, by their own clock."""


class Refused(Exception):
    """Raised when a session may not begin. `reason` is counted, `text` is what the peer reads."""

    def __init__(self, reason: Refusal) -> None:
        self.reason = reason
        self.text = text_of(reason)
        super().__init__(self.text)


def text_of(reason: Refusal) -> str:
    return texts.NO_TRANSCODERS if reason is Refusal.NO_WORKER else texts.ORCHESTRATOR_CAPPED


class Admission:
    """`recall` finds a session that a predecessor of this process was serving, by what it left on disk."""

    def __init__(
        self,
        *,
        accepted: Accepted,
        sessions: Sessions,
        has_worker: Callable[[], bool],
        recall: Callable[[str], SessionFacts | None],
        clock: Callable[[], float],
    ) -> None:
        self._accepted = accepted
        self._sessions = sessions
        self._has_worker = has_worker
        self._recall = recall
        self._clock = clock

    def refuse_discovery(self, sender: Address) -> Refusal | None:
        """Why `sender` would not get a video session now; None when it would."""
        admission = self._accepted.spec.admission
        if admission == "closed":
            return Refusal.CLOSED
        if not self._has_worker():
            return Refusal.NO_WORKER
        reason = Refusal.DRAINING if admission == "drain" else self._full(sender)
        if reason is not None and self._with_old_token(sender, stream=None) is None:
            return reason
        return None

    def refuse_ai(self) -> Refusal | None:
        """Why an AI gateway gets no answer; the session limit and the workers are video's alone."""
        return Refusal.CLOSED if self._accepted.spec.admission == "closed" else None

    def refuse_segment(self, facts: SessionFacts) -> Refusal | None:
        """Why a segment with valid credentials is refused; None for known sessions and those that fit."""
        admission = self._accepted.spec.admission
        if admission == "closed":
            return Refusal.CLOSED
        if self._sessions.get(facts.id) is not None or self._recall(facts.id) is not None:
            return None
        reason = Refusal.DRAINING if admission == "drain" else self._full(facts.sender)
        if reason is not None and self._with_old_token(facts.sender, stream=facts.stream) is None:
            return reason
        return None

    def session(self, facts: SessionFacts) -> Session:
        """The live session of these credentials, begun now if it is new. Raises `Refused`."""
        known = self._sessions.get(facts.id)
        if known is not None:
            known.is_ending = False
            return known
        reason = self.refuse_segment(facts)
        if reason is not None:
            raise Refused(reason)
        predecessor = self._with_old_token(facts.sender, stream=facts.stream)
        if predecessor is not None:
            predecessor.is_superseded = True
        return self._sessions.open(facts, idle_s=self._accepted.spec.limits.session_idle_s)

    def _with_old_token(self, sender: Address, *, stream: bytes | None) -> Session | None:
        return self._sessions.with_old_token(
            sender, expires_before=self._clock() + _REFRESH_WINDOW_S, stream=stream
        )

    def _full(self, sender: Address) -> Refusal | None:
        spec = self._accepted.spec
        is_full = len(self._sessions) >= spec.sessions
        if is_full or not spec.reserved:
            return Refusal.CAPPED if is_full else None
        if fits(sender, self._sessions.senders(), Capacity(spec.sessions, spec.reserved)):
            return None
        return Refusal.RESERVED
