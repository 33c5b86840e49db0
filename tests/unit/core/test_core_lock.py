"""The operator's lock, against real processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from reconciler.core.errors import LockHeld, OperatorError
from reconciler.core.lock import Holder, OperatorLock, read_holder

_HOLD = """
import sys, pathlib, time
from reconciler.core.lock import Holder, OperatorLock
lock = OperatorLock.acquire(pathlib.Path(sys.argv[1]), Holder(int(sys.argv[2]), "run", 1_800_000_000.0))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder_process(tmp_path):
    path = tmp_path / "operator.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path), "4242"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield path, process
    process.kill()
    process.communicate()


def test_a_full_disk_is_named_with_the_file_and_the_lock_is_free_again(tmp_path, monkeypatch):
    path = tmp_path / "operator.lock"

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(OperatorError, match=r"operator\.lock: No space left on device"):
            OperatorLock.acquire(path, Holder(1, "run", 0.0))
    OperatorLock.acquire(path, Holder(1, "run", 0.0)).release()


def test_a_second_operator_is_told_who_holds_the_node(holder_process):
    path, _ = holder_process
    with pytest.raises(LockHeld) as held:
        OperatorLock.acquire(path, Holder(1, "apply", 0.0), wait_s=0)
    assert "`reconcile run` (pid 4242, since 2027-01-15 08:00:00 UTC)" in str(held.value)
    assert held.value.exit_code == 75
    assert read_holder(path) == Holder(4242, "run", 1_800_000_000.0)


def test_a_killed_operator_leaves_the_node_free(holder_process):
    path, process = holder_process
    process.kill()
    process.wait()
    assert read_holder(path) is None
    OperatorLock.acquire(path, Holder(1, "run", 0.0), wait_s=0).release()


def test_a_released_lock_names_nobody(tmp_path):
    path = tmp_path / "operator.lock"
    assert read_holder(path) is None
    with OperatorLock.acquire(path, Holder(7, "run", 5.0)):
        assert read_holder(path) == Holder(7, "run", 5.0)
    assert read_holder(path) is None
    assert path.exists()


def test_a_child_does_not_inherit_the_lock(tmp_path):
    path = tmp_path / "operator.lock"
    lock = OperatorLock.acquire(path, Holder(os.getpid(), "run", 5.0))
    child = subprocess.Popen(["sleep", "30"], close_fds=False)
    lock.release()
    try:
        assert read_holder(path) is None
    finally:
        child.kill()
        child.wait()


def test_a_holder_that_has_not_said_its_name_is_still_a_holder(tmp_path):
    path = tmp_path / "operator.lock"
    with OperatorLock.acquire(path, Holder(7, "run", 5.0)):
        path.write_text("")
        assert read_holder(path) == Holder(0, "?", 0.0)
        with pytest.raises(LockHeld, match="has not said its name"):
            OperatorLock.acquire(path, Holder(1, "run", 0.0), wait_s=0)
