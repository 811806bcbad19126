"""The segments of JPEGs: found, cut out and put in."""

import io
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms import jpeg
from transforms.jpeg import Kind, Metadata

NOISE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
PROFILE = bytes(16) + b"RGB " + bytes(range(256)) * 600  # takes three segments
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"more"
PHOTOSHOP = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"


def tiff(orientation: int, order: str = "<") -> bytes:
    """Returns EXIF of two entries, the second of them an orientation."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return mark + struct.pack(
        order + "IHHHI4sHHIHHI",
        *(8, 2, 0x010F, 2, 4, b"abc\0", 0x0112, 3, 1, orientation, 0, 0),
    )


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def save(**options: Any) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(NOISE).save(encoded, "JPEG", **options)
    return encoded.getvalue()


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """Puts segments behind the JFIF header."""
    return data[:20] + b"".join(segments) + data[20:]


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.tobytes()


BASE = save()
EXIF = segment(0xE1, b"Exif\0\0" + tiff(6))
XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET)
EXTENDED = segment(0xE1, EXTENSION)
ICC = b"".join(
    segment(0xE2, b"ICC_PROFILE\0" + bytes((n + 1, 3)) + PROFILE[n * 65519 :][:65519])
    for n in range(3)
)
IPTC = segment(0xED, PHOTOSHOP)
OTHER_APP13 = segment(0xED, b"Adobe_CM\0")
FLASHPIX = segment(0xE2, b"FPXR\0\0")
COMMENT = segment(0xFE, b"ICC_PROFILE\0 in a comment")
LADEN = with_segments(
    BASE, EXIF, XMP, EXTENDED, ICC, IPTC, OTHER_APP13, FLASHPIX, COMMENT
)


# --- Finding --------------------------------------------------------------------------


def test_segments_are_found_up_to_the_scan() -> None:
    segments = jpeg.read_segments(BASE)
    markers = [marker for marker, _, _, _ in segments]
    assert markers == [0xE0, 0xDB, 0xDB, 0xC0, 0xC4, 0xC4, 0xC4, 0xC4, 0xDA]
    assert segments[0] == (0xE0, 2, 6, 20)
    for (_, _, _, end), (_, start, body, _) in pairwise(segments):
        assert start == end
        assert body == start + 4
    _, start, body, end = segments[-1]
    assert BASE[start : body + 1] == b"\xff\xda\0\x0c\x03"
    assert end == body + 10


def test_bytes_between_segments_are_passed_over() -> None:
    at = 20
    junk = BASE[:at] + b"junk\xff\0\xff\xff" + BASE[at:]
    before = jpeg.read_segments(BASE)
    found = jpeg.read_segments(junk)
    assert [marker for marker, _, _, _ in found] == [m for m, _, _, _ in before]
    assert found[1] == (0xDB, at + 6, before[1][2] + 8, before[1][3] + 8)
    assert jpeg.read_frame(junk, found) == jpeg.read_frame(BASE, before)


@pytest.mark.parametrize(
    ("options", "frame", "scans"),
    [
        ({}, jpeg.Frame(56, 40, 3, 8, True, False), 1),
        ({"progressive": True}, jpeg.Frame(56, 40, 3, 8, True, True), 10),
    ],
)
def test_frames_and_scans(options: Any, frame: jpeg.Frame, scans: int) -> None:
    data = save(**options)
    segments = jpeg.read_segments(data)
    assert jpeg.read_frame(data, segments) == frame
    assert jpeg.count_scans(data, segments, frame) == scans


def test_scans_of_single_components_are_counted() -> None:
    segments = jpeg.read_segments(BASE)
    _, start, body, _ = segments[-1]
    apart = BASE[:body] + b"\x01" + BASE[body + 1 :] + BASE[start:] + BASE[start:]
    frame = jpeg.read_frame(apart, segments)
    assert frame is not None
    assert jpeg.count_scans(apart, segments, frame) == 3


def test_a_thumbnail_is_no_scan_and_no_frame() -> None:
    data = save(exif=b"Exif\0\0" + tiff(1) + BASE, progressive=True)
    segments = jpeg.read_segments(data)
    frame = jpeg.read_frame(data, segments)
    assert frame is not None
    assert frame.progressive
    assert jpeg.count_scans(data, segments, frame) == 10


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=80), st.sampled_from([b"", LADEN[:200], BASE]))
def test_any_bytes_can_be_walked(junk: bytes, start: bytes) -> None:
    data = b"\xff\xd8" + start[2:] + junk
    segments = jpeg.read_segments(data)
    end = 2
    for _, start_at, body, end_at in segments:
        assert end <= start_at < body <= end_at
        end = end_at
    frame = jpeg.read_frame(data, segments)
    if frame:
        jpeg.count_scans(data, segments, frame)
    jpeg.is_adobe(data, segments)
    metadata = jpeg.read_metadata(data, segments)
    jpeg.read_orientation(metadata.exif)
    assert jpeg.cut_metadata(data, segments, ()) == data
    assert len(jpeg.cut_metadata(data, segments, ("exif", "xmp", "icc"))) <= len(data)


def test_every_beginning_of_a_jpeg_can_be_walked() -> None:
    whole = jpeg.read_segments(LADEN)
    for cut in [*range(2, 400), *range(len(LADEN) - 3000, len(LADEN), 7)]:
        found = jpeg.read_segments(LADEN[:cut])
        assert found == whole[: len(found)]
        assert not found or found[-1][1] + 4 <= cut
        jpeg.read_metadata(LADEN[:cut], found)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_length_counts_itself_whatever_it_says(length: int) -> None:
    comment = b"\xff\xfe" + length.to_bytes(2, "big")
    segments = jpeg.read_segments(with_segments(BASE, comment))
    assert segments[1] == (0xFE, 20, 24, 24)
    assert len(segments) == 10


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 0xFFFF), st.integers(0, 8))
def test_wrong_lengths_are_survived(length: int, which: int) -> None:
    _, start, _, _ = jpeg.read_segments(BASE)[which]
    data = BASE[: start + 2] + struct.pack(">H", length) + BASE[start + 4 :]
    segments = jpeg.read_segments(data)
    jpeg.read_frame(data, segments)
    jpeg.cut_metadata(data, segments, ("exif", "xmp", "icc"))


# --- Cutting --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        (("exif",), [XMP, EXTENDED, ICC, OTHER_APP13, FLASHPIX, COMMENT]),
        (("xmp",), [EXIF, ICC, OTHER_APP13, FLASHPIX, COMMENT]),
        (("icc",), [EXIF, XMP, EXTENDED, IPTC, OTHER_APP13, FLASHPIX, COMMENT]),
        (("exif", "xmp", "icc"), [OTHER_APP13, FLASHPIX, COMMENT]),
        ((), [EXIF, XMP, EXTENDED, ICC, IPTC, OTHER_APP13, FLASHPIX, COMMENT]),
    ],
)
def test_cutting_takes_the_segments_named_and_no_others(
    kinds: tuple[Kind, ...], left: list[bytes]
) -> None:
    cut = jpeg.cut_metadata(LADEN, jpeg.read_segments(LADEN), kinds)
    assert cut == with_segments(BASE, *left)
    assert pixels(cut) == NOISE_PIXELS
    with Image.open(io.BytesIO(cut)) as image:
        assert ("exif" in image.info, "xmp" in image.info) == (
            EXIF in left,
            XMP in left,
        )
        assert image.info.get("icc_profile") == (PROFILE if ICC in left else None)


NOISE_PIXELS = pixels(BASE)


def test_what_follows_the_picture_stays() -> None:
    data = with_segments(BASE, EXIF) + LADEN
    cut = jpeg.cut_metadata(data, jpeg.read_segments(data), ("exif",))
    assert cut == BASE + LADEN


def test_what_has_no_metadata_is_not_copied() -> None:
    segments = jpeg.read_segments(BASE)
    assert jpeg.cut_metadata(BASE, segments, ("exif", "xmp", "icc")) is BASE


# --- Reading and putting in -----------------------------------------------------------


def test_metadata_are_read() -> None:
    found = jpeg.read_metadata(LADEN, jpeg.read_segments(LADEN))
    assert found == Metadata(tiff(6), PACKET, PROFILE)
    assert jpeg.read_metadata(BASE, jpeg.read_segments(BASE)) == Metadata()


def test_a_profile_without_one_of_its_parts_is_none() -> None:
    parts = [ICC[:65537], ICC[65537 : 2 * 65537], ICC[2 * 65537 :]]
    shuffled = with_segments(BASE, *reversed(parts))
    assert jpeg.read_metadata(shuffled, jpeg.read_segments(shuffled)).icc == PROFILE
    lacking = with_segments(BASE, parts[0], parts[2])
    assert jpeg.read_metadata(lacking, jpeg.read_segments(lacking)).icc == b""


@pytest.mark.parametrize("jfif", [True, False])
def test_metadata_put_in_are_what_pillow_reads(jfif: bool) -> None:
    data = BASE if jfif else BASE[:2] + BASE[20:]
    metadata = Metadata(tiff(6), PACKET, PROFILE)
    laden = jpeg.insert_metadata(data, metadata)
    assert laden.startswith(data[: 20 if jfif else 2] + b"\xff\xe1")
    with Image.open(io.BytesIO(laden)) as image:
        assert image.info["exif"] == b"Exif\0\0" + tiff(6)
        assert image.info["xmp"] == PACKET
        assert image.info["icc_profile"] == PROFILE
        assert ("jfif" in image.info) == jfif
        assert image.tobytes() == NOISE_PIXELS
    segments = jpeg.read_segments(laden)
    assert jpeg.read_metadata(laden, segments) == metadata
    assert jpeg.cut_metadata(laden, segments, ("exif", "xmp", "icc")) == data


def test_no_metadata_change_nothing() -> None:
    assert jpeg.insert_metadata(BASE, Metadata()) == BASE


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (Metadata(exif=bytes(65_534 - 6)), "its metadata have 65,534 bytes"),
        (Metadata(xmp=bytes(70_000)), "its metadata have 70,029 bytes"),
        (Metadata(icc=bytes(16_707_346)), "its colour profile has 16,707,346 bytes"),
    ],
    ids=["exif", "xmp", "icc"],
)
def test_metadata_too_long_for_a_jpeg_are_an_error(
    metadata: Metadata, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        jpeg.insert_metadata(BASE, metadata)


# --- Orientation ----------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_read_and_reset(orientation: int, order: str) -> None:
    exif = tiff(orientation, order)
    assert jpeg.read_orientation(exif) == orientation
    assert jpeg.without_orientation(exif) == tiff(1, order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_of_32_bits_is_reset_too(order: str) -> None:
    head, tail = tiff(1, order)[:-16], bytes(4)
    entry = struct.pack(order + "HHI", 0x0112, 4, 1)
    one, six = struct.pack(order + "I", 1), struct.pack(order + "I", 6)
    assert jpeg.read_orientation(head + entry + six + tail) == 6
    reset = jpeg.without_orientation(head + entry + six + tail)
    assert reset == head + entry + one + tail


@pytest.mark.parametrize(
    "exif", [tiff(0), tiff(9), b"", b"II*\0", b"XX*\0" + bytes(30)]
)
def test_what_is_no_orientation_is_the_first(exif: bytes) -> None:
    assert jpeg.read_orientation(exif) == 1
    assert jpeg.without_orientation(exif) == exif


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([b"", b"II*\0", b"MM\0*", tiff(6)]), st.binary(max_size=60))
def test_any_exif_has_an_orientation(start: bytes, junk: bytes) -> None:
    assert 1 <= jpeg.read_orientation(start + junk) <= 8
    assert jpeg.read_orientation(jpeg.without_orientation(start + junk)) == 1


def test_truncated_exif_has_its_orientation_or_none() -> None:
    whole = tiff(6)
    for cut in range(len(whole)):
        expected = 6 if cut >= 10 + 2 * 12 else 1
        assert jpeg.read_orientation(whole[:cut]) == expected
