"""What a worker process gives up before it touches a stranger's bytes.

It dies with its parent, leaves no core file, cannot gain privileges, has no network, and cannot allocate or
write without bound. What the kernel or the user's rights do not allow is left out: each of these is a second
line behind the pool's watching. Linux only; called once, first thing, while the process has one thread.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_LARGEST_RENDITION_BYTES = 300_000_000  # what gateways download at most; the store is memory
_LARGEST_FILE_BYTES = 2 << 30  # a GPU's driver makes files of its own
_MOST_DESCRIPTORS = 256
_ADDRESSES_PER_RESIDENT = 4
_FIXED_ADDRESSES_BYTES = 2 << 30


def confine(*, parent: int, memory_bytes: int, is_hardware: bool) -> None:
    """Ends the process at once where `parent` is already gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if not is_hardware and libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE_BYTES if is_hardware else _LARGEST_RENDITION_BYTES)
    _limit(resource.RLIMIT_NOFILE, _MOST_DESCRIPTORS)
    if memory_bytes and not is_hardware:  # CUDA reserves addresses by the terabyte
        _limit(resource.RLIMIT_AS, memory_bytes * _ADDRESSES_PER_RESIDENT + _FIXED_ADDRESSES_BYTES)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
