"""Times the walk of the flat validation archive: one chain of headers, and many.

On the local disk, its pages dropped from the cache before each walk, and over
fake-gcs-server behind a proxy that counts and adds latency. Both ways take turns. The
environment of ``make test-storage`` has the server. One chain over the network is
walked as far as the first thousand members, and its time is taken for all.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import find_archives, make_parser, tidy
from tests.suites.storage import servers
from transforms import storage
from transforms.archives.tar.walk import first_files, walk_tars

_ARCHIVE: Final = "ILSVRC2012_img_val.tar"
_LATENCY: Final = 0.03  # seconds
_FIRST: Final = 1000  # members
_PATIENCE: Final = 600  # seconds, in which the server reads the archive


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk took.

    Attributes:
        members: How many it found.
        seconds: Wall-clock time.
        cpu: Processor time of this process, in seconds.
    """

    members: int
    seconds: float
    cpu: float


def main() -> None:
    """Prints a line for each walk."""
    arguments = make_parser(__doc__ or "").parse_args()
    archive = find_archives(arguments) / _ARCHIVE
    objects = arguments.work / "objects"
    tidy(arguments, objects)
    bucket = objects / servers.BUCKET
    bucket.mkdir(parents=True)
    os.link(archive, bucket / _ARCHIVE)
    for _ in range(arguments.rounds):
        for many in (False, True):
            _drop(archive)
            _print("disk", many, _walk(str(archive), many))
    with (
        servers.google(servers.free_port(), objects, _PATIENCE) as address,
        servers.proxy(address, "--latency", str(_LATENCY)) as proxy,
    ):
        os.environ |= servers.variables("gs", proxy)
        uri = f"gs://{servers.BUCKET}/{_ARCHIVE}"
        before = servers.counts(proxy)["bytes_down"]
        for _ in range(arguments.rounds):
            _print("network", False, _walk_first(uri))
            _print("network", True, _walk(uri, True))
            now = servers.counts(proxy)["bytes_down"]
            print(f"    {(now - before) / 1e6:,.0f} MB", flush=True)
            before = now


def _walk(uri: str, many: bool) -> Walk:
    file = storage.file_info(uri)
    with closing(storage.open_reader(file)) as reader, _timed() as took:
        (found,) = walk_tars(
            reader.read_many,
            [(0, file.size)],
            reader.next_data,
            at_once=reader.at_once if many else 1,
            read_on=reader.read_on if many else 0,
        )
    return Walk(len(found.members), *took)


def _walk_first(uri: str) -> Walk:
    file = storage.file_info(uri)
    with closing(storage.open_reader(file)) as reader, _timed() as took:
        found = first_files(reader.read, (0, file.size), _FIRST)
    return Walk(len(found), *took)


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Gives a list, which has seconds and processor time when the block has ended."""
    took: list[float] = []
    start, cpu = time.monotonic(), time.process_time()
    yield took
    took += [time.monotonic() - start, time.process_time() - cpu]


def _drop(path: Path) -> None:
    """Drops a file's pages from the cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        if sys.platform == "linux":
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _print(where: str, many: bool, walk: Walk) -> None:
    print(
        f"{where}, {'many chains' if many else 'one chain'}: {walk.members:,} members, "
        f"{walk.seconds:.2f} s, {walk.cpu:.2f} s of CPU, "
        f"{1e6 * walk.seconds / walk.members:,.0f} µs each; load {os.getloadavg()[0]}",
        flush=True,
    )


if __name__ == "__main__":
    main()
