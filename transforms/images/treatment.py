"""Looks at an image, and does to it what the policy says.

JPEGs and PNGs are accepted, which ILSVRC2012's archives hold; everything else is
rejected as of the wrong kind. Unless the policy decodes, only headers, a PNG's
checksums and the end are looked at: an image is rejected for what headers say, for a
wrong checksum, or for ending before its first pixel; one that ends later is kept, with
a warning. Bytes after an image's end are kept.

What is decoded is rejected if Pillow in its default settings refuses to load it, and so
are a few kinds that Pillow loads and other decoders refuse: lossless JPEGs, PNGs with a
wrong checksum, without a header in front, or without the palette that they need.

``repair``: the training archive has 22 CMYK JPEGs and one PNG, all named ``.JPEG``.
They become RGB JPEGs with the same bytes as in TFDS, without metadata. TFDS knows them
by name; here their first bytes decide, so that an archive that was packed again, or
another dataset, is repaired too. How TFDS converts (``core/utils/image_utils.py``), and
how the same bytes are made here:

*   CMYK: TensorFlow decodes with libjpeg's fast integer DCT and multiplies each of the
    stored, inverted C, M and Y by K, over 255. TurboJPEG with ``fastdct`` gives those
    values. It refuses some samplings of CMYK; Pillow decodes those, with the accurate
    DCT, which differs from TensorFlow's by less than one level on average, 13 at most.
*   PNG: eight bits a channel, grey made RGB, alpha dropped.
*   Both are saved as Pillow saves at quality 100 with 300 dpi.

``resize`` keeps the pixels of JPEGs that already have the size, the orientation and the
colours that they should have, if JPEG is the encoding: encoding again loses detail.
"""

import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from transforms.images import codecs, jpeg, jpeg_metadata, png, png_metadata, resizing
from transforms.images.header import Header, read_header, read_jpeg
from transforms.images.inspection import Jpeg, Png, inspect_image, require_pixels
from transforms.images.metadata import (
    Kind,
    Metadata,
    decide_orientation,
    fit_metadata,
    without_orientations,
)
from transforms.images.policy import ImagePolicy, RejectedImage
from transforms.images.resizing import Fit, Pixels

Repair = Literal["cmyk", "png"]

_UNSTRIPPABLE: Final = "its metadata can't be cut out: "


@dataclass(frozen=True, slots=True)
class Treated:
    """An image as it is written.

    Attributes:
        data: Its bytes.
        header: Their header.
        repaired: What it was repaired for, under ``repair``.
        warnings: Codes out of ``codecs.WARNINGS``. Where nothing was decoded, that the
            end is missing is the only one.
    """

    data: bytes
    header: Header
    repaired: Repair | None
    warnings: tuple[str, ...]


def treat_image(data: bytes, policy: ImagePolicy) -> Treated:
    """Returns what is written for an image.

    Raises:
        RejectedImage: It cannot be made what the policy asks for. Nothing else is
            raised for any bytes.
    """
    source = inspect_image(data, policy)
    repair = _repair_of(source)
    if policy.policy == "repair" and repair:
        repaired, warnings = _as_tfds_saves(source)
        return Treated(repaired, read_header(repaired), repair, warnings)
    if policy.encodes:
        orientation = _orientation(source, policy)
        fit = _fit(_size(source, orientation), policy)
        if not _is_fine(source, orientation, fit, policy):
            return _encode_again(source, orientation, fit, policy)
    check = _check if policy.check == "decode" else _look_at_end
    stripped = _strip(source, policy)
    return Treated(stripped, _header(source, stripped), None, check(source))


def _header(source: Jpeg | Png, data: bytes) -> Header:
    """Returns the header of what is left of an image, which may be all of it."""
    if isinstance(source, Jpeg) and data is source.data:
        return read_jpeg(data, source.segments)
    return read_header(data)


def _repair_of(source: Jpeg | Png) -> Repair | None:
    if isinstance(source, Png):
        return "png"
    return "cmyk" if source.frame.components == 4 else None


def _decode(source: Jpeg | Png, scale: int) -> tuple[Pixels, tuple[str, ...]]:
    if isinstance(source, Png):
        return codecs.decode_png(source.data, source.chunks, source.frame), ()
    return codecs.decode_jpeg(source.data, source.segments, source.frame, scale)


def _check(source: Jpeg | Png) -> tuple[str, ...]:
    """Returns what decoders warn of in an image that is handed on.

    Raises:
        RejectedImage: Pillow would refuse to load it.
    """
    if isinstance(source, Png):
        return codecs.check_png(source.data, source.chunks)
    return codecs.check_jpeg(source.data, source.frame)


def _look_at_end(source: Jpeg | Png) -> tuple[str, ...]:
    """Returns a warning if an image has no end, without decoding it."""
    if isinstance(source, Png):
        return codecs.missing_end(png.is_ended(source.chunks))
    # Coded pixels can't hold what marks an end; what stands before them can.
    pixels = source.segments[-1][3]
    return codecs.missing_end(source.data.rfind(jpeg.END, pixels) >= 0)


def _as_tfds_saves(source: Jpeg | Png) -> tuple[bytes, tuple[str, ...]]:
    pixels, warnings = _decode(source, 1)
    image = codecs.to_pillow(codecs.to_rgb(pixels))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=100, dpi=(300, 300))
    return encoded.getvalue(), warnings


def _strip(source: Jpeg | Png, policy: ImagePolicy) -> bytes:
    kinds = policy.stripped
    if not kinds:
        return source.data
    if isinstance(source, Png):
        return _strip_png(source, kinds)
    try:
        cut = jpeg_metadata.cut_metadata(source.data, source.segments, kinds)
    except ValueError as error:
        raise RejectedImage("unstrippable", f"{_UNSTRIPPABLE}{error}") from error
    if jpeg.read_coded(cut) != jpeg.read_coded(source.data):
        raise RejectedImage("unstrippable", f"{_UNSTRIPPABLE}it would look different")
    return cut


def _strip_png(source: Png, kinds: Collection[Kind]) -> bytes:
    if not png.is_ended(source.chunks):
        raise RejectedImage(
            "unstrippable", f"{_UNSTRIPPABLE}its chunks do not lead to its end"
        )
    cut = png_metadata.cut_metadata(source.data, source.chunks, kinds)
    pixels = png.only_pixels(source.data, source.chunks)
    if png.only_pixels(cut, png.read_chunks(cut)) != pixels:
        raise RejectedImage("unstrippable", f"{_UNSTRIPPABLE}it would look different")
    return cut


def _orientation(source: Jpeg | Png, policy: ImagePolicy) -> int:
    """Returns the orientation to apply; 1 is the one that changes nothing."""
    if policy.orientation == "keep":
        return 1
    return decide_orientation(_read_metadata(source)) or 1


def _read_metadata(source: Jpeg | Png) -> Metadata:
    if isinstance(source, Png):
        return png_metadata.read_metadata(source.data, source.chunks)
    return jpeg_metadata.read_metadata(source.data, source.segments)


def _size(source: Jpeg | Png, orientation: int) -> tuple[int, int]:
    """Returns width and height as they are once an orientation is applied."""
    frame = source.frame
    if orientation > 4:
        return frame.height, frame.width
    return frame.width, frame.height


def _fit(size: tuple[int, int], policy: ImagePolicy) -> Fit:
    """Returns what becomes of the size.

    Raises:
        RejectedImage: It becomes larger than a bound or the encoding allows.
    """
    fit = resizing.fit_size(*size, policy)
    most = codecs.MOST_PIXELS_A_SIDE[policy.encoding]
    if max(fit.size) > most:
        raise RejectedImage(
            "unencodable",
            f"it would get {max(fit.size):,} pixels a side, and {policy.encoding} "
            f"allows {most:,}",
        )
    require_pixels(*fit.resized, policy, "it would get")
    return fit


def _is_fine(
    source: Jpeg | Png, orientation: int, fit: Fit, policy: ImagePolicy
) -> bool:
    """Returns whether ``resize`` has nothing to do."""
    size = _size(source, orientation)
    return (
        policy.policy == "resize"
        and policy.encoding == "jpeg"
        and isinstance(source, Jpeg)
        and source.frame.components in ((1, 3) if policy.colour == "keep" else (3,))
        and orientation == 1
        and fit == Fit(size, size)
    )


def _encode_again(
    source: Jpeg | Png, orientation: int, fit: Fit, policy: ImagePolicy
) -> Treated:
    width, height = _size(source, orientation)
    scale = 1
    # What is turned may begin with the pixels in part that a scale leaves at the end.
    if isinstance(source, Jpeg) and source.frame.components < 4 and orientation == 1:
        scale = resizing.decode_scale(width, height, fit)
    pixels, warnings = _decode(source, scale)
    pixels = resizing.turn_image(codecs.convert_colours(pixels, policy), orientation)
    size = width / scale, height / scale
    pixels = resizing.resize_image(pixels, size, fit, policy)
    metadata = _kept_metadata(source, policy, grey=pixels.shape[2] < 3)
    warnings += ("metadata_dropped",) if metadata.lost else ()
    try:
        encoded = codecs.encode_image(pixels, policy, metadata)
    except (ValueError, OSError) as error:
        raise RejectedImage("unencodable", f"it can't be encoded: {error}") from error
    return Treated(encoded, read_header(encoded), None, warnings)


def _kept_metadata(source: Jpeg | Png, policy: ImagePolicy, *, grey: bool) -> Metadata:
    """Returns the metadata of an image that is encoded again."""
    found = _read_metadata(source)
    if policy.orientation == "apply":
        found = without_orientations(found)
    # A profile of CMYK says nothing of the RGB that was made of it.
    if found.icc[16:20] != (b"GRAY" if grey else b"RGB "):
        found = found.without({"icc"})
    return fit_metadata(found.without(policy.stripped), policy.encoding)
