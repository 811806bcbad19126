"""Reads of files over a network.

A request takes tens of milliseconds, however little it asks for, so many are under way
at once: ranges are announced before they are read, and a thread pool of the process
fetches them. Neighbouring ranges share a request. The number of requests is bounded,
and so are the bytes that were fetched and not read yet.
"""

import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import BinaryIO, Final, Generic, NamedTuple, TypeVar, cast

from transforms.storage.backend import FileInfo, Part, cut_off

# Measured over Google's protocol with 30 ms of latency: see docs/running/storage.md.
REQUESTS: Final = 64  # for announced ranges, of a process at once
_AHEAD: Final = 32  # ranges announced at a time

_LARGEST_GAP: Final = 16 << 10  # bytes read needlessly to save a request
# A request takes 1.1 ms of a processor with Google's library, and a megabyte 2 ms.
_WORTH_A_REQUEST: Final = 512 << 10  # bytes
_LARGEST_SPAN: Final = 8 << 20  # bytes of a request that neighbours share
_MOST_AHEAD: Final = 64 << 20  # bytes that a reader has announced and not yet read
_BUFFER_SIZE: Final = 4 << 20  # bytes of a request where a file is read in order

# Returns ``size`` bytes from ``offset``; raises StorageError. Threads call it.
Fetch = Callable[[int, int], bytes]

# Returns bytes of a file as it was listed; raises StorageError. Threads call it.
FetchPart = Callable[[Part], bytes]


class Span(NamedTuple):
    """A part of a file that one request gets.

    Attributes:
        start: Its first byte.
        end: The byte after its last.
        ranges: The (offset, size) in it that are wanted.
    """

    start: int
    end: int
    ranges: tuple[tuple[int, int], ...]


def coalesce(ranges: Iterable[tuple[int, int]]) -> list[Span]:
    """Returns the parts of a file to fetch for all ranges.

    Ranges share a request where no more than 16 KiB lie between them, and as long as
    it stays within 8 MiB.

    Example:
        >>> [(span.start, span.end) for span in coalesce([(4096, 10), (0, 100)])]
        [(0, 4106)]
    """
    spans: list[Span] = []
    for offset, size in sorted(ranges):
        if spans:
            start, end, within = spans[-1]
            longer = max(end, offset + size)
            if offset - end <= _LARGEST_GAP and longer - start <= _LARGEST_SPAN:
                spans[-1] = Span(start, longer, (*within, (offset, size)))
                continue
        spans.append(Span(offset, offset + size, ((offset, size),)))
    return spans


@dataclass(frozen=True, slots=True)
class _Announced:
    """Bytes that are being fetched.

    Attributes:
        data: The answer of the request.
        start: Where the bytes begin in it.
        size: Number of the bytes.
    """

    data: Future[bytes]
    start: int
    size: int


_Key = TypeVar("_Key")


class _Ahead(Generic[_Key]):
    """Bytes that are announced and not read yet, up to a limit; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._announced: dict[_Key, _Announced] = {}
        self._bytes = 0

    def begin(
        self,
        sizes: Mapping[_Key, int],
        start: Callable[[Collection[_Key]], Mapping[_Key, _Announced]],
    ) -> None:
        """Starts to fetch what is not announced yet, within the limit.

        Args:
            sizes: What is wanted, with its length in bytes.
            start: Makes the requests.
        """
        with self._lock:
            taken = []
            for key, size in sizes.items():
                fits = self._bytes + size <= _MOST_AHEAD
                if fits and key not in self._announced:
                    taken.append(key)
                    self._bytes += size
            self._announced.update(start(taken))

    def read(self, key: _Key, fetch: Callable[[], bytes]) -> bytes:
        """Returns announced bytes, or else the result of ``fetch``."""
        with self._lock:
            found = self._announced.pop(key, None)
            if found is not None:
                self._bytes -= found.size
        # If no thread has started on it yet, this one fetches it.
        if found is None or found.data.cancel():
            return fetch()
        data = found.data.result()
        whole = len(data) == found.size
        return data if whole else data[found.start : found.start + found.size]

    def give_up(self) -> None:
        """Cancels the requests, and discards what they fetched."""
        with self._lock:
            for announced in self._announced.values():
                announced.data.cancel()
            self._announced.clear()
            self._bytes = 0


class RemoteReader:
    """Reads ranges of a remote file; announced ones are in memory."""

    ahead = _AHEAD
    at_once = _AHEAD
    read_on = _WORTH_A_REQUEST

    def __init__(self, file: FileInfo, fetch: Fetch) -> None:
        """Begins with nothing announced.

        Args:
            file: The file.
            fetch: Fetches bytes of it.
        """
        self._file = file
        self._fetch = fetch
        self._ahead = _Ahead[tuple[int, int]]()

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly ``size`` bytes from ``offset``, or raises StorageError."""
        if offset + size > self._file.size:
            end = max(offset, self._file.size)
            raise cut_off(self._file.uri, end, offset, size)
        if not size:
            return b""
        return self._ahead.read((offset, size), lambda: self._fetch(offset, size))

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns the bytes of each range, many of them fetched at once."""
        if len(ranges) > 1:
            self.prefetch(ranges)
        return [self.read(offset, size) for offset, size in ranges]

    def prefetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Starts to fetch ranges, within the limit of what is not read yet."""
        inside = {
            (offset, size): size
            for offset, size in ranges
            if size and offset + size <= self._file.size
        }
        self._ahead.begin(inside, self._start)

    def next_data(self, offset: int) -> int:
        """Returns the offset: object storage does not report holes."""
        return offset

    def close(self) -> None:
        """Gives up what was announced and not read."""
        self._ahead.give_up()

    def _start(
        self, ranges: Collection[tuple[int, int]]
    ) -> dict[tuple[int, int], _Announced]:
        started = {}
        for start, end, within in coalesce(ranges):
            data = _threads().submit(self._fetch, start, end - start)
            for offset, size in within:
                started[offset, size] = _Announced(data, offset - start, size)
        return started


class RemoteFiles:
    """Reads parts of many remote files; announced ones are in memory."""

    ahead = _AHEAD

    def __init__(self, fetch: FetchPart) -> None:
        """Begins with nothing announced.

        Args:
            fetch: Fetches a part.
        """
        self._fetch = fetch
        self._ahead = _Ahead[Part]()

    def prefetch(self, parts: Sequence[Part]) -> None:
        """Starts to fetch parts, within the limit of what is not read yet."""
        inside = {part: part.size for part in parts if _is_fetched(part)}
        self._ahead.begin(inside, self._start)

    def read(self, part: Part) -> bytes:
        """Returns bytes of a file that is still as it was listed."""
        if part.offset + part.size > part.file.size:
            end = max(part.offset, part.file.size)
            raise cut_off(part.file.uri, end, part.offset, part.size)
        if not _is_fetched(part):
            return b""
        return self._ahead.read(part, lambda: self._fetch(part))

    def close(self) -> None:
        """Gives up what was announced and not read."""
        self._ahead.give_up()

    def _start(self, parts: Collection[Part]) -> dict[Part, _Announced]:
        return {
            part: _Announced(_threads().submit(self._fetch, part), 0, part.size)
            for part in parts
        }


def _is_fetched(part: Part) -> bool:
    """Returns whether a part is inside, and has bytes or is all of an empty file."""
    inside = part.offset + part.size <= part.file.size
    return inside and (part.size > 0 or part.file.size == 0)


def buffered_file(reader: RemoteReader, size: int) -> BinaryIO:
    """Returns a file that is read front to back, a few MiB per request."""
    return cast(BinaryIO, io.BufferedReader(_RangeFile(reader, size), _BUFFER_SIZE))


class _RangeFile(io.RawIOBase):
    """A remote file with the interface of Python's raw files."""

    def __init__(self, reader: RemoteReader, size: int) -> None:
        super().__init__()
        self._reader = reader
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        beginnings = {
            io.SEEK_SET: 0,
            io.SEEK_CUR: self._position,
            io.SEEK_END: self._size,
        }
        self._position = beginnings[whence] + offset
        return self._position

    def readall(self) -> bytes:
        return self._next(self._size)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, size: int) -> bytes:
        size = max(0, min(size, self._size - self._position))
        data = self._reader.read(self._position, size)
        self._position += size
        return data


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(REQUESTS, thread_name_prefix="storage")
