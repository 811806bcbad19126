"""What is stored beside pixels, whatever the encoding: EXIF, XMP, a colour profile.

How a file holds these is in ``transforms.jpeg_metadata`` and in
``transforms.png_metadata``. Here is what they say of the orientation, and how much of
them an encoding can hold.

Sources: EXIF 2.32 section 4.6 and TIFF 6.0 section 2 for EXIF; Adobe's XMP
specification, part 1 section 7 for the two forms of a property, part 2 section 1.2.7
for ``tiff:Orientation``, part 3 section 1.1 for UTF-8.
"""

import re
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Literal, Self

Kind = Literal["exif", "xmp", "icc"]
KINDS: Final[tuple[Kind, ...]] = ("exif", "xmp", "icc")

_ORIENTATION: Final = 0x0112
_NUMBERS: Final = {3: "H", 4: "I"}  # EXIF's kinds of whole numbers: 16 bits, 32 bits

_TIFF_PREFIX: Final = re.compile(
    rb"xmlns:([\w.-]+)\s*=\s*[\"']http://ns\.adobe\.com/tiff/1\.0/[\"']"
)
_MOST_PREFIXES: Final = 8  # real XMP has one

# The most bytes of EXIF, of XMP and of a profile that an encoding holds.
_MOST_BYTES: Final = {
    # A segment has 65,533 bytes after its length, less its name; a profile may
    # take 255 segments.
    "jpeg": (65_533 - 6, 65_533 - 29, 255 * (65_533 - 14)),
    # Pillow opens no PNG whose profile has a MiB, and libpng takes no chunk of 8 MB.
    "png": ((1 << 20) - 1,) * 3,
    "webp": (1 << 30,) * 3,
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is stored beside the pixels; empty where there is none.

    Attributes:
        exif: EXIF, which begins with its byte order.
        xmp: An XMP packet.
        icc: A colour profile.
        lost: The kinds of which the image has more than is here: a second one, XMP's
            extension, or one that can't be read or held.
    """

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    lost: frozenset[Kind] = frozenset()

    def without(self, kinds: Collection[Kind]) -> Self:
        """Returns metadata without some kinds, which do not count as lost either."""
        return replace(
            self,
            exif=b"" if "exif" in kinds else self.exif,
            xmp=b"" if "xmp" in kinds else self.xmp,
            icc=b"" if "icc" in kinds else self.icc,
            lost=self.lost.difference(kinds),
        )


def fit_metadata(metadata: Metadata, encoding: str) -> Metadata:
    """Returns what an encoding can hold of metadata; ``lost`` says if that is less.

    XMP has to be UTF-8, as JPEG, PNG and WebP require.

    Args:
        metadata: Those of an image.
        encoding: ``jpeg``, ``png`` or ``webp``.
    """
    xmp = metadata.xmp.rstrip(b"\0")  # some writers end it so
    bounds = _MOST_BYTES[encoding]
    sizes = (len(metadata.exif), len(xmp), len(metadata.icc))
    sized = zip(KINDS, sizes, bounds, strict=True)
    lost = {kind for kind, size, bound in sized if size > bound}
    if b"\0" in xmp or not _is_utf8(xmp):
        lost.add("xmp")
    fitting = replace(metadata, xmp=xmp).without(lost)
    return replace(fitting, lost=metadata.lost | lost)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_orientation(exif: bytes) -> int:
    """Returns the orientation that EXIF asks for, 1 to 8; 1 changes nothing."""
    return next((v for v, _ in _in_exif(exif) if 1 <= v <= 8), 1)


def without_orientation(exif: bytes) -> bytes:
    """Returns EXIF that asks for no orientation, of the same length."""
    places = [place for value, place in _in_exif(exif) if 2 <= value <= 8]
    return _with_bytes(exif, places, b"\x01")


def decide_orientation(metadata: Metadata) -> int | None:
    """Returns the orientation that an image asks for, 1 to 8; None where it asks none.

    EXIF decides; where it does not mention an orientation XMP does, as in Pillow.
    """
    if any(True for _ in _in_exif(metadata.exif)):
        return read_orientation(metadata.exif)
    return next((value for value, _ in _in_xmp(metadata.xmp)), None)


def with_xmp_orientation(xmp: bytes, orientation: int) -> bytes:
    """Returns XMP of the same length, with another orientation if it has one."""
    places = [place for _, place in _in_xmp(xmp)]
    return _with_bytes(xmp, places, b"%d" % orientation)


def without_orientations(metadata: Metadata) -> Metadata:
    """Returns metadata that asks for no orientation."""
    exif = without_orientation(metadata.exif)
    return replace(metadata, exif=exif, xmp=with_xmp_orientation(metadata.xmp, 1))


def _in_exif(exif: bytes) -> Iterator[tuple[int, int]]:
    """Yields each orientation in EXIF, and where the low byte of its number stands."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return
    (at,) = struct.unpack_from(order + "I", exif, 4)
    if at + 2 > len(exif):
        return
    (count,) = struct.unpack_from(order + "H", exif, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", exif, entry)
        if tag == _ORIENTATION and kind in _NUMBERS:
            code = order + _NUMBERS[kind]
            (value,) = struct.unpack_from(code, exif, entry + 8)
            high = struct.calcsize(code) - 1 if order == ">" else 0
            yield value, entry + 8 + high


def _in_xmp(xmp: bytes) -> Iterator[tuple[int, int]]:
    """Yields each orientation in XMP, and where its digit stands.

    The text is searched, not parsed: XML of unknown origin is given to no parser.
    """
    if b":Orientation" not in xmp:
        return
    bound = (match[1] for match in _TIFF_PREFIX.finditer(xmp))
    prefixes = {b"tiff", *islice(bound, _MOST_PREFIXES)}
    name = b"(?:%s):Orientation" % b"|".join(map(re.escape, sorted(prefixes)))
    attribute = rb"\s%s\s*=\s*[\"']\s*([1-8])\s*[\"']" % name
    element = rb"<%s(?:\s[^<>]*)?>\s*(?:<rdf:value>\s*)?([1-8])\s*<" % name
    for match in re.finditer(rb"%s|%s" % (attribute, element), xmp):
        place = match.start(match.lastindex or 0)
        yield xmp[place] - ord("0"), place


def _with_bytes(data: bytes, places: list[int], value: bytes) -> bytes:
    changed = bytearray(data)
    for place in places:
        changed[place : place + 1] = value
    return bytes(changed) if places else data
