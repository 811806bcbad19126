"""Counts what a build from gs:// to gs:// asks of the storage, and what latency costs.

The storage is fake-gcs-server on the loopback interface, behind a proxy that counts
requests and bytes and adds latency. The environment of ``make test-storage`` has it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import find_archives, make_parser, tidy
from tests.storage import servers
from transforms import storage
from transforms.archives import Archive, find_containers, walk_containers
from transforms.archives import ContainerBatch as Batch

_TRAIN = "ILSVRC2012_img_train.tar"
_VALIDATION = "ILSVRC2012_img_val.tar"
_LIST = "1percent.txt"
_LATENCY = 0.03  # seconds


def main() -> None:
    """Prints requests, bytes and rates of builds of the 1pct configuration."""
    arguments = make_parser(__doc__ or "").parse_args()
    archives = find_archives(arguments)
    objects = arguments.work / "objects"
    tidy(arguments, objects)
    manual = objects / servers.BUCKET / "manual"
    manual.mkdir(parents=True)
    for name in (_TRAIN, _VALIDATION, _LIST):
        os.link(archives / name, manual / name)
    images, wanted = _wanted(archives)
    print(f"{images:,} images, {wanted:,} bytes")
    with servers.google(servers.free_port(), objects) as address:
        os.environ |= servers.variables("gs", address)
        bucket = f"gs://{servers.BUCKET}"
        _build(address, bucket, "no index", 0, images, wanted)
        for _ in range(arguments.rounds):
            for latency in (0, _LATENCY):
                name = f"index, {1000 * latency:.0f} ms"
                _build(address, bucket, name, latency, images, wanted)


def _wanted(archives: Path) -> tuple[int, int]:
    """Returns the number of images that are built, and their bytes."""
    listed = {*(archives / _LIST).read_text().split()}
    sizes = []
    for name, layout in ((_TRAIN, "nested"), (_VALIDATION, "flat")):
        file = storage.file_info(str(archives / name))
        archive = Archive(name, file, "nested" if layout == "nested" else "flat")
        for table in walk_containers(Batch(archive, 0, find_containers(archive))):
            rows = table.members.select(["name", "size"]).to_pylist()
            sizes += [
                row["size"] for row in rows if layout == "flat" or row["name"] in listed
            ]
    return len(sizes), sum(sizes)


def _build(
    address: str, bucket: str, name: str, latency: float, images: int, wanted: int
) -> None:
    """Builds once and prints what it took."""
    command = [
        *(sys.executable, "-m", "beam_pipeline.run", "--config", "1pct"),
        *("--manual_dir", f"{bucket}/manual", "--data_dir", f"{bucket}/datasets"),
        "--overwrite",
    ]
    with servers.proxy(address, "--latency", str(latency)) as proxy:
        environment = {**os.environ, **servers.variables("gs", proxy)}
        start = time.monotonic()
        subprocess.run(command, check=True, env=environment, capture_output=True)
        seconds = time.monotonic() - start
        _report(name, servers.counts(proxy), images, wanted, seconds)


def _report(
    name: str, counts: Mapping[str, Any], images: int, wanted: int, seconds: float
) -> None:
    requests = ", ".join(f"{n:,} {method}" for method, n in counts["requests"].items())
    print(
        f"{name}: {seconds:.1f} s, {images / seconds:.0f} images/s; {requests}; "
        f"{counts['bytes_down']:,} bytes read, {counts['bytes_down'] / wanted:.3f} of "
        f"those wanted; {counts['bytes_up']:,} written; at most "
        f"{counts['most_at_once']} requests at once",
        flush=True,
    )


if __name__ == "__main__":
    main()
