"""Times builds of one image in a hundred from archives in each form.

Seconds are those of builds on the local disk, bytes and requests those of builds from
fake-gcs-server behind a proxy that counts. Each build runs twice: without an index, and
with what the first one kept. The environment of ``make test-storage`` has the server.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from beam_pipeline.demo_forms import OTHER_FORMS
from benchmarks.measure import ROOT
from tests.helpers.archives import nested_tar, tar, write_archives
from tests.helpers.forms import pack
from tests.suites.storage import servers

_ORIGINAL: Final = "original tars"
_ONE_OF: Final = 100  # training images is wanted
_RUNS: Final = ("first", "next")
_COLUMNS: Final = (
    "seconds",
    "of CPU",
    "x first form",
    "MB read",
    "x wanted",
    "requests",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one build took.

    Attributes:
        seconds: Wall-clock time on the local disk.
        cpu: Processor time of that, in seconds.
        read: Bytes of archives that were read from object storage.
        requests: How many it was asked.
    """

    seconds: float
    cpu: float
    read: int
    requests: int


def main() -> int:
    """Prints a line for each form and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--work", type=Path, default=ROOT / "bench", metavar="DIR")
    forms = (_ORIGINAL, *OTHER_FORMS)
    parser.add_argument("--forms", nargs="+", choices=forms, default=forms)
    arguments = parser.parse_args()
    work = arguments.work / "forms"
    shutil.rmtree(work, ignore_errors=True)
    archives = work / "archives"
    wanted, numbers = _make(archives, arguments.images)
    title = f"{wanted / 1e6:.1f} MB of one image in {_ONE_OF} of {arguments.images:,}"
    table = Table("form", "run", title=title)
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    base: list[Cost] = []
    for form in arguments.forms:
        costs = _measure(work, archives, form, numbers)
        base = base or costs
        for run, cost, first in zip(_RUNS, costs, base, strict=True):
            cells = (
                *(f"{cost.seconds:.1f}", f"{cost.cpu:.1f}"),
                *(f"{cost.cpu / first.cpu:.2f}", f"{cost.read / 1e6:.1f}"),
                *(f"{cost.read / wanted:.2f}", f"{cost.requests:,}"),
            )
            print(form, run, *cells, flush=True)
            table.add_row(form, run, *cells)
    Console(width=100).print(table)
    shutil.rmtree(work)
    return 0


def _make(archives: Path, images: int) -> tuple[int, list[str]]:
    """Writes the original tars; returns the bytes wanted, and flags of numbers."""
    data = Path(os.environ.get("SHARED_DIR", ROOT.parent / "shared")) / "data"
    names = (data / "1percent.txt").read_text().split()[:images]
    photos = cycle([path.read_bytes() for path in sorted(data.glob("photos/*.JPEG"))])
    classes: dict[str, list[tuple[str, bytes]]] = {}
    for name, photo in zip(names, photos, strict=False):
        classes.setdefault(name.partition("_")[0], []).append((name, photo))
    bodies = dict(image for members in classes.values() for image in members)
    listed = names[::_ONE_OF]
    validation = [
        (f"ILSVRC2012_val_{number:08d}.JPEG", photo)
        for number, photo in enumerate(islice(photos, len(listed)), start=1)
    ]
    write_archives(
        archives, train=nested_tar(classes), validation=tar(validation), listed=listed
    )
    wanted = [bodies[name] for name in listed] + [photo for _, photo in validation]
    numbers = {"train.members": len(bodies), "train.examples": len(listed)}
    numbers |= {f"validation.{key}": len(listed) for key in ("members", "examples")}
    flags = ["--set", *(f"splits.{key}={value}" for key, value in numbers.items())]
    return sum(map(len, wanted)), flags


def _measure(work: Path, archives: Path, form: str, numbers: list[str]) -> list[Cost]:
    """Returns the costs of both runs of a form."""
    objects = work / "objects"
    manual = objects / servers.BUCKET / "manual"
    if form == _ORIGINAL:
        shutil.copytree(archives, manual)
    else:
        pack(archives, manual, form)
    local = list(_build_twice(str(manual), work / "local", numbers, dict(os.environ)))
    with servers.google(servers.free_port(), objects) as address:
        counted = [
            (sum(counts["requests"].values()), counts["bytes_down"])
            for counts in _count(address, work / "counted", numbers)
        ]
    shutil.rmtree(objects)
    return [
        Cost(*times, read, requests)
        for times, (requests, read) in zip(local, counted, strict=True)
    ]


def _count(
    address: str, data_dir: Path, numbers: list[str]
) -> Iterator[dict[str, Any]]:
    """Builds twice from object storage; yields what the proxy counted of each."""
    uri = f"gs://{servers.BUCKET}/manual"
    for _ in _RUNS:
        with servers.proxy(address) as proxy:
            environment = {**os.environ, **servers.variables("gs", proxy)}
            _build(uri, data_dir, numbers, environment)
            yield servers.counts(proxy)
    shutil.rmtree(data_dir)


def _build_twice(
    manual_dir: str, data_dir: Path, numbers: list[str], environment: dict[str, str]
) -> Iterator[tuple[float, float]]:
    """Yields seconds and processor time of two builds, the second with an index."""
    for _ in _RUNS:
        start, before = time.monotonic(), _cpu_seconds()
        _build(manual_dir, data_dir, numbers, environment)
        yield time.monotonic() - start, _cpu_seconds() - before
    shutil.rmtree(data_dir)


def _build(
    manual_dir: str, data_dir: Path, numbers: list[str], environment: dict[str, str]
) -> None:
    command = [
        *(sys.executable, "-m", "beam_pipeline.run", "--config", "demo"),
        *("--manual_dir", manual_dir, "--data_dir", str(data_dir), "--overwrite"),
    ]
    subprocess.run(
        [*command, *numbers], check=True, env=environment, stdout=subprocess.DEVNULL
    )


def _cpu_seconds() -> float:
    """Returns what the processes took that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
