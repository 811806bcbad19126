"""Looks at an image's headers: what it is, and whether it is within the bounds.

Nothing is decoded. The time is bounded by the number of bytes, and an image that
passes can be decoded in a time that the policy bounds.
"""

from dataclasses import dataclass
from typing import Final

from transforms.images import jpeg, png
from transforms.images.policy import ImagePolicy, RejectedImage

_UNDECODABLE: Final = "it can't be decoded: "
_MOST_HEADER: Final = 1 << 23  # bytes before a JPEG's pixels
_ARITHMETIC_WEIGHT: Final = 8  # of a scan, in scans that are coded otherwise


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG with its segments up to the first scan and its frame header."""

    data: bytes
    segments: list[jpeg.Segment]
    frame: jpeg.Frame


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG with its chunks and its header."""

    data: bytes
    chunks: list[png.Chunk]
    frame: png.Header


def inspect_image(data: bytes, policy: ImagePolicy) -> Jpeg | Png:
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
    source: Jpeg | Png
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
    require_pixels(frame.width, frame.height, policy, "it has")
    if isinstance(source, Jpeg):
        _require_scans(source, policy)
    elif (broken := png.find_broken(data, source.chunks)) is not None:
        raise RejectedImage(
            "undecodable",
            f"{_UNDECODABLE}the checksum of its {broken.decode('latin-1')} is wrong",
        )
    return source


def _look_at_jpeg(data: bytes) -> Jpeg:
    segments = jpeg.read_segments(data)
    frame = jpeg.read_frame(data, segments)
    end = segments[-1][3] if segments else len(jpeg.START)
    scan = bool(segments) and segments[-1][0] == jpeg.SCAN
    if len(segments) == jpeg.MOST_SEGMENTS or end > _MOST_HEADER:
        raise RejectedImage(
            "undecodable",
            f"{_UNDECODABLE}its pixels begin after {len(segments):,} segments, at "
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
    return Jpeg(data, segments, frame)


def _look_at_png(data: bytes) -> Png:
    header = png.read_header(data)
    if header is None:
        reason = "truncated" if len(data) < 24 else "undecodable"
        raise RejectedImage(reason, f"{_UNDECODABLE}it is a PNG without a header")
    chunks = png.read_chunks(data)
    if len(chunks) == png.MOST_CHUNKS:
        raise RejectedImage(
            "undecodable", f"{_UNDECODABLE}it has {len(chunks):,} chunks, or more"
        )
    return Png(data, chunks, header)


def _require_scans(source: Jpeg, policy: ImagePolicy) -> None:
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


def require_pixels(width: int, height: int, policy: ImagePolicy, verb: str) -> None:
    """Refuses more pixels than the policy allows.

    Args:
        width: In pixels.
        height: In pixels.
        policy: What bounds them.
        verb: How a message begins, such as ``it has``.

    Raises:
        RejectedImage: There are more.
    """
    if width * height > policy.max_pixels:
        raise RejectedImage(
            "too_many_pixels",
            f"{verb} {width:,} x {height:,} pixels, more than {policy.max_pixels:,}",
        )
