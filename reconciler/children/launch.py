"""The launcher: becomes a managed child, after it has taken the child's identity.

Run by `start.py` as `python -I -S launch.py JSON`. It locks the identity file, writes who it is into it,
cuts every tie to the operator (session, descriptors, signals) and becomes the child by exec with the lock
still held. So there is no moment at which a child runs that nobody can find. It uses the standard library's
built-in parts only, for a quick start. It never waits for the operator: the descriptor it reports failure
on closes by itself when exec succeeds.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import signal
import sys
import time

REPORT_DESCRIPTOR = 3
"""Where a failure is told; end of file means that exec succeeded."""

_LOCK_WAIT_S = (
    2.0  # an observer's probe holds a shared lock for microseconds; a living child holds its for good
)
_EXIT_FAILED = 70
_EXIT_LOCKED = 75


def start_time_of(pid: int) -> int:
    """Field 22 of `/proc/<pid>/stat`: with the pid it names one process until the next boot."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return int(stat.read(4096).rpartition(b")")[2].split()[19])


def take_identity(path: str) -> int:
    """The descriptor of the locked identity file. It is the file now at `path`, not one just removed."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        os.close(descriptor)


def write_identity(descriptor: int, document: dict[str, object]) -> None:
    """Written in place: a rename would leave the lock on a file that nobody can find."""
    text = json.dumps(
        {
            "node": document["node"],
            "role": document["role"],
            "generation": document["generation"],
            "pid": os.getpid(),
            "start_time": start_time_of(os.getpid()),
            "program": document["program"],
            "started_at": time.time(),
        }
    )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode() + b"\n", 0)
    os.fsync(descriptor)


def cut_ties(log: str, keep: tuple[int, ...]) -> None:
    """New session, own log, default signals, no descriptor but the standard three and those kept."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    os.dup2(output, 1)
    os.dup2(output, 2)
    keep_all = {0, 1, 2, *keep}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep_all:
            with contextlib.suppress(OSError):
                os.close(int(name))
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGPIPE,
        signal.SIGCHLD,
        signal.SIGUSR1,
    ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def leave_parent() -> None:
    """Makes the system's first process our parent, before the program is there to ask the kernel about it.

    Envoy asks to be ended with its parent (PR_SET_PDEATHSIG), and it is to outlive the operator. The price:
    nobody of ours learns how such a child ended.
    """
    starter = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == starter:
        time.sleep(0.001)


def set_limits(limits: dict[str, int]) -> None:
    """Limits by name (`NOFILE`, `CORE`, `AS`), soft and hard alike, or the most that we are allowed."""
    for name, wanted in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(which)[1]
        try:
            resource.setrlimit(which, (wanted, wanted))
        except (ValueError, OSError):  # raising the hard limit is a privilege
            resource.setrlimit(which, (hard, hard))


def launch(document: dict[str, object]) -> None:
    """Never returns where all goes well."""
    os.set_inheritable(REPORT_DESCRIPTOR, False)
    os.umask(0o027)
    if document["orphaned"]:
        leave_parent()
    identity = take_identity(str(document["identity"]))
    write_identity(identity, document)
    cut_ties(str(document["log"]), (REPORT_DESCRIPTOR, identity))
    limits, argv, environment = document["limits"], document["argv"], document["environment"]
    if not (isinstance(limits, dict) and isinstance(argv, list) and isinstance(environment, dict)):
        raise TypeError("limits, argv and environment are a map, a list and a map")
    set_limits(limits)
    os.chdir(str(document["directory"]))
    os.set_inheritable(identity, True)
    os.execve(argv[0], argv, environment)  # noqa: S606 - becoming the child is the point


def main() -> int:
    try:
        launch(json.loads(sys.argv[1]))
    except BlockingIOError:
        text, code = "another process holds this identity", _EXIT_LOCKED
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it was, the operator must be told
        text, code = f"{type(error).__name__}: {error}", _EXIT_FAILED
    with contextlib.suppress(OSError):  # the operator may be gone
        os.write(REPORT_DESCRIPTOR, text.encode()[:4000])
    return code


if __name__ == "__main__":
    sys.exit(main())
