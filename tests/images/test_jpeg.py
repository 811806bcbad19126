"""The segments of JPEGs: found, up to the first scan and in all of a picture."""

import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.jpegs import BASE, COMMENT, EXIF, LADEN, save, tiff, with_segments
from transforms.images import jpeg
from transforms.images.jpeg_metadata import cut_metadata, read_metadata
from transforms.images.metadata import read_orientation

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
    metadata = read_metadata(data, segments)
    read_orientation(metadata.exif)
    assert cut_metadata(data, segments, ()) == data
    assert len(cut_metadata(data, segments, ("exif", "xmp", "icc"))) <= len(data)


def test_every_beginning_of_a_jpeg_can_be_walked() -> None:
    whole = jpeg.read_segments(LADEN)
    for cut in [*range(2, 400), *range(len(LADEN) - 3000, len(LADEN), 7)]:
        found = jpeg.read_segments(LADEN[:cut])
        assert found == whole[: len(found)]
        assert not found or found[-1][1] + 4 <= cut
        read_metadata(LADEN[:cut], found)


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
    cut_metadata(data, segments, ("exif", "xmp", "icc"))


# --- In all of a picture --------------------------------------------------------------


def picture(data: bytes) -> tuple[list[int], int]:
    found, end = jpeg.read_picture(data, jpeg.read_segments(data))
    return [marker for marker, _, _, _ in found], end


def test_a_picture_ends_at_its_end() -> None:
    header = [marker for marker, _, _, _ in jpeg.read_segments(BASE)]
    assert picture(BASE) == (header, len(BASE) - 2)
    assert picture(BASE + LADEN) == (header, len(BASE) - 2)
    assert picture(BASE[:-2]) == (header, len(BASE) - 2)
    # Another picture begins where this one has no end.
    assert picture(BASE[:-2] + LADEN) == (header, len(BASE) - 2)
    scan = jpeg.read_segments(BASE)[-1][3]
    restarted = BASE[: scan + 9] + b"\xff\0\xff\xd3\xff\x05" + BASE[scan + 9 :]
    assert picture(restarted) == (header, len(restarted) - 2)


def test_segments_between_and_after_scans_are_found() -> None:
    data = save(progressive=True)
    markers, end = picture(data)
    assert (markers.count(jpeg.SCAN), end) == (10, len(data) - 2)
    last = data.rindex(b"\xff\xda")
    laden = data[:last] + EXIF + data[last:-2] + COMMENT + data[-2:]
    found, end = jpeg.read_picture(laden, jpeg.read_segments(laden))
    assert [marker for marker, _, _, _ in found] == [
        *(*markers[:-1], 0xE1, jpeg.SCAN, 0xFE)
    ]
    assert laden[found[-3][1] : found[-3][3]] == EXIF
    assert laden[found[-1][1] : found[-1][3]] == COMMENT
    assert end == len(laden) - 2
    # One that is cut off is where the picture ends.
    assert picture(laden[:-3]) == ([*markers[:-1], 0xE1, jpeg.SCAN], found[-1][1])


def test_what_decides_pixels_is_read() -> None:
    segments = jpeg.read_segments(BASE)
    coded = jpeg.read_coded(BASE)
    assert coded == [
        *(BASE[start:end] for marker, start, _, end in segments if marker != 0xE0),
        BASE[segments[-1][3] : -2],
    ]
    assert jpeg.read_coded(LADEN + BASE) == coded
    for at, _ in enumerate(coded):
        changed = list(coded)
        changed[at] = coded[at][:-1] + bytes((coded[at][-1] ^ 1,))
        data = BASE[:20] + b"".join(changed) + BASE[-2:]
        assert jpeg.read_coded(data) == changed
