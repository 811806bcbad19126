"""Counts what a build from gs:// to gs:// asks of the storage, and what latency costs.

The storage is fake-gcs-server on the loopback interface, behind a proxy that counts
requests and bytes and adds latency. The environment of ``make test-storage`` has it.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.measure import find_archives, make_parser, stated_numbers, tidy
from tests.suites.storage import servers
from transforms import storage
from transforms.archives.containers import (
    Archive,
    ContainerBatch,
)
from transforms.archives.forms import find_containers, walk_containers

_TRAIN: Final = "ILSVRC2012_img_train.tar"
_ARCHIVES: Final = (_TRAIN, "ILSVRC2012_img_val.tar")
_LIST: Final = "1percent.txt"
_LATENCY: Final = 0.03  # seconds


def main() -> None:
    """Prints requests, bytes and rates of builds of the 1pct configuration."""
    arguments = make_parser(__doc__ or "").parse_args()
    archives = find_archives(arguments)
    objects = arguments.work / "objects"
    tidy(arguments, objects)
    manual = objects / servers.BUCKET / "manual"
    manual.mkdir(parents=True)
    for name in (*_ARCHIVES, _LIST):
        os.link(archives / name, manual / name)
    images, wanted = _wanted(archives)
    print(f"{images:,} images, {wanted:,} bytes")
    with servers.google(servers.free_port(), objects) as address:
        os.environ |= servers.variables("gs", address)
        bucket = f"gs://{servers.BUCKET}"
        numbers = stated_numbers(arguments.scale)
        _build(address, bucket, "no index", 0, images, wanted, numbers)
        for _ in range(arguments.rounds):
            for latency in (0, _LATENCY):
                name = f"index, {1000 * latency:.0f} ms"
                _build(address, bucket, name, latency, images, wanted, numbers)


def _wanted(archives: Path) -> tuple[int, int]:
    """Returns the number of images that are built, and their bytes."""
    listed = {*(archives / _LIST).read_text().split()}
    sizes = []
    for name in _ARCHIVES:
        archive = Archive(name, storage.file_info(str(archives / name)), "tar")
        batch = ContainerBatch(archive, 0, find_containers(archive))
        for table in walk_containers(batch):
            rows = table.members.select(["name", "size"]).to_pylist()
            sizes += [
                row["size"] for row in rows if name != _TRAIN or row["name"] in listed
            ]
    return len(sizes), sum(sizes)


def _build(
    address: str,
    bucket: str,
    name: str,
    latency: float,
    images: int,
    wanted: int,
    numbers: list[str],
) -> None:
    """Builds once and prints what it took."""
    command = [
        *(sys.executable, "-m", "beam_pipeline.run", "--config", "1pct"),
        *("--manual_dir", f"{bucket}/manual", "--data_dir", f"{bucket}/datasets"),
        *("--overwrite", *numbers),
    ]
    with servers.proxy(address, "--latency", str(latency)) as proxy:
        environment = {**os.environ, **servers.variables("gs", proxy)}
        start, before = time.monotonic(), _cpu_seconds()
        subprocess.run(command, check=True, env=environment, capture_output=True)
        seconds, cpu = time.monotonic() - start, _cpu_seconds() - before
        counts = servers.counts(proxy)
    requests = ", ".join(f"{n:,} {method}" for method, n in counts["requests"].items())
    print(
        f"{name}: {seconds:.1f} s, {images / seconds:.0f} images/s, "
        f"{cpu:.1f} s of CPU; {requests}; {counts['bytes_down']:,} bytes read, "
        f"{counts['bytes_down'] / wanted:.3f} of those wanted; "
        f"{counts['bytes_up']:,} written; at most {counts['most_at_once']} at once",
        flush=True,
    )


def _cpu_seconds() -> float:
    """Returns what the processes took that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
