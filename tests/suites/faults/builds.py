"""Builds in processes of their own, that something happens to."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FORMATS = ("tfrecord", "array_record", "parquet", "webdataset")
MODES = {
    "threads": ("--direct_running_mode=multi_threading",),
    "processes": ("--direct_running_mode=multi_processing",),
}

# Enough shards for something to happen between the first and the last.
MANY_SHARDS = ("--num_shards", "train=24", "validation=16")

_PATIENCE = 120.0  # seconds


@dataclass(frozen=True)
class Ended:
    """What a build left when it ended."""

    code: int
    out: str
    err: str


class Build:
    """One run of ``beam_pipeline.run``; its own process group, as in a terminal."""

    def __init__(
        self,
        archives: Path,
        data_dir: Path,
        *flags: str,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.data_dir = data_dir
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "beam_pipeline.run", "--config", "demo"),
                *("--manual_dir", str(archives), "--data_dir", str(data_dir), *flags),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def workers(self) -> list[int]:
        """Returns the worker processes that the build has, or that outlive it.

        Of one that is gone, also the process that they were forked from.
        """
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                status = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parent, session = int(status[1]), int(status[3])
            forked = b"multiprocessing.forkserver" in command and parent != self.pid
            started = b"multiprocessing.spawn" in command
            if session == self.pid and (forked or started):
                found.append(int(process.name))
        return found

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Waits until something has happened, as long as the build runs."""
        deadline = time.monotonic() + _PATIENCE
        while not happened():
            assert self.running(), self.end()
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def wait_for_a_shard(self) -> None:
        """Waits until a shard is published."""
        self.wait_for(lambda: bool(reports(self.data_dir)))

    def kill(self) -> None:
        """Kills the process as the system would, and nothing else of its group."""
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def end(self) -> Ended:
        """Waits for the end and returns it."""
        out, err = self._process.communicate(timeout=_PATIENCE)
        return Ended(self._process.returncode, out, err)


def build(archives: Path, data_dir: Path, *flags: str) -> Ended:
    """Builds to the end."""
    return Build(archives, data_dir, *flags).end()


def reports(data_dir: Path) -> list[Path]:
    """Returns the reports of published shards."""
    return [
        path
        for path in data_dir.rglob(".*.reports/*-of-*.json")
        if not path.name.startswith(".")
    ]


def outputs(data_dir: Path) -> list[Path]:
    """Returns all files but those of downloads and indexes, hidden ones too."""
    downloads = data_dir / "downloads"
    return [
        path
        for path in sorted(data_dir.rglob("*"))
        if path.is_file() and downloads not in path.parents
    ]


def hashes(data_dir: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file of the datasets beneath a directory."""
    return {
        str(path.relative_to(data_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in outputs(data_dir)
    }


def states(paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Returns what changes when files are written again."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}
