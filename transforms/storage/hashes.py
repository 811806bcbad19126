"""Hashes of files, and digests, which name the hash that they are of.

A digest is the name of a hash, a colon and hexadecimal digits, ``blake3:af1349b9…``, as
container images have it (source: OCI image specification, descriptors). So what is read
back can be compared whatever the build chose. BLAKE3 is the default: SHA-256 takes
three times as long on a processor with instructions for it, and nine times without
(docs/performance.md).
"""

import hashlib
import re
from typing import BinaryIO, Final, Literal, Protocol, get_args

from blake3 import blake3

from transforms.storage.backend import Buffer

# What a build can be asked for.
Checksum = Literal["blake3", "sha256"]
CHECKSUMS: Final[tuple[Checksum, ...]] = get_args(Checksum)
CHECKSUM: Final[Checksum] = "blake3"

_PIECE: Final = 1 << 20  # bytes read at a time
_DIGEST: Final = re.compile(rf"({'|'.join(CHECKSUMS)}):[0-9a-f]{{64}}")


class Hash(Protocol):
    """A hash that bytes are added to."""

    def update(self, data: Buffer, /) -> object:
        """Adds bytes; other threads run meanwhile, unless they are few."""
        ...

    def hexdigest(self) -> str:
        """Returns the hash of all bytes so far, in hexadecimal digits."""
        ...


def new_hash(kind: str) -> Hash:
    """Returns a hash of nothing yet.

    Args:
        kind: ``blake3``, or a name that ``hashlib`` knows.
    """
    if kind == "blake3":
        return blake3()
    return hashlib.new(kind, usedforsecurity=False)


def hash_stream(file: BinaryIO, kind: str) -> str:
    """Returns a hash of all that is left in a file, in hexadecimal digits."""
    found = new_hash(kind)
    while piece := file.read(_PIECE):
        found.update(piece)
    return found.hexdigest()


def digest_of(kind: Checksum, digits: str) -> str:
    """Returns the digest with these hexadecimal digits."""
    return f"{kind}:{digits}"


def bytes_digest(data: bytes, kind: Checksum = CHECKSUM) -> str:
    """Returns the digest of bytes."""
    found = new_hash(kind)
    found.update(data)
    return digest_of(kind, found.hexdigest())


def checksum_of(digest: str) -> Checksum:
    """Returns which hash a digest is of.

    Raises:
        ValueError: It is not a digest of a hash that is known here.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError(
            f"a digest should be {' or '.join(CHECKSUMS)}, a colon and 64 hexadecimal "
            f"digits, not {digest!r}"
        )
    return next(kind for kind in CHECKSUMS if digest.startswith(f"{kind}:"))
