"""The members of one tar, by its chain of headers.

Understood: old V7 and ustar headers, GNU long names and base-256 sizes, PAX ``path``,
``linkpath`` and ``size`` records. Header checksums are verified. What readers of tars
do not agree on is refused, so that nobody else sees other members than these: global
headers that name members, two long names for one member, extended headers without a
member, links and devices with a size, anything but zeros after the end.
"""

from collections.abc import Generator
from typing import Final, NamedTuple

from transforms.archives.tar.header import (
    BLOCK,
    RECORD,
    ZERO_BLOCK,
    Range,
    TarFormatError,
    checksum_matches,
    corrupt_reason,
    decode,
    name_of,
    own_name,
    padded,
    pax_records,
    size_of,
    target_of,
)
from transforms.errors import printable

_LONGEST_EXTENSION: Final = 1 << 20  # bytes; real long names need a few hundred
_MOST_EXTENSIONS: Final = 16  # headers before one member; real archives have up to four
_LONGEST_NUMBER: Final = 19  # decimal digits; more do not fit 64 bits

_NUL: Final = 0
_REGULAR: Final = frozenset(b"0\x007")
_DIRECTORY: Final = ord("5")
_LONG_NAME: Final = ord("L")
_LONG_LINK: Final = ord("K")
_PAX: Final = frozenset(b"xX")
_GLOBAL_PAX: Final = ord("g")
_EXTENDED: Final = _PAX | {_LONG_NAME, _LONG_LINK, _GLOBAL_PAX}
_UNSUPPORTED: Final = {ord("S"): "a GNU sparse file", ord("M"): "a multi-volume part"}
_WITHOUT_BODY: Final = {
    ord("1"): "a hard link",
    ord("2"): "a symbolic link",
    ord("3"): "a character device",
    ord("4"): "a block device",
    ord("6"): "a FIFO",
    ord("V"): "a volume's label",
}
_KINDS: Final = {ord("1"): "hard link", ord("2"): "symbolic link"}


class TarMember(NamedTuple):
    """One member; a tuple, because a million are made.

    Attributes:
        name: Path as the archive has it.
        offset: Where its bytes begin, in the file that holds the archive.
        size: Its length in bytes.
        kind: ``file``, ``directory``, ``hard link``, ``symbolic link`` or ``special``.
        target: What a link leads to, as the archive has it.
    """

    name: str
    offset: int
    size: int
    kind: str
    target: str = ""


class Walked(NamedTuple):
    """The members, where the end-of-archive block is, and what was read from there."""

    members: list[TarMember]
    mark: int
    known: bytes


def walk_members(
    start: int, end: int, members: list[TarMember]
) -> Generator[Range, bytes, Walked]:
    """Yields the ranges to read, is sent their bytes, and lists the members."""
    position = start
    previous = ""
    extension = _NO_EXTENSION
    while True:
        left = end - position
        if left < BLOCK:
            if not left and members and not extension.headers:
                return Walked(members, end, b"")
            raise TarFormatError(
                min(position, end), "it ends without an end-of-archive block", previous
            )
        # The last header is most often the end-of-archive block; all that follows it
        # is read along, and needs no request of its own.
        block = yield position, BLOCK if left > RECORD else left
        header = block[:BLOCK]
        if not header[0] and header == ZERO_BLOCK:
            if extension.headers:
                raise TarFormatError(
                    position, "an extended header without a member", previous
                )
            return Walked(members, position, block)
        body = position + BLOCK
        try:
            if not checksum_matches(header):
                raise ValueError(corrupt_reason(header))
            size = size_of(header)
            if header[156] in _EXTENDED:
                if size > _LONGEST_EXTENSION or body + padded(size) > end:
                    raise ValueError(f"an extended header of {size:,} bytes")
                # With a byte of what fills the block: some read on to the first NUL.
                data = yield body, min(size + 1, padded(size))
                if data[size:] not in (b"", b"\0") and b"\0" not in data:
                    raise ValueError("an extended header that does not end")
                extension = _extend(extension, header[156], data[:size])
                position = body + padded(size)
                continue
            member = _member(header, body, end, size, extension)
        except ValueError as error:
            raise TarFormatError(position, str(error), previous) from None
        members.append(member)
        previous = member.name
        extension = _NO_EXTENSION
        position = body + padded(member.size)


class _Extension(NamedTuple):
    """What extended headers say of the member that follows them, and their number."""

    name: str
    target: str
    size: int | None
    headers: int


_NO_EXTENSION: Final = _Extension("", "", None, 0)


def _member(
    header: bytes, body: int, end: int, size: int, extension: _Extension
) -> TarMember:
    """Returns a header's member; ValueError says what is wrong with it."""
    kind = header[156]
    if extension.size is not None:
        size = extension.size
    if kind in _REGULAR:
        name = extension.name or name_of(header)
        if body + size > end:
            raise ValueError(
                f"{printable(name)} needs {size:,} bytes and only "
                f"{max(end - body, 0):,} are there"
            )
        if kind == _NUL and _is_directory(header, name):
            return TarMember(name, body, 0, "directory")
        return TarMember(name, body, size, "file")
    if kind == _DIRECTORY:  # a size is what to reserve for it, and no body follows
        return TarMember(extension.name or name_of(header), body, 0, "directory")
    what = _WITHOUT_BODY.get(kind)
    if what is None:
        unknown = _UNSUPPORTED.get(kind, f"a member of unknown type {chr(kind)!r}")
        raise ValueError(f"{unknown}, which is not supported")
    name = extension.name or name_of(header)
    if size:
        raise ValueError(
            f"{printable(name)} is {what} and states a size of {size:,} bytes: readers "
            "of tars do not agree whether they follow"
        )
    kind_name = _KINDS.get(kind, "special")
    target = extension.target or target_of(header) if kind in _KINDS else ""
    return TarMember(name, body, 0, kind_name, target)


def _is_directory(header: bytes, name: str) -> bool:
    """Returns whether a V7 header is of a directory, which it marks by a slash."""
    directory = name.endswith("/")
    if directory != own_name(header).endswith(b"/"):
        raise ValueError("a file by one of its names, a directory by the other")
    return directory


def _extend(extension: _Extension, kind: int, data: bytes) -> _Extension:
    """Returns what is known with one more header; ValueError says what is wrong."""
    extension = extension._replace(headers=extension.headers + 1)
    if extension.headers > _MOST_EXTENSIONS:
        raise ValueError(f"more than {_MOST_EXTENSIONS} extended headers in a row")
    if kind == _LONG_LINK:
        return _with_target(extension, data.partition(b"\0")[0])
    if kind == _LONG_NAME:
        return _with_name(extension, data.partition(b"\0")[0])
    records = pax_records(data)
    if any(key.startswith("GNU.sparse.") for key in records):
        raise ValueError("a sparse file, which is not supported")
    if kind == _GLOBAL_PAX:
        if not records.keys().isdisjoint({"path", "linkpath", "size"}):
            raise ValueError("a global header that names members, or gives their size")
        return extension  # a comment
    if "path" in records:
        extension = _with_name(extension, records["path"])
    if "linkpath" in records:
        extension = _with_target(extension, records["linkpath"])
    if "size" in records:
        extension = _with_size(extension, records["size"])
    return extension


def _with_name(extension: _Extension, name: bytes) -> _Extension:
    decoded = _long(name)
    if extension.name not in ("", decoded):
        raise ValueError("two long names for one member")
    return extension._replace(name=decoded)


def _with_target(extension: _Extension, target: bytes) -> _Extension:
    decoded = _long(target)
    if extension.target not in ("", decoded):
        raise ValueError("two targets for one link")
    return extension._replace(target=decoded)


def _long(name: bytes) -> str:
    decoded = decode(name)
    if not name or b"\0" in name:
        raise ValueError(f"the long name {decoded[:40]!r}, which no file can have")
    return decoded


def _with_size(extension: _Extension, digits: bytes) -> _Extension:
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a PAX size of {digits[:40]!r}")
    if extension.size not in (None, int(digits)):
        raise ValueError("two PAX sizes for one member")
    return extension._replace(size=int(digits))
