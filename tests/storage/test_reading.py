"""Ranges of remote files: which requests they take, and what stays bounded."""

import time
from collections.abc import Sequence
from threading import Event, Lock, Thread

import pytest

from transforms.errors import StorageError
from transforms.storage.backend import FileInfo, Part
from transforms.storage.remote import reading as remote
from transforms.storage.remote.reading import RemoteFiles, RemoteReader, coalesce

KIB = 1 << 10
MIB = 1 << 20
DATA = bytes(range(256)) * (128 * KIB)  # 32 MiB
FILE = FileInfo("gs://bucket/data", len(DATA), "1")


class Requests:
    """Serves ``DATA``, noting what is asked; holds requests while it is shut."""

    def __init__(self, *, shut: bool = False) -> None:
        self.seen: list[tuple[int, int]] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = Lock()
        self.open = Event()
        if not shut:
            self.open.set()

    def wait_for(self, number: int) -> None:
        """Returns when so many requests have come."""
        while len(self.seen) < number:
            time.sleep(0.001)

    def fetch(self, offset: int, size: int) -> bytes:
        with self._lock:
            self.seen.append((offset, size))
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        assert self.open.wait(60)
        with self._lock:
            self._now -= 1
        return DATA[offset : offset + size]


@pytest.mark.parametrize(
    ("ranges", "spans"),
    [
        ([], []),
        ([(5, 3)], [(5, 8)]),
        ([(5, 3), (8, 2)], [(5, 10)]),
        ([(8, 2), (5, 3)], [(5, 10)]),  # whatever their order
        ([(5, 3), (5, 3)], [(5, 8)]),
        ([(0, 100), (20, 5)], [(0, 100)]),  # one within another
        ([(0, 10), (10 + 16 * KIB, 10)], [(0, 20 + 16 * KIB)]),
        ([(0, 10), (11 + 16 * KIB, 10)], [(0, 10), (11 + 16 * KIB, 21 + 16 * KIB)]),
        ([(0, 4 * MIB), (4 * MIB, 4 * MIB)], [(0, 8 * MIB)]),
        ([(0, 4 * MIB), (4 * MIB, 4 * MIB + 1)], [(0, 4 * MIB), (4 * MIB, 8388609)]),
        ([(0, 9 * MIB)], [(0, 9 * MIB)]),  # one range is never cut
    ],
)
def test_neighbours_share_a_request(
    ranges: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> None:
    found = coalesce(ranges)
    assert [(span.start, span.end) for span in found] == spans
    assert sorted(each for span in found for each in span.ranges) == sorted(ranges)


def test_what_is_announced_is_got_once_and_together() -> None:
    requests = Requests()
    reader = RemoteReader(FILE, requests.fetch)
    wanted = [(100, 50), (200, 50), (9 * MIB, 70)]
    reader.prefetch(wanted)
    reader.prefetch(wanted[:2])  # said twice
    requests.wait_for(2)
    found = [reader.read(*each) for each in reversed(wanted)]
    assert found == [DATA[o : o + n] for o, n in reversed(wanted)]
    assert sorted(requests.seen) == [(100, 150), (9 * MIB, 70)]
    reader.close()


def test_many_requests_are_on_their_way_at_once_and_no_more() -> None:
    requests = Requests(shut=True)
    reader = RemoteReader(FILE, requests.fetch)
    reader.prefetch([(number * 100 * KIB, 10) for number in range(300)])
    requests.wait_for(remote.REQUESTS)
    requests.open.set()
    for number in range(300):
        start = number * 100 * KIB
        assert reader.read(start, 10) == DATA[start : start + 10]
    # What no thread has come to is got by the thread that reads.
    assert requests.most_at_once <= remote.REQUESTS + 1
    assert len(requests.seen) == 300
    reader.close()


def test_what_is_not_read_yet_is_bounded() -> None:
    requests = Requests(shut=True)
    large = FileInfo("gs://bucket/data", 1 << 40, "1")
    reader = RemoteReader(large, requests.fetch)
    ranges = [(number * 32 * MIB, 16 * MIB) for number in range(8)]
    reader.prefetch(ranges)
    requests.wait_for(4)
    time.sleep(0.1)  # in which there would be more
    assert requests.most_at_once == 4  # 64 MiB
    requests.open.set()
    reader.read(*ranges[0])
    reader.prefetch(ranges[4:])
    reader.read(*ranges[4])
    assert len(requests.seen) == 5
    reader.close()


def test_a_read_does_not_wait_for_requests_of_other_files() -> None:
    others = Requests(shut=True)
    other = RemoteReader(FILE, others.fetch)
    other.prefetch([(number * 100 * KIB, 10) for number in range(300)])
    reader = RemoteReader(FILE, Requests().fetch)
    reader.prefetch([(7, 5)])
    read = Thread(target=reader.read, args=(7, 5), daemon=True)
    read.start()
    read.join(10)
    stuck = read.is_alive()
    others.open.set()
    other.close()
    assert not stuck


def test_an_error_is_raised_where_its_range_is_read() -> None:
    def fetch(offset: int, size: int) -> bytes:
        if offset:
            raise StorageError("no such luck")
        return bytes(size)

    reader = RemoteReader(FILE, fetch)
    reader.prefetch([(0, 10), (MIB, 10), (MIB + 10, 10)])
    assert reader.read(0, 10) == bytes(10)
    for offset in (MIB, MIB + 10):
        with pytest.raises(StorageError, match="no such luck"):
            reader.read(offset, 10)
    reader.close()


def test_ranges_beyond_the_end_are_not_asked_for() -> None:
    requests = Requests()
    reader = RemoteReader(FILE, requests.fetch)
    reader.prefetch([(len(DATA) - 5, 10), (len(DATA), 0)])
    with pytest.raises(StorageError, match=r"ends at byte 33,554,432, but 10 bytes"):
        reader.read(len(DATA) - 5, 10)
    assert reader.read(len(DATA), 0) == b""
    assert requests.seen == []


def test_a_file_read_in_order_takes_few_requests() -> None:
    requests = Requests()
    with remote.buffered_file(RemoteReader(FILE, requests.fetch), FILE.size) as file:
        pieces = list(iter(lambda: file.read(10 * KIB), b""))
    assert b"".join(pieces) == DATA
    assert requests.seen == [(number * 4 * MIB, 4 * MIB) for number in range(8)]


# --- Parts of files -------------------------------------------------------------------

PARTS = [
    Part(FileInfo(f"gs://bucket/{n:03}", 200_000 + n, str(n)), n, 100_000 + n)
    for n in range(100)
]


def test_files_are_got_many_at_once_and_once_each() -> None:
    seen: list[Part] = []
    gate = Event()

    def fetch(part: Part) -> bytes:
        seen.append(part)
        assert gate.wait(60)
        return part.file.uri.encode()

    reader = RemoteFiles(fetch)
    reader.prefetch(PARTS[:30])
    reader.prefetch(PARTS[20:40])  # some said twice
    while len(seen) < 40:
        time.sleep(0.001)
    gate.set()
    for part in PARTS[:50]:  # the last ten not announced
        assert reader.read(part) == part.file.uri.encode()
    assert sorted(seen, key=str) == PARTS[:50]
    reader.close()


def test_files_that_are_not_read_yet_are_bounded() -> None:
    large = [
        Part(FileInfo(f"gs://bucket/{n}", 30 * MIB, "1"), 0, 30 * MIB) for n in range(8)
    ]
    seen: list[Part] = []

    def fetch(part: Part) -> bytes:
        seen.append(part)
        return bytes(part.size)

    def wait_for(files: Sequence[Part]) -> None:
        deadline = time.monotonic() + 60
        while sorted(seen, key=str) != files:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    reader = RemoteFiles(fetch)
    reader.prefetch(large)
    wait_for(large[:2])  # 60 of 64 MiB
    for part in large[:2]:
        assert len(reader.read(part)) == 30 * MIB
    reader.prefetch(large[2:])  # there is room again
    wait_for(large[:4])
    reader.close()  # and again
    reader.prefetch(large[4:])
    wait_for(large[:6])
    reader.close()


def test_an_error_is_raised_where_its_part_is_read() -> None:
    def fetch(part: Part) -> bytes:
        if part == PARTS[1]:
            raise StorageError("no such luck")
        return b"x"

    reader = RemoteFiles(fetch)
    reader.prefetch(PARTS[:3])
    assert reader.read(PARTS[0]) == b"x"
    with pytest.raises(StorageError, match="no such luck"):
        reader.read(PARTS[1])
    assert reader.read(PARTS[2]) == b"x"
    reader.close()


def test_parts_without_bytes_are_not_got_unless_their_file_is_empty() -> None:
    seen: list[Part] = []

    def fetch(part: Part) -> bytes:
        seen.append(part)
        return b""

    empty = Part(FileInfo("gs://bucket/empty", 0, "1"), 0, 0)
    reader = RemoteFiles(fetch)
    within = Part(PARTS[0].file, 7, 0)
    beyond = Part(PARTS[0].file, 199_999, 2)
    reader.prefetch([within, beyond, beyond._replace(offset=200_001, size=0)])
    assert reader.read(within) == b""
    with pytest.raises(StorageError, match=r"ends at byte 200,000, but 2 bytes"):
        reader.read(beyond)
    assert seen == []
    assert reader.read(empty) == b""
    assert seen == [empty]
