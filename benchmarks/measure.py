"""Runs a command as a user would and measures all of its processes from outside."""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_SAMPLE_EVERY: Final = 0.05  # seconds
_DROP_CACHES: Final = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of a command took.

    Attributes:
        seconds: Wall-clock time.
        peak_bytes: Largest resident size of the command and all its children at one
            moment.
    """

    seconds: float
    peak_bytes: int


def measure(command: Sequence[str | Path], log: Path) -> Measurement:
    """Runs a command to its end.

    Args:
        command: Program and arguments.
        log: Gets what the command prints.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """
    peak = 0
    done = threading.Event()

    def sample(root: psutil.Process) -> None:
        nonlocal peak
        while not done.wait(_SAMPLE_EVERY):
            peak = max(peak, _tree_bytes(root))

    with log.open("wb") as output:
        start = time.monotonic()
        with subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=output
        ) as process:
            sampler = threading.Thread(
                target=sample, args=(psutil.Process(process.pid),)
            )
            sampler.start()
            code = process.wait()
            seconds = time.monotonic() - start
            done.set()
            sampler.join()
    if code:
        print(log.read_text(errors="replace")[-2000:])
        raise subprocess.CalledProcessError(code, [str(word) for word in command])
    return Measurement(seconds, peak)


def drop_caches() -> bool:
    """Empties the page cache; returns whether this process may."""
    subprocess.run(["sync"], check=True)
    try:
        _DROP_CACHES.write_text("3\n")
    except OSError:
        return False
    return True


def _tree_bytes(root: psutil.Process) -> int:
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # it ended between being listed and being asked
    return total
