"""Runs that are killed at any moment: the next one ends as if nothing had happened."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.suites.faults.builds import (
    FORMATS,
    MANY_SHARDS,
    MODES,
    Build,
    build,
    hashes,
    outputs,
    reports,
    states,
)

FLAGS = ("--format", ",".join(FORMATS), *MANY_SHARDS)
CHAINS = 5  # of each mode, with two kills each: twenty kills


@pytest.fixture(scope="module")
def seconds(
    archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, float]:
    """How long a build takes that nothing happens to, by mode."""
    took = {}
    for mode, flags in MODES.items():
        start = time.monotonic()
        data_dir = tmp_path_factory.mktemp(mode)
        assert build(archives, data_dir, *FLAGS, *flags).code == 0
        took[mode] = time.monotonic() - start
    return took


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory whose path is short enough for the name of a socket in it."""
    with TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory)


def proven_shards(data_dir: Path) -> list[Path]:
    """Returns the files of formats whose shards have a report each."""
    proven = []
    for report in reports(data_dir):
        name = report.parent.name.removeprefix(".").removesuffix(".reports")
        split, index = report.name.split("-")[:2]
        stem = {
            "tfrecord": f"*-{split}.tfrecord-{index}-of-*",
            "array_record": f"*-{split}.array_record-{index}-of-*",
            "parquet": f"{split}-{index}-of-*.parquet",
            "webdataset": f"{split}-{int(index):06d}.tar",
        }[name]
        (file,) = report.parent.parent.glob(stem)
        proven.append(file)
    return proven


def wait_until_workers_are_gone(ended: Build) -> None:
    deadline = time.monotonic() + 30
    while ended.workers():
        assert time.monotonic() < deadline, "worker processes outlive their run"
        time.sleep(0.01)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chain", range(CHAINS))
def test_a_killed_build_goes_on_to_the_same_bytes(
    archives: Path,
    tmp_path: Path,
    undisturbed: dict[str, str],
    seconds: dict[str, float],
    mode: str,
    chain: int,
) -> None:
    moments = random.Random(f"{mode} {chain}")
    proven: dict[Path, tuple[int, int]] = {}
    for _ in range(2):
        running = Build(archives, tmp_path, *FLAGS, *MODES[mode])
        # Nothing happens in the first second but imports.
        time.sleep(moments.uniform(1.0, seconds[mode]))
        running.kill()
        wait_until_workers_are_gone(running)
        assert states(list(proven)) == proven, "a shard was built twice"
        proven |= states(proven_shards(tmp_path))
    ended = build(archives, tmp_path, *FLAGS, *MODES[mode])
    assert ended.code == 0, ended.err
    assert hashes(tmp_path) == undisturbed
    assert states(list(proven)) == proven, "a shard was built twice"
    indexes = [path.name for path in (tmp_path / "downloads").rglob("*.*")]
    assert not [name for name in indexes if name.startswith(".")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_interrupted_build_ends_within_seconds_and_says_how_to_go_on(
    archives: Path,
    tmp_path: Path,
    undisturbed: dict[str, str],
    mode: str,
    number: signal.Signals,
    code: int,
    temporary: Path,
) -> None:
    environment = os.environ | {"TMPDIR": str(temporary)}
    flags = (*FLAGS, *MODES[mode])
    running = Build(archives, tmp_path, *flags, environment=environment)
    running.wait_for_a_shard()
    if mode == "processes":
        assert list(temporary.iterdir())
    start = time.monotonic()
    # To the whole group, as Ctrl-C in a terminal.
    os.killpg(running.pid, number)
    ended = running.end()
    assert time.monotonic() - start < 10  # a bound of the promise, not a measurement
    assert ended.code == code
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith("Interrupted. Published are, whole: tfrecord: ")
    assert last.endswith("The same command goes on from there.")
    assert "Traceback" not in ended.err
    assert not list(tmp_path.rglob("*.unfinished"))
    assert not list(temporary.iterdir())
    ended = build(archives, tmp_path, *FLAGS)
    assert ended.code == 0
    assert "continuing an earlier run" in ended.err
    assert hashes(tmp_path) == undisturbed


def test_worker_processes_leave_signals_to_their_run(
    archives: Path, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    running = Build(archives, tmp_path, *FLAGS, *MODES["processes"])
    running.wait_for_a_shard()
    workers = running.workers()
    for worker in workers:
        os.kill(worker, signal.SIGINT)
        os.kill(worker, signal.SIGTERM)
    assert workers
    ended = running.end()
    assert (ended.code, "Worker" in ended.err) == (0, False), ended.err
    assert hashes(tmp_path) == undisturbed


def test_a_worker_process_that_is_killed_ends_the_build(
    archives: Path, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    running = Build(archives, tmp_path, *FLAGS, *MODES["processes"])
    running.wait_for_a_shard()
    os.kill(running.workers()[0], signal.SIGKILL)
    ended = running.end()
    assert ended.code == 1
    assert "error: A worker process died (signal 9)." in ended.err
    assert "The same command goes on from there." in ended.err
    assert "Traceback" not in ended.err
    wait_until_workers_are_gone(running)
    assert build(archives, tmp_path, *FLAGS).code == 0
    assert hashes(tmp_path) == undisturbed


def test_two_builds_at_once_do_not_disturb_each_other(
    archives: Path, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    first = Build(archives, tmp_path, *FLAGS)
    first.wait_for_a_shard()
    os.kill(first.pid, signal.SIGSTOP)  # lest it is done before the second begins
    second = build(archives, tmp_path, *FLAGS)
    os.kill(first.pid, signal.SIGCONT)
    assert second.code == 1
    assert "Another run is writing to" in second.err
    assert first.end().code == 0
    assert hashes(tmp_path) == undisturbed
    assert outputs(tmp_path)
