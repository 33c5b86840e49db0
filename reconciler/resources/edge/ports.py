"""Who listens on a TCP port of this machine, as `/proc` tells it.

Envoy shares its port by SO_REUSEPORT, so a second listener of the same user gives no error: the kernel would
deal half of the connections to it. That is why the edge looks instead of trying. Called by `observe.py`.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from reconciler.resources.edge.state import PortHolder

_LISTENING = "0A"
_UNPRIVILEGED_FROM = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def may_bind(port: int) -> bool:
    """Whether this user may listen on this port at all."""
    if os.geteuid() == 0:
        return True
    try:
        return port >= int(_UNPRIVILEGED_FROM.read_text())
    except (OSError, ValueError):
        return port >= 1024


def find_holder(host: str, port: int, own: Collection[int]) -> PortHolder | None:
    """A process outside `own` that listens on this port at an address that overlaps. Raises OSError."""
    inodes = {inode for address, inode in _listeners(port) if _overlap(host, address)}
    strangers = inodes - {inode for pid in own for inode in _sockets(pid)}
    if not strangers:
        return None
    for entry in os.listdir("/proc"):
        if entry.isdigit() and strangers & _sockets(int(entry)):
            return PortHolder(pid=int(entry), command=_command(int(entry)))
    return PortHolder(pid=0, command="")


def _listeners(port: int) -> Iterable[tuple[str, int]]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines, None)
                for line in lines:
                    fields = line.split()
                    address, _, number = fields[1].partition(":")
                    if fields[3] == _LISTENING and int(number, 16) == port:
                        yield _address(address), int(fields[9])
        except FileNotFoundError:  # a machine without IPv6
            continue


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's byte order."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    found = ipaddress.ip_address(raw)
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _overlap(wanted: str, taken: str) -> bool:
    try:
        first, second = ipaddress.ip_address(wanted), ipaddress.ip_address(taken)
    except ValueError:  # a name: any listener on the port may be in the way
        return True
    return first == second or first.is_unspecified or second.is_unspecified


def _sockets(pid: int) -> set[int]:
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    except OSError:  # it ended meanwhile, or is another user's
        pass
    return found


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(4096).split(b"\0")
        return os.path.basename(words[0].decode(errors="replace"))
    except OSError:
        return "?"
