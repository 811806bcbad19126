"""Where the members of a tar lie, read from its headers alone.

``tarfile`` reads an archive front to back and keeps an object of 30 attributes for
each member. Here a million members are walked by offset: one 512-byte read each, the
bodies skipped, and nothing but name, offset and size kept. Each read needs the one
before it, so many tars are walked at once, a header of each at a time.

Understood: old V7 and ustar headers, GNU long names and base-256 sizes, PAX ``path``
and ``size`` records. Header checksums are verified. What readers of tars do not agree
on is refused, so that nobody else sees other members than these: global headers that
name members, two long names for one member, extended headers without a member. This
module does no I/O of its own; the caller passes a function that reads ranges.

The format is described in POSIX.1-2001 (pax) and in the GNU tar manual, "Basic Tar
Format".
"""

import zlib
from collections.abc import Callable, Generator, Sequence
from typing import Final, NamedTuple

from transforms.errors import printable

BLOCK: Final = 512  # bytes
_ZERO_BLOCK: Final = bytes(BLOCK)
_LONGEST_EXTENSION: Final = 1 << 20  # bytes; real long names need a few hundred
_MOST_EXTENSIONS: Final = 16  # headers before one member; real archives have up to four
_LONGEST_NUMBER: Final = 19  # decimal digits; more do not fit 64 bits

_NUL: Final = 0
_OCTAL: Final = b"01234567"
_REGULAR: Final = frozenset(b"0\x007")
_LINKS: Final = frozenset(b"12")
_DIRECTORIES: Final = frozenset(b"5")
_SPECIAL: Final = frozenset(b"346V")  # devices, pipes, a volume's label
_VOLUME: Final = ord("V")
_LONG_NAME: Final = ord("L")
_LONG_LINK: Final = ord("K")
_PAX: Final = frozenset(b"xX")
_GLOBAL_PAX: Final = ord("g")
_EXTENDED: Final = _PAX | {_LONG_NAME, _LONG_LINK, _GLOBAL_PAX}
_UNSUPPORTED: Final = {ord("S"): "a GNU sparse file", ord("M"): "a multi-volume part"}

COMPRESSIONS: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


Range = tuple[int, int]  # offset and size, in bytes


class TarMember(NamedTuple):
    """One member; a tuple, because a million are made.

    Attributes:
        name: Path as the archive has it.
        offset: Where its bytes begin, in the file that holds the archive.
        size: Its length in bytes.
        kind: ``file``, ``directory``, ``link`` or ``special``.
    """

    name: str
    offset: int
    size: int
    kind: str


class TarFormatError(Exception):
    """A range does not hold a well-formed tar.

    Attributes:
        offset: Where in the file the fault was found.
        reason: What is wrong there.
        member: The last member before the fault, or an empty string.
    """

    def __init__(self, offset: int, reason: str, member: str = "") -> None:
        """Keeps what the caller needs for a message that names the file."""
        super().__init__(offset, reason, member)
        self.offset = offset
        self.reason = reason
        self.member = member


def walk_tars(
    read_many: Callable[[Sequence[Range]], list[bytes]], tars: Sequence[Range]
) -> list[list[TarMember]]:
    """Returns the members of tars that lie in ranges of one file.

    Args:
        read_many: Returns exactly the bytes of each range; asked for one header of
            every tar at a time.
        tars: Offset and size of each tar.

    Returns:
        Every tar's members in archive order, directories and links included.

    Raises:
        TarFormatError: A header is corrupt, a member or the end-of-archive block is
            cut off, or a kind of member is met that can't be read in place.
    """
    walks = [_walk(offset, offset + size) for offset, size in tars]
    found: list[list[TarMember]] = [[] for _ in walks]
    waiting = [(i, walk, next(walk)) for i, walk in enumerate(walks)]
    while waiting:
        blocks = read_many([wanted for _, _, wanted in waiting])
        advanced = []
        for (i, walk, _), block in zip(waiting, blocks, strict=True):
            try:
                advanced.append((i, walk, walk.send(block)))
            except StopIteration as end:
                found[i] = end.value
        waiting = advanced
    return found


def _walk(start: int, end: int) -> Generator[Range, bytes, list[TarMember]]:
    """Yields the ranges to read, is sent their bytes, and returns the members."""
    members: list[TarMember] = []
    position = start
    previous = ""
    extension = _NO_EXTENSION
    while True:
        if position + BLOCK > end:
            raise TarFormatError(
                min(position, end), "it ends without an end-of-archive block", previous
            )
        header = yield position, BLOCK
        if not header[0] and header == _ZERO_BLOCK:
            if extension.headers:
                raise TarFormatError(
                    position, "an extended header without a member", previous
                )
            return members
        if not _checksum_matches(header):
            raise TarFormatError(position, _corrupt_reason(header), previous)
        kind = header[156]
        body = position + BLOCK
        try:
            size = _size(header)
        except ValueError:
            raise TarFormatError(
                position, f"its size field reads {header[124:136]!r}", previous
            ) from None
        if extension.size is not None and kind not in _EXTENDED:
            size = extension.size

        if kind in _REGULAR:
            name = extension.name or _name(header)
            if body + size > end:
                raise TarFormatError(
                    position,
                    f"{printable(name)} needs {size:,} bytes and only "
                    f"{max(end - body, 0):,} are there",
                    previous,
                )
            directory = False
            if kind == _NUL:  # V7 marks a directory by a slash
                directory = name.endswith("/")
                if directory != header[:100].partition(b"\0")[0].endswith(b"/"):
                    raise TarFormatError(
                        position,
                        "a file by one of its names, a directory by the other",
                        previous,
                    )
            if directory:
                size = 0
            kind_name = "directory" if directory else "file"
            members.append(TarMember(name, body, size, kind_name))
        elif kind in _LINKS or kind in _DIRECTORIES or kind in _SPECIAL:
            if size and kind == _VOLUME:
                raise TarFormatError(position, "a volume's label with a body", previous)
            name = extension.name or _name(header)
            size = 0  # whatever the field says, these have no body
            members.append(TarMember(name, body, size, _kind_of(kind)))
        elif kind in _EXTENDED:
            if size > _LONGEST_EXTENSION or body + _padded(size) > end:
                raise TarFormatError(
                    position, f"an extended header of {size:,} bytes", previous
                )
            # With a byte of what fills the block: some read on to the first NUL.
            data = yield body, min(size + 1, _padded(size))
            try:
                if data[size:] not in (b"", b"\0") and b"\0" not in data:
                    raise ValueError("an extended header that does not end")
                extension = _extend(extension, kind, data[:size])
            except ValueError as error:
                raise TarFormatError(position, str(error), previous) from None
            position = body + _padded(size)
            continue
        else:
            what = _UNSUPPORTED.get(kind, f"a member of unknown type {chr(kind)!r}")
            raise TarFormatError(position, f"{what}, which is not supported", previous)
        previous = name
        extension = _NO_EXTENSION
        position = body + _padded(size)


class _Extension(NamedTuple):
    """What extended headers say of the member that follows them, and their number."""

    name: str
    size: int | None
    headers: int


_NO_EXTENSION: Final = _Extension("", None, 0)


def _extend(extension: _Extension, kind: int, data: bytes) -> _Extension:
    """Returns what is known with one more header; ValueError says what is wrong."""
    extension = extension._replace(headers=extension.headers + 1)
    if extension.headers > _MOST_EXTENSIONS:
        raise ValueError(f"more than {_MOST_EXTENSIONS} extended headers in a row")
    if kind == _LONG_LINK:
        return extension  # a link's target: nothing about where bytes lie
    if kind == _LONG_NAME:
        return _with_name(extension, data.partition(b"\0")[0])
    records = _pax_records(data)
    if any(key.startswith("GNU.sparse.") for key in records):
        raise ValueError("a sparse file, which is not supported")
    if kind == _GLOBAL_PAX:
        if not records.keys().isdisjoint({"path", "size"}):
            raise ValueError("a global header that names members, or gives their size")
        return extension  # a comment
    if "path" in records:
        extension = _with_name(extension, records["path"])
    if "size" in records:
        extension = _with_size(extension, records["size"])
    return extension


def _with_name(extension: _Extension, name: bytes) -> _Extension:
    decoded = _decode(name)
    if not name or b"\0" in name:
        raise ValueError(f"the long name {decoded[:40]!r}, which no file can have")
    if extension.name not in ("", decoded):
        raise ValueError("two long names for one member")
    return extension._replace(name=decoded)


def _with_size(extension: _Extension, digits: bytes) -> _Extension:
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a PAX size of {digits[:40]!r}")
    if extension.size not in (None, int(digits)):
        raise ValueError("two PAX sizes for one member")
    return extension._replace(size=int(digits))


def _pax_records(data: bytes) -> dict[str, bytes]:
    """Returns the ``length key=value`` records of a PAX header's body."""
    records = {}
    at = 0
    while at < len(data) and data[at] != _NUL:
        length, space, _ = data[at : at + 20].partition(b" ")
        if not space or not length.isdigit():
            raise ValueError("a malformed PAX record")
        record = data[at + len(length) + 1 : at + int(length)]
        key, equals, value = record.partition(b"=")
        whole = record[-1:] == b"\n" and at + int(length) <= len(data)
        if not key or not equals or not whole:
            raise ValueError("a malformed PAX record")
        records[_decode(key)] = value[:-1]
        at += int(length)
    return records


def _checksum_matches(header: bytes) -> bool:
    """Returns whether a header's bytes add up to the sum it states.

    The low half of Adler-32 is the byte sum, in which 256 bytes can't overflow, and
    six times as fast as ``sum``. The field itself counts as eight spaces.
    """
    try:
        stated = _octal(header[148:156])
    except ValueError:
        return False
    total = (zlib.adler32(header[:256]) & 0xFFFF) + (
        zlib.adler32(header[256:]) & 0xFFFF
    )
    field = sum(header[148:156]) - 8 * 32
    if total - 2 - field == stated:
        return True
    # Some old writers summed signed bytes.
    signed = sum(byte - 256 if byte > 127 else byte for byte in header)
    return signed - field == stated


def _corrupt_reason(header: bytes) -> str:
    for magic, name in COMPRESSIONS.items():
        if header.startswith(magic):
            return f"it is compressed with {name}"
    return "the header's checksum is wrong"


def _size(header: bytes) -> int:
    """Returns the size field's value; octal, or base-256 where the top bit is set."""
    field = header[124:136]
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return _octal(field)


def _octal(field: bytes) -> int:
    """Returns a field's number; ``int`` alone would take signs and underscores too."""
    digits = field.partition(b"\0")[0].strip(b" ")
    if digits.strip(_OCTAL):
        raise ValueError("no octal number")
    return int(digits or b"0", 8)


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    # Only POSIX's magic makes this field a prefix; GNU keeps times there.
    if header[345] and header[257:263] == b"ustar\0":
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    return _decode(name)


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _kind_of(kind: int) -> str:
    if kind in _LINKS:
        return "link"
    return "directory" if kind in _DIRECTORIES else "special"


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK
