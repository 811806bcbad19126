"""Flink loses a TaskManager, a Python worker or both: the files are the same.

A job starts over by itself. Now and then Beam's runner keeps a dead worker, so that no
attempt succeeds: then the same command, given again, goes on from there.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.suites.engines.builds import PHOTOS, Build, command, look_at
from tests.suites.engines.cluster import ROOT, FlinkCluster, flink_cluster

_PATIENCE = 300  # seconds

# Shards in the making when a part dies, one in each slot: they may be published already
# and still be built again, for a report behind them is the proof that they are whole.
_IN_FLIGHT = 4
_SHARDS = 24 + 8

# How often both die in turn: a race that is lost once in a while takes several tries.
_ATTEMPTS = int(os.environ.get("FLINK_ATTEMPTS", "1"))


def shards(data_dir: Path) -> dict[Path, int]:
    """Returns the shards that are published, and when they were."""
    names = data_dir.glob("imagenet2012_subset/1pct/5.0.0/imagenet2012_subset-*")
    return {path: path.stat().st_mtime_ns for path in names}


def wait_for_shards(data_dir: Path, number: int, build: subprocess.Popen[str]) -> None:
    """Waits until there are so many and not all; fails if the build ends before."""
    deadline = time.monotonic() + _PATIENCE
    while len(shards(data_dir)) < number:
        assert build.poll() is None, build.communicate()
        assert time.monotonic() < deadline, f"{len(shards(data_dir))} shards"
        time.sleep(0.02)
    assert len(shards(data_dir)) < _SHARDS


@dataclass(frozen=True)
class Disturbed:
    """A build that something happened to: how it ended, and what was there before."""

    code: int
    printed: str
    errors: str
    published: dict[Path, int]


def disturbed(
    argv: list[str], data_dir: Path, disturb: Callable[[], None]
) -> Disturbed:
    """Builds, and disturbs it when a part of the shards is there."""
    with subprocess.Popen(
        argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as build:
        try:
            wait_for_shards(data_dir, _IN_FLIGHT + 2, build)
            published = shards(data_dir)
            disturb()
            printed, errors = build.communicate(timeout=_PATIENCE)
        finally:
            build.kill()  # if it still runs, the test has failed
    return Disturbed(build.returncode, printed, errors, published)


def resubmit(argv: list[str]) -> subprocess.CompletedProcess[str]:
    """Gives the same command again, which has to end well."""
    again = subprocess.run(
        argv, cwd=ROOT, text=True, capture_output=True, timeout=_PATIENCE
    )
    assert again.returncode == 0, again.stderr
    return again


def require_kept(published: dict[Path, int], data_dir: Path) -> None:
    """Fails if a published shard, whose report was there, was built again."""
    kept = published.items() & shards(data_dir).items()
    assert len(kept) >= len(published) - _IN_FLIGHT


def build_disturbed(
    cluster: FlinkCluster, archives: Path, data_dir: Path, disturb: Callable[[], None]
) -> str:
    """Builds, disturbs it when a part of the shards is there; returns what it printed.

    Shards that were there then are kept, and the job was restarted.
    """
    argv = command(PHOTOS, archives, data_dir, cluster.flags())
    build = disturbed(argv, data_dir, disturb)
    assert cluster.restarts_of_last_job() >= 1
    printed = build.printed
    if build.code != 0:
        print(f"It did not recover by itself: {build.errors}")
        printed = resubmit(argv).stdout
    require_kept(build.published, data_dir)
    return printed


def kill_both(cluster: FlinkCluster) -> None:
    """Kills a TaskManager and a Python worker; the other one has slots enough."""
    os.kill(cluster.newest_worker(), signal.SIGKILL)
    os.kill(cluster.pids["taskmanager-1"], signal.SIGKILL)


def test_a_lost_taskmanager_changes_nothing(
    photo_archives: Path, expected_photos: Build, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    with flink_cluster(tmp_path / "flink") as cluster:
        printed = build_disturbed(
            cluster,
            photo_archives,
            data_dir,
            # The other one has slots enough to take over.
            lambda: os.kill(cluster.pids["taskmanager-1"], signal.SIGKILL),
        )
    assert look_at(data_dir, printed) == expected_photos


def test_a_lost_worker_changes_nothing(
    cluster: FlinkCluster, photo_archives: Path, expected_photos: Build, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    printed = build_disturbed(
        cluster,
        photo_archives,
        data_dir,
        lambda: os.kill(cluster.newest_worker(), signal.SIGKILL),
    )
    assert look_at(data_dir, printed) == expected_photos


def test_a_lost_taskmanager_and_worker_change_nothing(
    photo_archives: Path, expected_photos: Build, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    with flink_cluster(tmp_path / "flink") as cluster:
        printed = build_disturbed(
            cluster, photo_archives, data_dir, lambda: kill_both(cluster)
        )
    assert look_at(data_dir, printed) == expected_photos


@pytest.mark.parametrize("attempt", range(1, _ATTEMPTS + 1))
def test_a_job_that_lost_both_is_resumed_by_resubmission(
    attempt: int, photo_archives: Path, expected_photos: Build, tmp_path: Path
) -> None:
    """``FLINK_ATTEMPTS=5`` repeats it: it is chance what the job does when both die."""
    data_dir = tmp_path / "data"
    with flink_cluster(tmp_path / "flink") as cluster:

        def disturb() -> None:
            kill_both(cluster)
            cluster.cancel_last_job()  # before Flink gets over it, as it mostly does

        argv = command(PHOTOS, photo_archives, data_dir, cluster.flags())
        build = disturbed(argv, data_dir, disturb)
        assert build.code == 1, build
        assert len(shards(data_dir)) < _SHARDS
        again = resubmit(argv)
        assert "tfrecord: continuing an earlier run: " in again.stderr
    require_kept(build.published, data_dir)
    assert look_at(data_dir, again.stdout) == expected_photos
