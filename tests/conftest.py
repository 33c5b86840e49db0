"""Rules of the whole suite: what is left out is named, and in CI nothing may be left out but GPU tests."""

from __future__ import annotations

import os
import shutil
import socket

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # a busy machine is no failure
settings.load_profile("suite")

_NEEDS = {"ffmpeg": "ffmpeg", "ip": "iproute2", "nft": "nftables"}


def pytest_configure(config: pytest.Config) -> None:
    for command in _NEEDS:
        config.addinivalue_line("markers", f"needs_{command}: needs the command `{command}`")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")
    for command, package in _NEEDS.items():
        if item.get_closest_marker(f"needs_{command}") and not shutil.which(command):
            pytest.skip(f"needs `{command}` (Debian package {package})")


def _left_out(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped: list[pytest.TestReport] = reporter.stats.get("skipped", []) if reporter else []
    return [report for report in skipped if "gpu" not in report.keywords]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"left out: {report.nodeid}: {reason.removeprefix('Skipped: ')}")
    if os.environ.get("CI") == "true" and _left_out(config):
        terminalreporter.write_line("CI=true: leaving tests out is a failure (GPU tests excepted)", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") == "true" and exitstatus == 0 and _left_out(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def free_port() -> int:
    """A loopback TCP port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
