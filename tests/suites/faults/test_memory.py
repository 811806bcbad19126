"""Memory: bounded, however large the dataset is."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.suites.faults.builds import ROOT

# What README.md promises of the whole process tree, in bytes.
BOUND = 500_000_000
GROWTH = 100_000_000


def tree_bytes(process: psutil.Process) -> int:
    """Returns the resident size of a process and all it started."""
    total = 0
    with suppress(psutil.NoSuchProcess):  # it has ended since
        total += process.memory_info().rss
        for each in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
    return total


def peak_of_build(archives: Path, data_dir: Path, examples: int) -> int:
    """Returns the most bytes that a build had resident at one moment."""
    process = psutil.Popen(
        [
            *(sys.executable, "-m", "beam_pipeline.run", "--config", "1pct", "--quiet"),
            *("--manual_dir", str(archives), "--data_dir", str(data_dir)),
            *("--max_examples_per_split", str(examples)),
            *("--set", "splits.train.members=12811"),
            *("splits.validation.members=12811", "splits.validation.examples=12811"),
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.02):
            peak = max(peak, tree_bytes(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, err = process.communicate()
    ended.set()
    watcher.join()
    assert process.returncode == 0, err
    return peak


@pytest.fixture(scope="module")
def photos(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives with 12,811 training and 12,811 validation members, 2.8 GB."""
    directory = tmp_path_factory.mktemp("photos")
    make = [sys.executable, str(shared / "tools" / "make_ilsvrc.py"), str(directory)]
    subprocess.run([*make, "--train", "1pct", "--val", "12811"], check=True)
    return directory


def test_memory_does_not_grow_with_the_dataset(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = peak_of_build(photos, tmp_path / "small", 1281)
    large = peak_of_build(photos, tmp_path / "large", 12811)
    with capsys.disabled():
        print(f"\npeak: {small:,} bytes of 2,562 images, {large:,} of 25,622")
    assert large < BOUND
    assert large - small < GROWTH
