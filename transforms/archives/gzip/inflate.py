"""A gzip file, decompressed from front to back and checked as gzip(1) does.

A gzip file is a sequence of members, each with a header, a deflate stream, a CRC-32 and
a length (RFC 1952); ``cat`` makes several of one. Zeros after the last member are what
fills a block of a tape, and gzip(1) accepts them. Anything else there it ignores with a
warning; here it is refused, for it may be what is left of a member.
"""

import zlib
from collections.abc import Iterator
from typing import Final, TypeAlias

from transforms.errors import ArchiveError
from transforms.storage import FileInfo, RangeReader

MAGIC: Final = b"\x1f\x8b"

_REQUEST: Final = 4 << 20  # bytes read at a time
_AHEAD: Final = 8  # requests announced
# Small, for zlib copies what it leaves of its input.
_FED: Final = 64 << 10  # bytes given to zlib at a time
_GZIP: Final = 31  # zlib's window bits for a gzip member with 32 KiB of window
Decoder: TypeAlias = "zlib._Decompress"


def left_of(decoder: Decoder) -> int:
    """Returns how many of the bytes last given to a decoder it did not take.

    At the end of a stream ``unconsumed_tail`` may repeat what ``unused_data`` has.
    """
    return len(decoder.unused_data if decoder.eof else decoder.unconsumed_tail)


class Inflation:
    """The decompressed bytes of a gzip file, in order.

    Attributes:
        end: Where the last member ends that has been read, in the file.
        held: Number of decompressed bytes held at the last step.
    """

    def __init__(self, file: FileInfo, reader: RangeReader) -> None:
        """Begins at the file's start.

        Args:
            file: The gzip file.
            reader: Reads its bytes.
        """
        self._file = file
        self._reader = reader
        self.end = 0
        self.held = 0

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yields decompressed bytes, ``size`` at a time, and the rest.

        Args:
            size: Number of bytes; no more than twice as many are held.

        Raises:
            ArchiveError: A member is damaged or cut off, or other bytes follow the
                last one.
            StorageError: The file can't be read.
        """
        held = bytearray()
        for piece in self._pieces(size):
            held += piece
            self.held = len(held)
            if len(held) >= size:
                yield bytes(held[:size])
                del held[:size]
        if held:
            yield bytes(held)

    def _pieces(self, most: int) -> Iterator[bytes]:
        """Yields what each step of zlib gives, at most ``most`` bytes."""
        decoder = None
        for offset, data in self._requests():
            view, at = memoryview(data), 0
            while at < len(data):
                if decoder is None:
                    if self.end and not data[at]:
                        self._require_zeros(offset + at, data[at:])
                        break
                    if data[at] != MAGIC[0]:
                        raise self._foreign(offset + at)
                    decoder = zlib.decompressobj(_GZIP)
                fed = view[at : at + _FED]
                yield self._step(decoder, fed, most, offset + at)
                at += len(fed) - left_of(decoder)
                if decoder.eof:
                    decoder, self.end = None, offset + at
        while decoder is not None:  # what zlib still has to give
            piece = self._step(decoder, memoryview(b""), most, self._file.size)
            if not piece and not decoder.eof:
                raise ArchiveError(
                    f"{self._file.uri} is cut off: its last gzip member, which begins "
                    f"at byte {self.end:,}, does not end at byte {self._file.size:,}. "
                    "Get the file again, whole."
                )
            yield piece
            if decoder.eof:
                decoder, self.end = None, self._file.size

    def _requests(self) -> Iterator[tuple[int, bytes]]:
        """Yields the file's bytes in order with their offset, the next announced."""
        size = self._file.size
        ranges = [(at, min(_REQUEST, size - at)) for at in range(0, size, _REQUEST)]
        if not ranges:
            raise ArchiveError(f"{self._file.uri} is empty, and no gzip file.")
        self._reader.prefetch(ranges[:_AHEAD])
        for number, (offset, length) in enumerate(ranges):
            self._reader.prefetch(ranges[number + _AHEAD : number + _AHEAD + 1])
            yield offset, self._reader.read(offset, length)

    def _step(self, decoder: Decoder, fed: memoryview, most: int, offset: int) -> bytes:
        try:
            return decoder.decompress(fed, most)
        except zlib.error as error:
            reason = str(error).rpartition(": ")[2]
            if reason == "incorrect header check":
                raise self._foreign(offset) from None
            raise ArchiveError(
                f"{self._file.uri} is damaged within the {len(fed):,} bytes from "
                f"{offset:,} or before them: {reason}, in the gzip member that begins "
                f"at byte {self.end:,}. Get the file again."
            ) from None

    def _require_zeros(self, offset: int, data: bytes) -> None:
        zeros = len(data) - len(data.lstrip(b"\0"))
        if zeros < len(data):
            raise self._foreign(offset + zeros)

    def _foreign(self, offset: int) -> ArchiveError:
        if not self.end:
            return ArchiveError(
                f"{self._file.uri} does not begin with a gzip member. Check which file "
                "it is."
            )
        return ArchiveError(
            f"{self._file.uri} has bytes at {offset:,} that belong to no gzip member: "
            f"the last one ends at byte {self.end:,}. They may be what is left of "
            "another one. Get the file again; if they are nothing, cut them off with "
            f"truncate --size={self.end} FILE."
        )
