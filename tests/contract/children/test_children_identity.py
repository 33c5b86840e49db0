"""Real processes: what a managed child's identity promises, whoever dies and whenever."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.children import (
    Child,
    Launch,
    child_environment,
    end_child,
    forget_dead,
    is_same_process,
    next_generation,
    observe_child,
    observe_children,
    reap,
    rotate_logs,
    signal_child,
    start_child,
    wait_end,
    watch,
)
from reconciler.core.errors import Transient
from reconciler.layout import Layout

_SLEEPER = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(300)")


@pytest.fixture
def layout(tmp_path):
    made = Layout(data=tmp_path / "data", weights=tmp_path / "weights")
    made.data.mkdir()
    yield made
    for child in observe_children(made):
        if child.alive:
            signal_child(child, signal.SIGKILL)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and observe_child(made, child.role, child.generation).alive:
                reap(made, child)
                time.sleep(0.01)
        reap(made, child)


def _launch(*argv, role="worker", generation=1, **more):
    return Launch(
        node="laptop", role=role, generation=generation, program="digest-1", argv=argv or _SLEEPER,
        environment=child_environment(os.environ), **more,
    )  # fmt: skip


async def test_a_started_child_is_observed_with_its_identity(layout):
    child = await start_child(layout, _launch())
    assert (child.role, child.generation, child.program, child.alive) == ("worker", 1, "digest-1", True)
    assert child.started_at == pytest.approx(time.time(), abs=60)
    assert observe_children(layout) == (child,)
    document = json.loads((layout.children / "worker-1.json").read_bytes())
    assert set(document) == {"node", "role", "generation", "pid", "start_time", "program", "started_at"}
    assert os.getsid(child.pid) == child.pid
    assert next_generation(layout, "worker") == 2


async def test_a_child_holds_nothing_of_its_operator(layout):
    child = await start_child(layout, _launch("/bin/sleep", "300"))
    expected = {"/dev/null", str(layout.logs / "worker.out"), str(layout.children / "worker-1.json")}
    await _until(lambda: _open_files(child.pid) == expected)  # while it starts it opens its libraries


async def test_an_unstartable_program_is_told_in_the_launchers_words(layout):
    with pytest.raises(Transient, match="No such file"):
        await start_child(layout, _launch("/does/not/exist"))
    (left,) = observe_children(layout)
    assert not left.alive


async def test_one_generation_is_never_held_twice(layout):
    first = await start_child(layout, _launch())
    with pytest.raises(Transient, match="another process holds this identity"):
        await start_child(layout, _launch())
    assert observe_children(layout) == (first,)


async def test_limits_are_set_before_the_program_runs(layout):
    code = (
        "import resource,time;print(resource.getrlimit(7),resource.getrlimit(4),flush=True);time.sleep(300)"
    )
    await start_child(layout, _launch(sys.executable, "-I", "-c", code, limits={"NOFILE": 512, "CORE": 0}))
    await _until((layout.logs / "worker.out").read_text)
    assert (layout.logs / "worker.out").read_text() == "(512, 512) (0, 0)\n"


async def test_a_zombie_counts_as_dead_and_its_ending_is_kept(layout):
    child = await start_child(layout, _launch(sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"))
    await _until(lambda: not observe_child(layout, "worker", 1).alive)
    assert is_same_process(child.pid, child.start_time), "it is ours and not yet reaped"
    assert observe_child(layout, "worker", 1).ending == "exited 3"
    assert reap(layout, child) == "exited 3"
    assert not is_same_process(child.pid, child.start_time)
    assert observe_child(layout, "worker", 1).ending == "exited 3"


async def test_watching_tells_how_a_child_ended(layout):
    child = await start_child(layout, _launch())
    watching = asyncio.create_task(watch(layout, child))
    await asyncio.sleep(0)
    assert signal_child(child, signal.SIGKILL)
    assert await watching == "killed by SIGKILL"
    assert not signal_child(child, signal.SIGTERM)


async def test_ending_a_child_that_ignores_sigterm_kills_it(layout):
    code = "import signal,time;signal.signal(15,signal.SIG_IGN);print(1,flush=True);time.sleep(300)"
    child = await start_child(layout, _launch(sys.executable, "-I", "-S", "-c", code))
    await _until((layout.logs / "worker.out").read_text)
    assert not await wait_end(layout, child, 0.05)
    assert await end_child(layout, child, grace_s=0.1)
    assert observe_child(layout, "worker", 1).ending == "killed by SIGKILL"


async def test_a_reused_pid_is_never_signalled(layout):
    stranger = await asyncio.create_subprocess_exec(*_SLEEPER)
    impostor = Child(
        role="worker", generation=9, pid=stranger.pid, start_time=1, program="", started_at=0.0, alive=True
    )
    assert not signal_child(impostor, signal.SIGKILL)
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


async def test_a_torn_identity_is_no_stray_process(layout):
    child = await start_child(layout, _launch())
    (layout.children / "worker-1.json").write_bytes(b'{"pid": 1')
    found = observe_child(layout, "worker", 1)
    assert (found.pid, found.start_time, found.alive) == (child.pid, child.start_time, True)
    assert found.program == "", "what it runs is not known, so it will be replaced"
    assert await end_child(layout, found, grace_s=5)


async def test_a_child_stopped_between_the_steps_of_its_launch_is_found_and_ended(layout):
    layout.logs.mkdir()
    os.mkfifo(layout.logs / "worker.out")  # opening it blocks the launcher: identity taken, exec not reached
    starting = asyncio.create_task(start_child(layout, _launch()))
    await _until(lambda: (found := observe_child(layout, "worker", 1)) and found.alive and found.program)
    found = observe_child(layout, "worker", 1)
    assert await end_child(layout, found, grace_s=5)
    assert not (await starting).alive
    assert not observe_child(layout, "worker", 1).alive


async def test_dead_identities_are_forgotten_but_the_newest(layout):
    for generation in (1, 2, 3):
        child = await start_child(layout, _launch("/bin/true", generation=generation))
        await watch(layout, child)
    living = await start_child(layout, _launch(generation=4))
    assert [child.generation for child in forget_dead(layout)] == [1, 2, 3]
    assert observe_children(layout) == (living,)
    await end_child(layout, living, grace_s=5)
    assert forget_dead(layout) == ()
    assert next_generation(layout, "worker") == 5, "a number is not used again"


async def test_a_launcher_does_not_keep_an_identity_that_was_removed_under_it(layout):
    layout.children.mkdir()
    path = layout.children / "worker-1.json"
    with path.open("w") as stale:
        fcntl.flock(stale, fcntl.LOCK_EX)
        starting = asyncio.create_task(start_child(layout, _launch()))
        await asyncio.sleep(0.3)  # the launcher waits for the lock of a file that now goes away
        path.unlink()
    child = await starting
    assert child.alive
    assert path.stat().st_ino
    assert observe_children(layout) == (child,)


async def test_logs_are_rotated_under_a_running_child(layout):
    code = "import sys,time\nwhile True: print('x'*99, flush=True); time.sleep(0.001)"
    child = await start_child(layout, _launch(sys.executable, "-I", "-S", "-c", code))
    log = layout.logs / "worker.out"
    await _until(lambda: log.stat().st_size > 2000)
    assert rotate_logs(layout, over_bytes=1000, keep=2) == (log,)
    rotated = log.with_name("worker.out.1").stat().st_size
    assert rotated > 2000
    await _until(lambda: log.stat().st_size > 1000)
    rotate_logs(layout, over_bytes=1000, keep=2)
    assert log.with_name("worker.out.2").stat().st_size == rotated
    assert b"\0" not in log.read_bytes(), "append mode: no hole at the beginning"
    await end_child(layout, child, grace_s=5)


_OPERATOR = """
import asyncio, os, sys
from pathlib import Path
from reconciler.children import Launch, start_child
from reconciler.layout import Layout

async def main():
    layout = Layout(data=Path(sys.argv[1]), weights=Path(sys.argv[1]))
    for generation in (1, 2):
        await start_child(layout, Launch(
            node="n", role="runtime", generation=generation, program="p", environment={},
            argv=(sys.executable, "-I", "-S", "-c", "import time; time.sleep(300)")))
    print("started", flush=True)
    await asyncio.sleep(300)

asyncio.run(main())
"""


async def test_children_outlive_a_killed_operator_and_are_adopted(layout):
    root = Path(__file__).parents[3]
    operator = subprocess.Popen(  # noqa: ASYNC220 - a second operator, killed below
        [sys.executable, "-c", _OPERATOR, layout.data],
        stdout=subprocess.PIPE,
        cwd=root,
        start_new_session=True,
    )
    with operator:
        assert await asyncio.to_thread(operator.stdout.readline) == b"started\n"
        os.killpg(operator.pid, signal.SIGKILL)
    adopted = observe_children(layout)
    assert [child.alive for child in adopted] == [True, True]
    watching = asyncio.create_task(watch(layout, adopted[0]))
    assert await end_child(layout, adopted[0], grace_s=5)
    assert await asyncio.wait_for(watching, 10) == "", "not our child: how it ended is not known"
    assert [child.alive for child in observe_children(layout)] == [False, True]
    assert await end_child(layout, adopted[1], grace_s=5)


_BOUND_TO_ITS_PARENT = """
import ctypes, signal, time
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG, as Envoy does
print("bound", flush=True)
time.sleep(300)
"""


async def test_an_orphaned_child_outlives_us_even_if_it_asks_to_end_with_its_parent(layout):
    child = await start_child(layout, _launch(sys.executable, "-c", _BOUND_TO_ITS_PARENT, orphaned=True))
    assert child.alive
    parent = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1]  # noqa: ASYNC240
    assert int(parent) != os.getpid()
    assert await end_child(layout, child, grace_s=5)


async def test_an_orphan_that_cannot_start_is_told_too(layout):
    with pytest.raises(Transient, match="FileNotFoundError"):
        await start_child(layout, _launch("/no/such/program", orphaned=True))


def test_secrets_in_the_operators_environment_do_not_reach_children():
    environment = {"PATH": "/bin", "RPC_A": "https://secret", "CUDA_VISIBLE_DEVICES": "0"}
    assert child_environment(environment) == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"}


def _open_files(pid):
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


async def _until(holds, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)
