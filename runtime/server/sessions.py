"""Live video sessions: who holds one, whose turn it is inside one, when one ends.

A session is keyed by the session id of its auth token and begins with its first accepted segment. Inside it
segments run strictly one after the other; a few may wait, further ones are refused. It ends after some idle
time, or on request once what it was given is done, never in the middle of a segment. Everything here runs on
the event loop, so a check and the change that follows it cannot be interrupted. Knows no codec or file.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from runtime.server.capacity import Address

SLOT_KEPT_S = 10.0
"""How long an idle session keeps its slot. A live stream brings a segment every few seconds; gateways often
fall silent without a word, and their sessions linger for `sessionIdleSeconds`, using nothing."""


class SessionBusy(Exception):
    """Raised when a session's queue is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What a session is from its first segment on. `stream` is the gateway's own name of the stream."""

    id: str
    sender: Address
    stream: bytes
    token_expires_at: int


class Session:
    """One live session. A superseded one serves on, but its slot belongs to the one that took its place.

    `quiet_since` is the loop's time at which it fell idle.
    """

    def __init__(self, facts: SessionFacts, *, quiet_since: float) -> None:
        self.facts = facts
        self.is_superseded = False
        self.is_ending = False
        self.quiet_since = quiet_since
        self._is_running = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def queued(self) -> int:
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        return not self._is_running and not self._waiting

    def holds_slot(self, now: float) -> bool:
        """Whether it counts against the limit. One that lost its slot by idling is served all the same."""
        return not self.is_superseded and not (self.is_idle and now - self.quiet_since > SLOT_KEPT_S)

    async def take_turn(self, *, queue: int) -> None:
        """Wait until the segments before this one are done; `SessionBusy` when `queue` of them wait."""
        if not self._is_running:
            self._is_running = True
            return
        if len(self._waiting) >= queue:
            raise SessionBusy
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():  # the turn was given in the same moment: pass it on
                self.pass_turn()
            raise

    def pass_turn(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_running = False


class Sessions:
    """The live sessions of this process. `on_end` is told of each that ended, after it is out of the map."""

    def __init__(self, *, on_end: Callable[[Session, str], None]) -> None:
        self._on_end = on_end
        self._live: dict[str, Session] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        """Sessions that hold a slot."""
        return sum(1 for _ in self._holders())

    def __iter__(self) -> Iterator[Session]:
        return iter(self._live.values())

    def get(self, session_id: str) -> Session | None:
        return self._live.get(session_id)

    def senders(self) -> Iterator[Address]:
        """One address per session that holds a slot."""
        return (session.facts.sender for session in self._holders())

    def _holders(self) -> Iterator[Session]:
        now = asyncio.get_running_loop().time()
        return (session for session in self._live.values() if session.holds_slot(now))

    def with_old_token(
        self, sender: Address, *, expires_before: float, stream: bytes | None
    ) -> Session | None:
        """A session of `sender` (and `stream`, where given) whose token ends before this moment (unix s)."""
        for session in self._live.values():
            facts = session.facts
            if session.is_superseded or facts.sender != sender or facts.token_expires_at > expires_before:
                continue
            if stream is None or stream == facts.stream:
                return session
        return None

    def open(self, facts: SessionFacts, *, idle_s: float) -> Session:
        """A new live session. The caller has just made sure that it may be, with no await in between."""
        session = Session(facts, quiet_since=asyncio.get_running_loop().time())
        self._live[facts.id] = session
        self._start_timer(session, idle_s)
        return session

    @asynccontextmanager
    async def turn(self, session: Session, *, queue: int, idle_s: float) -> AsyncIterator[None]:
        """The session's turn for one segment; when the last one is done, its idle time begins."""
        self._stop_timer(session.facts.id)
        try:
            await session.take_turn(queue=queue)
            try:
                yield
            finally:
                session.pass_turn()
        finally:
            self._after_segment(session, idle_s)

    def end(self, session_id: str) -> None:
        """End a session, now if it is idle, else when what it was given is done. Unknown ids are fine."""
        session = self._live.get(session_id)
        if session is None:
            return
        session.is_ending = True
        if session.is_idle:
            self._drop(session, "ended")

    def stop_timers(self) -> None:
        """A stopping process ends no session: its successor may be serving it already."""
        for session_id in list(self._timers):
            self._stop_timer(session_id)

    def _after_segment(self, session: Session, idle_s: float) -> None:
        if not session.is_idle or self._live.get(session.facts.id) is not session:
            return
        session.quiet_since = asyncio.get_running_loop().time()
        if session.is_ending:
            self._drop(session, "ended")
        else:
            self._start_timer(session, idle_s)

    def _drop(self, session: Session, why: str) -> None:
        self._stop_timer(session.facts.id)
        if self._live.pop(session.facts.id, None) is not None:
            self._on_end(session, why)

    def _start_timer(self, session: Session, idle_s: float) -> None:
        self._stop_timer(session.facts.id)
        loop = asyncio.get_running_loop()
        self._timers[session.facts.id] = loop.call_later(idle_s, self._drop, session, "idle")

    def _stop_timer(self, session_id: str) -> None:
        timer = self._timers.pop(session_id, None)
        if timer is not None:
            timer.cancel()
