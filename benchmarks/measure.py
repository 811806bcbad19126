"""Runs a command as a user would and measures all of its processes from outside."""

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).parent.parent

_SCALES: Final = {  # train members, validation members; see make_ilsvrc.py
    "small": ("1pct", "2000"),
    "1pct": ("1pct", "50000"),
    "tenth": ("10pct", "50000"),
    "full": ("full", "50000"),
}
_MEMBERS: Final = {"1pct": 12_811, "10pct": 128_116, "full": 1_281_167}
_SAMPLE_EVERY: Final = 0.05  # seconds
_PR_SET_CHILD_SUBREAPER: Final = 36  # Linux's prctl(2)
_DROP_CACHES: Final = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of a command took.

    Attributes:
        seconds: Wall-clock time.
        cpu: Processor time of the command and all its children, in seconds.
        peak_bytes: Largest resident size of the command and all its children at one
            moment, what they share counted once; 0 where it was not looked at.
    """

    seconds: float
    cpu: float
    peak_bytes: int = 0


def stated_numbers(scale: str) -> list[str]:
    """Returns flags that state how many images the archives of a scale have."""
    train, validation = _SCALES[scale]
    numbers = {
        "train.members": _MEMBERS[train],
        "validation.members": validation,
        "validation.examples": validation,
    }
    return ["--set", *(f"splits.{key}={number}" for key, number in numbers.items())]


def images_of_1pct(scale: str) -> int:
    """Returns the number of images of a 1pct build from the archives of a scale."""
    _, validation = _SCALES[scale]
    return _MEMBERS["1pct"] + int(validation)


def make_parser(documentation: str) -> argparse.ArgumentParser:
    """Returns a parser of the flags that every benchmark has.

    Args:
        documentation: Of the benchmark's module; the first line is shown.
    """
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("--scale", choices=_SCALES, default="tenth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=ROOT / "bench", metavar="DIR")
    parser.add_argument(
        "--cold",
        action="store_true",
        help="empty the page cache before each run (root)",
    )
    return parser


def find_archives(arguments: argparse.Namespace) -> Path:
    """Returns the directory of the archives of the scale asked for; makes them once.

    Raises:
        SystemExit: What makes them is not there.
    """
    archives: Path = arguments.work / f"archives-{arguments.scale}"
    if not (archives / "ILSVRC2012_img_val.tar").is_file():
        shared = Path(os.environ.get("SHARED_DIR", ROOT.parent / "shared"))
        tool = shared / "tools" / "make_ilsvrc.py"
        if not tool.is_file():
            raise SystemExit(f"error: needs the photos and make_ilsvrc.py in {shared}")
        train, validation = _SCALES[arguments.scale]
        make: list[str | Path] = [sys.executable, tool, archives]
        make += ["--train", train, "--val", validation]
        subprocess.run(make, check=True)
    return archives


def tidy(arguments: argparse.Namespace, *paths: Path) -> None:
    """Removes what earlier runs left, and lets the disk come to rest.

    Raises:
        SystemExit: The page cache was to be emptied, and can't be.
    """
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
    if arguments.cold and not drop_caches():
        raise SystemExit("error: --cold needs root")
    subprocess.run(["sync"], check=True)


def measure(
    command: Sequence[str | Path],
    log: Path,
    environment: dict[str, str] | None = None,
) -> Measurement:
    """Runs a command to its end.

    Args:
        command: Program and arguments.
        log: Gets what the command prints.
        environment: Variables that it has besides those of this process.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """
    peak = 0
    done = threading.Event()

    def sample(root: psutil.Process) -> None:
        nonlocal peak
        while not done.wait(_SAMPLE_EVERY):
            peak = max(peak, _tree_bytes(root))

    words = [str(word) for word in command]
    _adopt_orphans()
    with log.open("wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(
            words,
            stdout=output,
            stderr=output,
            env=os.environ | (environment or {}),
        )
        sampler = threading.Thread(target=sample, args=(psutil.Process(process.pid),))
        sampler.start()
        # What its children took counts too, once it has waited for them.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        done.set()
        sampler.join()
        cpu = usage.ru_utime + usage.ru_stime + _orphans_cpu()
    if process.returncode:
        print(log.read_text(errors="replace")[-2000:])
        raise subprocess.CalledProcessError(process.returncode, words)
    return Measurement(seconds, cpu, peak)


def drop_caches() -> bool:
    """Empties the page cache; returns whether this process may."""
    subprocess.run(["sync"], check=True)
    try:
        _DROP_CACHES.write_text("3\n")
    except OSError:
        return False
    return True


def _adopt_orphans() -> None:
    """Makes what a command leaves behind children of this process, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _orphans_cpu() -> float:
    """Waits for what a command left behind; returns its processor time in seconds.

    The process that worker processes are forked from ends after its run.
    """
    cpu = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return cpu
        cpu += usage.ru_utime + usage.ru_stime


def _tree_bytes(root: psutil.Process) -> int:
    total = 0
    try:
        children = root.children(recursive=True)
        if not children:
            return int(root.memory_info().rss)
        for process in (root, *children):
            memory = process.memory_full_info()
            if sys.platform == "linux":
                total += memory.pss
            else:
                total += memory.uss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        pass  # it ended between being listed and being asked
    return total
