"""Builds on a pretended macOS: without what only Linux has, the same bytes.

``macos/sitecustomize.py`` hides it from every process of a build, and offers the calls
of macOS instead.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beam_pipeline.demo import DemoShape, make_archives
from tests.suites.faults.builds import (
    FORMATS,
    MANY_SHARDS,
    MODES,
    ROOT,
    Build,
    build,
    hashes,
)

FLAGS = ("--format", ",".join(FORMATS), *MANY_SHARDS)
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("archives")
    make_archives(directory, DemoShape())
    return directory


@pytest.fixture(scope="module")
def on_linux(
    archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The SHA-256 of every file of a build with nothing hidden."""
    data_dir = tmp_path_factory.mktemp("linux")
    ended = build(archives, data_dir, *FLAGS)
    assert ended.code == 0, ended.err
    return hashes(data_dir)


@pytest.fixture
def macos(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that takes itself to be on macOS."""
    return os.environ | {
        "PYTHONPATH": str(HERE / "macos"),
        "CALLS": str(tmp_path / "calls"),
    }


def calls(macos: dict[str, str]) -> set[str]:
    """Returns what processes called or missed, of what differs on macOS."""
    return set(Path(macos["CALLS"]).read_text().splitlines())


def wait_until_gone(processes: list[int]) -> None:
    """Waits until the system has taken away what was killed."""
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{process}").exists() for process in processes):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_build_and_its_verification_give_the_same(
    archives: Path, tmp_path: Path, macos: dict[str, str], on_linux: dict[str, str]
) -> None:
    data_dir = tmp_path / "data"
    ended = Build(archives, data_dir, *FLAGS, environment=macos).end()
    assert ended.code == 0, ended.err
    assert hashes(data_dir) == on_linux
    assert calls(macos) == {
        *("F_RDAHEAD", "F_RDADVISE", "F_NOCACHE", "F_FULLFSYNC", "refused mallopt"),
        "refused sys",  # where a control group's quota would be
    }
    verified = subprocess.run(
        [
            *(sys.executable, "-m", "beam_pipeline.verify"),
            data_dir / "imagenet2012_subset" / "demo" / "5.0.0",
            *("--manual_dir", archives),
        ],
        cwd=ROOT,
        env=macos,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.endswith("imagenet2012_subset/demo/5.0.0 is whole.\n")


def test_ctrl_c_stops_a_build_with_its_workers(
    archives: Path, tmp_path: Path, macos: dict[str, str], on_linux: dict[str, str]
) -> None:
    data_dir = tmp_path / "data"
    mode = MODES["processes"]
    running = Build(archives, data_dir, *FLAGS, *mode, environment=macos)
    running.wait_for_a_shard()
    workers = running.workers()
    os.killpg(running.pid, signal.SIGINT)
    ended = running.end()
    assert ended.code == 130, ended.err
    assert ended.err.strip().endswith("The same command goes on from there.")
    assert workers
    wait_until_gone(workers)
    assert "refused proc" in calls(macos)
    assert not list(data_dir.rglob("*.unfinished"))
    ended = Build(archives, data_dir, *FLAGS, environment=macos).end()
    assert ended.code == 0, ended.err
    assert hashes(data_dir) == on_linux


def test_workers_end_when_their_build_is_killed(
    archives: Path, tmp_path: Path, macos: dict[str, str], on_linux: dict[str, str]
) -> None:
    data_dir = tmp_path / "data"
    mode = MODES["processes"]
    running = Build(archives, data_dir, *FLAGS, *mode, environment=macos)
    running.wait_for_a_shard()
    workers = running.workers()
    running.kill()
    assert workers
    wait_until_gone(workers)
    ended = Build(archives, data_dir, *FLAGS, environment=macos).end()
    assert ended.code == 0, ended.err
    assert hashes(data_dir) == on_linux
