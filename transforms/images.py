"""Looks at an image, and does to it what the policy says.

What is accepted is what ILSVRC2012's archives hold, JPEGs and PNGs; everything else is
rejected as of the wrong kind. Unless the policy decodes, only headers, a PNG's
checksums and the end are looked at: an image is rejected for what headers say, for a
wrong checksum, or for ending before its first pixel; one that ends later is kept, with
a warning. Bytes behind an image's end are left alone.

What is decoded is rejected if Pillow in its default settings refuses to load it, and so
are a few kinds that Pillow loads and other decoders refuse: lossless JPEGs, PNGs with a
wrong checksum, without a header in front, or without the palette that they need.

``repair``: the training archive has 22 CMYK JPEGs and one PNG, all named ``.JPEG``.
They become RGB JPEGs with the very bytes TFDS gives them, without metadata. TFDS knows
them by name; here their first bytes tell, so that an archive packed anew or another
dataset is repaired too. How TFDS converts (``core/utils/image_utils.py``), and what it
takes to do the same:

*   CMYK: TensorFlow decodes with libjpeg's fast integer DCT and multiplies each of the
    stored, inverted C, M and Y by K, over 255. TurboJPEG with ``fastdct`` gives those
    values. It refuses some samplings of CMYK; Pillow decodes those, with the accurate
    DCT, which differs from TensorFlow's by less than one level on average, 13 at most.
*   PNG: eight bits a channel, grey made RGB, alpha dropped.
*   Both are saved as Pillow saves at quality 100 with 300 dpi.

``resize`` leaves the pixels of JPEGs alone that have the size, the orientation and the
colours that they should have, if JPEG is the encoding: to encode them anew would lose.
"""

import io
from dataclasses import dataclass
from typing import Final, Literal

from transforms import codecs, jpeg, png, resizing
from transforms.jpeg import Metadata
from transforms.policy import ImagePolicy
from transforms.policy import RejectedImage as RejectedImage
from transforms.resizing import Fit, Pixels

Repair = Literal["cmyk", "png"]

_UNDECODABLE: Final = "it can't be decoded: "
_MOST_HEADER: Final = 1 << 23  # bytes before a JPEG's pixels
_ARITHMETIC_WEIGHT: Final = 8  # of a scan, in scans that are coded otherwise


@dataclass(frozen=True, slots=True)
class Treated:
    """An image as it is written.

    Attributes:
        data: Its bytes.
        repaired: What it was repaired for, under ``repair``.
        warnings: Codes out of ``codecs.WARNINGS``. Where nothing was decoded, that the
            end is missing is the only one.
    """

    data: bytes
    repaired: Repair | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Jpeg:
    data: bytes
    segments: list[jpeg.Segment]
    frame: jpeg.Frame


@dataclass(frozen=True, slots=True)
class _Png:
    data: bytes
    chunks: list[png.Chunk]
    frame: png.Header


def treat_image(data: bytes, policy: ImagePolicy) -> Treated:
    """Returns what is written for an image.

    Raises:
        RejectedImage: It can't be what the policy asks for; nothing else is raised,
            whatever the bytes.
    """
    source = _look_at(data, policy)
    repair = _repair_of(source)
    if policy.policy == "repair" and repair:
        repaired, warnings = _as_tfds_saves(source)
        return Treated(repaired, repair, warnings)
    if policy.policy in ("reencode", "resize"):
        orientation = _orientation(source, policy)
        fit = _fit(_size(source, orientation), policy)
        if not _is_fine(source, orientation, fit, policy):
            return _encode_anew(source, orientation, fit, policy)
    check = _check if policy.check == "decode" else _look_at_end
    return Treated(_strip(source, policy), None, check(source))


def needs_decoding(policy: ImagePolicy) -> bool:
    """Returns whether every image is decoded, or all but a few."""
    return policy.policy in ("reencode", "resize") or policy.check == "decode"


def _look_at(data: bytes, policy: ImagePolicy) -> _Jpeg | _Png:
    """Returns an image whose header is sound and within the bounds.

    Raises:
        RejectedImage: It is not.
    """
    if not data:
        raise RejectedImage("empty", "it has no bytes")
    if len(data) > policy.max_bytes:
        raise RejectedImage(
            "too_large", f"it has {len(data):,} bytes, more than {policy.max_bytes:,}"
        )
    source: _Jpeg | _Png
    if data.startswith(jpeg.START):
        source = _look_at_jpeg(data)
    elif data.startswith(png.SIGNATURE):
        source = _look_at_png(data)
    else:
        raise RejectedImage(
            "wrong_kind", f"it is neither a JPEG nor a PNG: it begins with {data[:8]!r}"
        )
    frame = source.frame
    if not frame.width or not frame.height:
        raise RejectedImage(
            "undecodable", f"{_UNDECODABLE}it has no width or no height"
        )
    _require_pixels(frame.width, frame.height, policy, "it has")
    if isinstance(source, _Jpeg):
        _require_scans(source, policy)
    elif (broken := png.find_broken(data, source.chunks)) is not None:
        raise RejectedImage(
            "undecodable",
            f"{_UNDECODABLE}the checksum of its {broken.decode('latin-1')} is wrong",
        )
    return source


def _look_at_jpeg(data: bytes) -> _Jpeg:
    segments = jpeg.read_segments(data)
    frame = jpeg.read_frame(data, segments)
    end = segments[-1][3] if segments else len(jpeg.START)
    scan = bool(segments) and segments[-1][0] == jpeg.SCAN
    if len(segments) == jpeg.MOST_SEGMENTS or end > _MOST_HEADER:
        raise RejectedImage(
            "undecodable",
            f"{_UNDECODABLE}its pixels begin behind {len(segments):,} segments, at "
            f"byte {end:,}; {jpeg.MOST_SEGMENTS:,} and {_MOST_HEADER:,} are allowed",
        )
    rest = data[end : end + 4]
    # Three bytes may be the beginning of another segment.
    if not rest or (not scan and len(rest) < 4 and jpeg.END not in rest):
        raise RejectedImage(
            "truncated", f"{_UNDECODABLE}it ends before its first pixel"
        )
    if not scan or frame is None:
        raise RejectedImage(
            "undecodable", f"{_UNDECODABLE}it is a JPEG without a picture"
        )
    if frame.lossless:
        raise RejectedImage("undecodable", f"{_UNDECODABLE}it is a lossless JPEG")
    if not frame.decodable or frame.bits != 8 or frame.components not in (1, 3, 4):
        raise RejectedImage(
            "undecodable",
            f"{_UNDECODABLE}it is a JPEG of a kind that decoders do not know, with "
            f"{frame.components} components of {frame.bits} bits",
        )
    return _Jpeg(data, segments, frame)


def _look_at_png(data: bytes) -> _Png:
    header = png.read_header(data)
    if header is None:
        reason = "truncated" if len(data) < 24 else "undecodable"
        raise RejectedImage(reason, f"{_UNDECODABLE}it is a PNG without a header")
    chunks = png.read_chunks(data)
    if len(chunks) == png.MOST_CHUNKS:
        raise RejectedImage(
            "undecodable", f"{_UNDECODABLE}it has {len(chunks):,} chunks, or more"
        )
    return _Png(data, chunks, header)


def _require_scans(source: _Jpeg, policy: ImagePolicy) -> None:
    frame = source.frame
    scans = jpeg.count_scans(source.data, source.segments, frame)
    if scans > policy.max_scans:
        raise RejectedImage(
            "too_many_scans", f"it has {scans:,} scans, more than {policy.max_scans:,}"
        )
    weight = _ARITHMETIC_WEIGHT if frame.arithmetic else 1
    together = scans * weight * frame.width * frame.height
    if together > policy.max_scan_pixels:
        raise RejectedImage(
            "too_many_scans",
            f"it has {scans:,}{' arithmetic' * frame.arithmetic} scans of "
            f"{frame.width:,} x {frame.height:,} pixels, which count as {together:,}, "
            f"more than {policy.max_scan_pixels:,}",
        )


def _require_pixels(width: int, height: int, policy: ImagePolicy, verb: str) -> None:
    if width * height > policy.max_pixels:
        raise RejectedImage(
            "too_many_pixels",
            f"{verb} {width:,} x {height:,} pixels, more than {policy.max_pixels:,}",
        )


def _repair_of(source: _Jpeg | _Png) -> Repair | None:
    if isinstance(source, _Png):
        return "png"
    return "cmyk" if source.frame.components == 4 else None


def _decode(source: _Jpeg | _Png, scale: int) -> tuple[Pixels, tuple[str, ...]]:
    if isinstance(source, _Png):
        return codecs.decode_png(source.data, source.chunks, source.frame), ()
    return codecs.decode_jpeg(source.data, source.segments, source.frame, scale)


def _check(source: _Jpeg | _Png) -> tuple[str, ...]:
    """Returns what decoders warn of in an image that is handed on.

    Raises:
        RejectedImage: Pillow would refuse to load it.
    """
    if isinstance(source, _Png):
        return codecs.check_png(source.data, source.chunks)
    return codecs.check_jpeg(source.data, source.frame)


def _look_at_end(source: _Jpeg | _Png) -> tuple[str, ...]:
    """Returns a warning if an image has no end, without decoding it."""
    if isinstance(source, _Png):
        return codecs.missing_end(png.is_ended(source.chunks))
    # Coded pixels can't hold what marks an end; what stands before them can.
    pixels = source.segments[-1][3]
    return codecs.missing_end(source.data.rfind(jpeg.END, pixels) >= 0)


def _as_tfds_saves(source: _Jpeg | _Png) -> tuple[bytes, tuple[str, ...]]:
    pixels, warnings = _decode(source, 1)
    image = codecs.to_pillow(codecs.to_rgb(pixels))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=100, dpi=(300, 300))
    return encoded.getvalue(), warnings


def _strip(source: _Jpeg | _Png, policy: ImagePolicy) -> bytes:
    kinds = policy.stripped
    if not kinds:
        return source.data
    if isinstance(source, _Png):
        return png.cut_metadata(source.data, source.chunks, kinds)
    return jpeg.cut_metadata(source.data, source.segments, kinds)


def _orientation(source: _Jpeg | _Png, policy: ImagePolicy) -> int:
    """Returns the orientation to apply; 1 is the one that changes nothing."""
    if policy.orientation == "keep":
        return 1
    return jpeg.read_orientation(_read_metadata(source).exif)


def _read_metadata(source: _Jpeg | _Png) -> Metadata:
    if isinstance(source, _Png):
        return png.read_metadata(source.data, source.chunks)
    return jpeg.read_metadata(source.data, source.segments)


def _size(source: _Jpeg | _Png, orientation: int) -> tuple[int, int]:
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
    _require_pixels(*fit.resized, policy, "it would get")
    return fit


def _is_fine(
    source: _Jpeg | _Png, orientation: int, fit: Fit, policy: ImagePolicy
) -> bool:
    """Returns whether ``resize`` has nothing to do."""
    size = _size(source, orientation)
    return (
        policy.policy == "resize"
        and policy.encoding == "jpeg"
        and isinstance(source, _Jpeg)
        and source.frame.components in ((1, 3) if policy.colour == "keep" else (3,))
        and orientation == 1
        and fit == Fit(size, size)
    )


def _encode_anew(
    source: _Jpeg | _Png, orientation: int, fit: Fit, policy: ImagePolicy
) -> Treated:
    width, height = _size(source, orientation)
    scale = 1
    # What is turned may begin with the pixels in part that a scale leaves at the end.
    if isinstance(source, _Jpeg) and source.frame.components < 4 and orientation == 1:
        scale = resizing.decode_scale(width, height, fit)
    pixels, warnings = _decode(source, scale)
    pixels = resizing.turn_image(codecs.convert_colours(pixels, policy), orientation)
    size = width / scale, height / scale
    pixels = resizing.resize_image(pixels, size, fit, policy)
    metadata = _kept_metadata(source, policy, grey=pixels.shape[2] < 3)
    try:
        return Treated(codecs.encode_image(pixels, policy, metadata), None, warnings)
    except (ValueError, OSError) as error:
        raise RejectedImage("unencodable", f"it can't be encoded: {error}") from error


def _kept_metadata(
    source: _Jpeg | _Png, policy: ImagePolicy, *, grey: bool
) -> Metadata:
    """Returns the metadata of an image that is encoded anew."""
    found = _read_metadata(source)
    exif, xmp, icc = found.exif, found.xmp, found.icc
    if policy.orientation == "apply":
        exif = jpeg.without_orientation(exif)
    # A profile of CMYK says nothing of the RGB that was made of it.
    if icc[16:20] != (b"GRAY" if grey else b"RGB "):
        icc = b""
    return Metadata(
        exif=exif if policy.exif == "keep" else b"",
        xmp=xmp if policy.xmp == "keep" else b"",
        icc=icc if policy.icc == "keep" else b"",
    )
