"""What the kernel knows of its clock's error, and whether the clock was set while we ran.

`adjtimex(2)` tells whether anybody disciplines the clock and its largest error; no privilege is needed to
ask. A jump shows as wall time and boot time moving apart faster than any discipline slews. Reads only.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.resources.data_directory.state import SeenClock

_TIME_ERROR = 5
_STA_UNSYNC = 0x40
_SLEW_LIMIT = 0.001
_STEP_S = 1.0
_STEP_TOLD_S = 600.0


class _Timex(ctypes.Structure):
    """The head of `struct timex`; the rest is padding that the kernel may write."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


@dataclass(frozen=True, slots=True)
class KernelClock:
    """`state` and `status` as adjtimex gives them."""

    state: int
    status: int
    maxerror_us: int


def ask_kernel() -> KernelClock:
    """Raises OSError where the kernel does not tell."""
    timex = _Timex(modes=0)
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.byref(timex))
    if state < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    return KernelClock(state=state, status=timex.status, maxerror_us=timex.maxerror)


class ClockWatch:
    """Remembers how far wall time and boot time were apart; lives as long as the operator."""

    def __init__(
        self,
        *,
        kernel: Callable[[], KernelClock] = ask_kernel,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._kernel = kernel
        self._wall = wall
        self._boot = boot
        self._last: tuple[float, float] | None = None
        self._step: tuple[float, float] | None = None

    def look(self) -> SeenClock:
        stepped_s = self._recent_step()
        try:
            kernel = self._kernel()
        except (OSError, AttributeError) as error:
            return SeenClock(
                stepped_s=stepped_s, reason=f"the kernel does not tell its clock's error: {error}"
            )
        disciplined = kernel.state != _TIME_ERROR and not kernel.status & _STA_UNSYNC
        error_s = kernel.maxerror_us / 1e6 if disciplined else None
        return SeenClock(disciplined=disciplined, error_s=error_s, stepped_s=stepped_s)

    def _recent_step(self) -> float | None:
        boot = self._boot()
        offset = self._wall() - boot
        if self._last is not None:
            former_boot, former_offset = self._last
            moved = offset - former_offset
            if abs(moved) > _STEP_S + _SLEW_LIMIT * (boot - former_boot):
                self._step = (boot, moved)
        self._last = (boot, offset)
        if self._step is None or boot - self._step[0] > _STEP_TOLD_S:
            return None
        return self._step[1]
