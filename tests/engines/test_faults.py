"""Flink loses a TaskManager and a Python worker in mid-build, and builds the same."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.engines.builds import PHOTOS, Build, command, look_at
from tests.engines.cluster import ROOT, flink_cluster

_PATIENCE = 300  # seconds


# Shards in the making when a part dies, one in each slot: they may be published already
# and still be built again, for a report behind them is the proof that they are whole.
_IN_FLIGHT = 4
_SHARDS = 24 + 8


def shards(data_dir: Path) -> dict[Path, int]:
    """Returns the shards that are published, and when they were."""
    names = data_dir.glob("imagenet2012_subset/1pct/5.0.0/imagenet2012_subset-*")
    return {path: path.stat().st_mtime_ns for path in names}


def wait_for_shards(data_dir: Path, number: int, build: subprocess.Popen[str]) -> None:
    """Waits until there are so many and not all; fails if the build ends before."""
    deadline = time.monotonic() + _PATIENCE
    while len(shards(data_dir)) < number:
        assert build.poll() is None, "it ended before it was disturbed"
        assert time.monotonic() < deadline, f"{len(shards(data_dir))} shards"
        time.sleep(0.02)
    assert len(shards(data_dir)) < _SHARDS


def test_a_lost_taskmanager_and_a_lost_worker_change_nothing(
    photo_archives: Path, expected_photos: Build, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    with flink_cluster(tmp_path / "flink") as cluster:
        argv = command(PHOTOS, photo_archives, data_dir, cluster.flags())
        with subprocess.Popen(
            argv,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as build:
            wait_for_shards(data_dir, 1, build)
            cluster.kill("taskmanager-1")
            # The other one has slots enough to take over.
            wait_for_shards(data_dir, len(shards(data_dir)) + _IN_FLIGHT + 6, build)
            published = shards(data_dir)
            os.kill(cluster.newest_worker(), signal.SIGKILL)
            printed, errors = build.communicate(timeout=_PATIENCE)
            assert build.returncode == 0, errors
        failures = cluster.failures()
    assert len(failures) == 2
    assert "taskmanager-1" in failures[0]
    assert "taskmanager-1" not in failures[1]
    kept = published.items() & shards(data_dir).items()
    assert len(kept) >= len(published) - _IN_FLIGHT > 0
    assert look_at(data_dir, printed) == expected_photos
