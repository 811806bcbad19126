"""Where decompressing a gzip file can begin, other than at its start.

A deflate stream is a sequence of blocks (RFC 1951). Whoever knows at which bit a block
begins, and of the 32 KiB before it those bytes that later ones refer to, can begin
there. ``rapidgzip`` finds such points. It was chosen over ``indexed_gzip`` because it
uses all cores, and because its points are small: it keeps of the 32 KiB what is
referred to, which in photographs is next to nothing (50 bytes a point, where
``indexed_gzip`` keeps 32 KiB). It refuses padding and passes over a few bytes of
garbage; so ``inflate`` checks the file before it, and every read checks what it gives.

Python's zlib does the decompressing. It begins at a byte only; so what is left of a
byte before a block is filled up with blocks that hold nothing.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from transforms.archives.gzip.inflate import MAGIC, left_of
from transforms.cores import available_cores
from transforms.errors import ArchiveError, StorageError
from transforms.storage import FileInfo, RangeReader

_RAW: Final = -15  # zlib's window bits for a deflate stream alone
_GZIP: Final = 31
_TRAILER: Final = 8  # bytes after a member's stream: CRC-32 and length
_THREADS: Final = 8  # more wait for the disk
_CACHED: Final = 16  # blocks of the file, read and kept for ``rapidgzip``
_BLOCK: Final = 1 << 20  # bytes
_HEAD: Final = struct.Struct(">8s8sQQ")
_POINT: Final = struct.Struct(">QQII")
_GZTOOL: Final = b"gzipindx"


class SeekPoint(NamedTuple):
    """A place where decompressing can begin.

    Attributes:
        start: Number of decompressed bytes before it.
        byte: The first whole byte of the block in the file.
        bits: How many high bits of the byte before belong to the block, 0 to 7.
        window: The 32 KiB before ``start`` as a zlib stream, bytes that nothing refers
            to as zeros; empty where nothing refers to any.
    """

    start: int
    byte: int
    bits: int
    window: bytes


def find_points(
    file: FileInfo, reader: RangeReader, end: int, spacing: int
) -> list[SeekPoint]:
    """Returns seek points of a gzip file that is known to be sound, in order.

    Args:
        file: The file.
        reader: Reads its bytes.
        end: Where its last member ends.
        spacing: Bytes between points, about.

    Raises:
        ArchiveError: ``rapidgzip`` can't read it.
        StorageError: The file can't be read.
    """
    import rapidgzip  # only who makes points loads it

    source = _Source(reader, end)
    saved = io.BytesIO()
    threads = min(_THREADS, available_cores())
    try:
        with rapidgzip.RapidgzipFile(
            source, parallelization=threads, chunk_size=spacing
        ) as stream:
            stream.seek(0, io.SEEK_END)
            stream.export_index(saved, rapidgzip.IndexFormat.GZTOOL)
    except (ValueError, RuntimeError) as error:
        if source.failure is not None:
            raise source.failure from error
        raise ArchiveError(
            f"{file.uri} is a gzip file in which no seek points can be found: {error}. "
            f"Unpack it with gunzip --keep {file.uri}"
        ) from error
    return list(_parse(saved.getvalue()))


def _parse(index: bytes) -> Iterator[SeekPoint]:
    """Yields the points of an index in the format of gztool (its version 0)."""
    _, magic, count, _ = _HEAD.unpack_from(index)
    if magic != _GZTOOL:
        raise ValueError("no index of gztool")
    at = _HEAD.size
    for _ in range(count):
        start, byte, bits, length = _POINT.unpack_from(index, at)
        at += _POINT.size
        yield SeekPoint(start, byte, bits, index[at : at + length])
        at += length


class _Source(io.RawIOBase):
    """The file as ``rapidgzip`` wants it; its threads take turns.

    Attributes:
        failure: The error that reading ended with. It can't pass through C++.
    """

    def __init__(self, reader: RangeReader, end: int) -> None:
        super().__init__()
        self._reader = reader
        self._end = end
        self._position = 0
        self._blocks: dict[int, bytes] = {}
        self.failure: StorageError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}
        self._position = base[whence] + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        wanted = self._end if size < 0 else self._position + size
        end = min(wanted, self._end)
        pieces = []
        try:
            while self._position < end:
                number, at = divmod(self._position, _BLOCK)
                piece = self._block(number)[at : at + end - self._position]
                pieces.append(piece)
                self._position += len(piece)
        except StorageError as error:
            self.failure = error
            raise
        return b"".join(pieces)

    def _block(self, number: int) -> bytes:
        found = self._blocks.pop(number, None)
        if found is None:
            found = self._reader.read(*self._range(number))
            following = (number + 4) * _BLOCK
            if following < self._end and number + 4 not in self._blocks:
                self._reader.prefetch([self._range(number + 4)])
        self._blocks[number] = found  # the last one used stands last
        while len(self._blocks) > _CACHED:
            del self._blocks[next(iter(self._blocks))]
        return found

    def _range(self, number: int) -> tuple[int, int]:
        return number * _BLOCK, min(_BLOCK, self._end - number * _BLOCK)


def inflate_from(point: SeekPoint, data: bytes, most: int) -> Iterator[bytes]:
    """Yields the bytes of a gzip file from a point on.

    Args:
        point: The point.
        data: Bytes of the file from the one on that holds the point's first bit.
        most: Number of bytes yielded at a time, at most.

    Raises:
        zlib.error: It is no deflate stream.
    """
    window = zlib.decompress(point.window) if point.window else b""
    decoder = zlib.decompressobj(_RAW, zdict=window)
    view, raw = memoryview(data), True
    if point.bits:
        decoder.decompress(_fill(point.bits, data[0]))
        view = view[1:]
    while view or not decoder.eof:
        piece = decoder.decompress(view, most)
        if piece:
            yield piece
        left = left_of(decoder)
        stuck = not piece and not decoder.eof and left == len(view)
        view = view[len(view) - left :]
        if decoder.eof:
            view = view[_TRAILER if raw else 0 :]
            if bytes(view[: len(MAGIC)]) != MAGIC:
                return
            decoder, raw = zlib.decompressobj(_GZIP), False
        elif stuck:
            return


# A dynamic block (RFC 1951, 3.2.7) whose only code is that of its own end: as
# (value, bits), in the order in which the stream has them, least significant bit first.
# 256 literals have no code (as 138 and 118 repeated zeros), nor has any distance.
_ORDER: Final = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_LENGTHS: Final = {18: 1, 0: 2, 1: 2}  # codes 0, 10 and 11
_ODD: Final = (
    (0b100, 3),  # not the last block; dynamic
    *((0, 5), (0, 5), (len(_ORDER) - 4, 4)),
    *((_LENGTHS.get(symbol, 0), 3) for symbol in _ORDER),
    *((0, 1), (138 - 11, 7), (0, 1), (118 - 11, 7)),
    *((0b11, 2), (0b01, 2)),  # one bit for the end; none for the distance
    (0, 1),  # the end
)
_EVEN: Final = ((0b010, 3), (0, 7))  # a block of fixed codes: its end alone


def _fill(bits: int, byte: int) -> bytes:
    """Returns blocks that hold nothing, and then the high bits of a byte.

    Args:
        bits: How many of the byte's bits are wanted, 1 to 7.
        byte: The byte.
    """
    wanted = 8 - bits  # the remainder of the blocks' length by 8
    fields = list(_ODD) if wanted % 2 else []
    while sum(length for _, length in fields) % 8 != wanted:
        fields += _EVEN
    value = position = 0
    for number, length in fields:
        value |= number << position
        position += length
    value |= byte >> wanted << position
    return value.to_bytes((position + bits) // 8, "little")
