"""The metadata of JPEGs: read, cut out and put in."""

import io
import itertools
import struct
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.jpegs import (
    ADOBE,
    BASE,
    COMMENT,
    EXIF,
    EXTENDED,
    FLASHPIX,
    ICC,
    IPTC,
    LADEN,
    NOISE_PIXELS,
    OTHER_APP13,
    PACKET,
    PROFILE,
    SEVERAL,
    THUMBNAIL,
    XMP,
    save,
    segment,
    tiff,
    with_segments,
)
from transforms.images import jpeg
from transforms.images.jpeg_metadata import cut_metadata, insert_metadata, read_metadata
from transforms.images.metadata import KINDS, Kind, Metadata
from transforms.images.policy import ImagePolicy, RejectedImage
from transforms.images.treatment import treat_image

# --- Cutting --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        (("exif",), [XMP, EXTENDED, ICC, ADOBE]),
        (
            ("xmp",),
            [THUMBNAIL, EXIF, ICC, OTHER_APP13, FLASHPIX, ADOBE, COMMENT],
        ),
        (
            ("icc",),
            [
                *(THUMBNAIL, EXIF, XMP, EXTENDED, SEVERAL, IPTC, OTHER_APP13),
                *(FLASHPIX, ADOBE, COMMENT),
            ],
        ),
        (("exif", "xmp"), [ICC, ADOBE]),
        (("exif", "xmp", "icc"), [ADOBE]),
    ],
)
def test_cutting_takes_the_segments_named_and_no_others(
    kinds: tuple[Kind, ...], left: list[bytes]
) -> None:
    stripped = cut(LADEN, *kinds)
    assert stripped == with_segments(BASE, *left)
    with Image.open(io.BytesIO(stripped)) as image:
        assert image.tobytes() == NOISE_PIXELS
        assert ("exif" in image.info, "xmp" in image.info) == (
            EXIF in left,
            XMP in left,
        )
        assert image.info.get("icc_profile") == (PROFILE if ICC in left else None)


def cut(data: bytes, *kinds: Kind) -> bytes:
    return cut_metadata(data, jpeg.read_segments(data), kinds)


def test_a_thumbnail_goes_out_of_the_jfif_header() -> None:
    thumbnail = BASE[6:18] + b"\x02\x01" + b"rgbrgb"
    data = BASE[:2] + segment(0xE0, thumbnail) + BASE[20:]
    assert cut(data, "exif") == BASE
    assert cut(data, "xmp", "icc") == data
    # What Adobe's marker does not have takes nothing with it either.
    laden = with_segments(BASE, segment(0xEE, ADOBE[4:] + b"GPS"))
    assert cut(laden, "exif") == with_segments(BASE, ADOBE)


def test_what_follows_the_picture_goes_with_exif_and_with_xmp() -> None:
    for behind in (b"junk", LADEN, BASE, b"\xff\xd9\xff\xd9"):
        for kinds in ((("exif"),), ("xmp",), KINDS):
            assert cut(BASE + behind, *kinds) == BASE
        assert cut(BASE + behind, "icc") == BASE + behind
    # An end that is missing is put where another picture begins; else nothing is.
    assert cut(BASE[:-2] + LADEN, "exif") == BASE
    assert cut(with_segments(BASE[:-2], EXIF), "exif") == BASE[:-2]
    # So it is where a segment is cut off, unless scans may be missing.
    for left in (EXIF[:-1], EXIF, EXIF + b"\xd9"):
        assert cut(BASE[:-2] + left, "exif") == BASE
    assert cut(BASE[:-2] + segment(0xE2, b"ICC_PROFILE\0"), "icc") == BASE
    scans = save(progressive=True)
    last = scans.rindex(b"\xff\xda")
    assert cut(scans[:last] + EXIF[:-1], "exif") == scans[:last] + EXIF[:2]


def test_later_pictures_go_and_so_does_the_table_of_them() -> None:
    encoded = io.BytesIO()
    first, second = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "blue")
    second.info["exif"] = b"Exif\0\0" + tiff(6) + b"CANARY"
    exif = second.info["exif"]
    first.save(encoded, "MPO", save_all=True, append_images=[second], exif=exif)
    data = encoded.getvalue()
    assert data.count(b"CANARY") == 2
    for kinds in (("exif",), ("exif", "xmp", "icc")):
        stripped = cut(data, *kinds)
        assert b"CANARY" not in stripped
        assert b"MPF" not in stripped
        with Image.open(io.BytesIO(stripped)) as image:
            assert image.format == "JPEG"
            assert image.convert("RGB").getpixel((4, 4)) == (254, 0, 0)


def test_a_frame_header_does_not_reach_beyond_its_segment() -> None:
    # Its length is 0, so that components would be read in what is cut after it.
    frame, scan = b"\xff\xc0\0\0", b"\xff\xda\0\x0c" + bytes(8) + b"?\0pixela"
    data = b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + tiff(6)) + frame
    data += b"\x03\0\x11\x01" + scan + b"\xff\xcf\x01?\0pixela\xff\xd9"
    segments = jpeg.read_segments(data)
    assert [marker for marker, *_ in segments] == [0xE1, 0xC0, jpeg.SCAN]
    assert jpeg.read_frame(data, segments) is None
    bare = cut(data, *KINDS)
    assert bare == b"\xff\xd8" + frame + scan + b"\xff\xcf"
    assert cut(bare, *KINDS) is bare
    # Nor is a later one the picture's, for decoders end at the first.
    twice = with_segments(BASE, frame)
    assert decoded(twice) is None
    assert jpeg.read_frame(twice, jpeg.read_segments(twice)) is None


def test_segments_between_and_after_scans_are_cut() -> None:
    data = save(progressive=True)
    last = data.rindex(b"\xff\xda")
    laden = data[:last] + EXIF + COMMENT + data[last:-2] + XMP + data[-2:]
    assert cut(laden, *KINDS) == data
    assert cut(laden, "icc") == laden
    # What stands between is taken for pixels if it is left alone.
    loose = data[:last] + EXIF + b"loose" + data[last:-2] + COMMENT + b"loose\xff\xd9"
    assert cut(loose, *KINDS) == data


def decoded(data: bytes) -> tuple[tuple[int, int], bytes] | None:
    """Returns the size and the pixels that Pillow sees, if it sees any."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=("JPEG",)) as image,
        ):
            return image.size, image.tobytes()
    except (OSError, SyntaxError, ValueError):
        return None


@pytest.mark.parametrize("wrong", [-14, -2, -1, 1, 2])
@pytest.mark.parametrize("jfif", [True, False])
def test_a_wrong_length_does_no_harm(jfif: bool, wrong: int) -> None:
    # What a length leaves over is passed over; if too long it takes from a comment.
    body = b"Exif\0\0" + tiff(6)
    length = struct.pack(">H", len(body) + 2 + wrong)
    lame = b"\xff\xe1" + length + body + segment(0xFE, b"comment")
    data = BASE[:20] + lame + BASE[20:] if jfif else BASE[:2] + lame + BASE[20:]
    assert decoded(data) == ((56, 40), NOISE_PIXELS)
    assert cut(data, "exif") == (BASE if jfif else BASE[:2] + BASE[20:])


SOUND = {
    "baseline": BASE,
    "progressive": save(progressive=True),
    "restarts": save(restart_marker_blocks=2),
    "grey": save(quality=30, subsampling=0),
}
SECRET = b"CANARY"
ANOTHER = with_segments(BASE, EXIF, XMP, SEVERAL)
PRIVATE = [
    segment(0xE1, b"Exif\0\0" + tiff(6) + SECRET),
    segment(0xE1, b"Exif\0\xff" + SECRET),
    segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET + SECRET),
    segment(0xE1, EXTENDED[4:] + SECRET),
    segment(0xE0, b"JFXX\0\x10" + BASE[:200] + SECRET),
    segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\1" + SECRET),
    segment(0xED, IPTC[4:] + SECRET),
    segment(0xE2, b"FPXR\0" + SECRET),
    segment(0xE2, b"ICC_PROFILE\0\1\1" + SECRET),
    segment(0xE7, SECRET * 9),
    segment(0xEE, ADOBE[4:] + SECRET),
    segment(0xFE, b"\xff\xd8\xff\xe1" + SECRET),
    b"\0\0" + SECRET,
    b"\xff\xff" + segment(0xE1, b"Exif\0\0" + tiff(1) + SECRET),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Returns a JPEG with metadata in any place, of which some lengths are wrong."""
    data = SOUND[draw(st.sampled_from(sorted(SOUND)))]
    if draw(st.booleans()):
        data = data[:2] + data[20:]  # without its JFIF header
    segments, end = jpeg.read_picture(data, jpeg.read_segments(data))
    starts = [start for _, start, _, _ in segments]  # of later scans, too
    places = draw(st.lists(st.sampled_from([*starts, end]), max_size=4))
    for place in sorted(places, reverse=True):
        added = bytearray(draw(st.sampled_from(PRIVATE)))
        at = added.find(b"\xff\xe1") if added[:1] == b"\xff" else -1
        if draw(st.booleans()) and at >= 0:
            length = int.from_bytes(added[at + 2 : at + 4], "big")
            length += draw(st.sampled_from([-16, -14, -2, -1, 1, 2, 3, 14, 300]))
            added[at + 2 : at + 4] = max(0, length).to_bytes(2, "big")
        data = data[:place] + bytes(added) + data[place:]
    ends = [b"", SECRET, ANOTHER + SECRET, b"\xff\xd9" + SECRET]
    data += draw(st.sampled_from(ends))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(2, len(data) - 1))
        data = data[:at] + draw(st.binary(max_size=2)) + data[at + 1 :]
    return data


def is_rejected(data: bytes) -> bool:
    """Returns whether an image is rejected, whatever is stripped."""
    try:
        treat_image(data, ImagePolicy(policy="keep"))
    except RejectedImage:
        return True
    return False


@settings(deadline=None, max_examples=600)
@given(damaged(), st.sampled_from([*itertools.combinations(KINDS, 1), KINDS]))
def test_what_pillow_decodes_it_decodes_after_cutting(
    data: bytes, kinds: tuple[Kind, ...]
) -> None:
    before = decoded(data)
    if before is None or is_rejected(data):
        return
    policy = ImagePolicy(policy="keep", **dict.fromkeys(kinds, "strip"))
    stripped = treat_image(data, policy).data
    assert decoded(stripped) == before
    assert jpeg.read_coded(stripped) == jpeg.read_coded(data)
    if kinds == KINDS:
        # What stands among coded pixels can't be told from them.
        coded = any(SECRET in part for part in jpeg.read_coded(data))
        assert SECRET not in stripped or coded
        assert cut(stripped, *KINDS) is stripped


def test_what_has_no_metadata_is_not_copied() -> None:
    segments = jpeg.read_segments(BASE)
    assert cut_metadata(BASE, segments, ("exif", "xmp", "icc")) is BASE


# --- Reading and putting in -----------------------------------------------------------


def test_metadata_are_read() -> None:
    found = read_metadata(LADEN, jpeg.read_segments(LADEN))
    assert found == Metadata(tiff(6), PACKET, PROFILE, frozenset({"xmp"}))
    assert read_metadata(BASE, jpeg.read_segments(BASE)) == Metadata()


def test_a_profile_without_one_of_its_parts_is_none() -> None:
    parts = [ICC[:65537], ICC[65537 : 2 * 65537], ICC[2 * 65537 :]]
    shuffled = with_segments(BASE, *reversed(parts))
    assert read_metadata(shuffled, jpeg.read_segments(shuffled)).icc == PROFILE
    lacking = with_segments(BASE, parts[0], parts[2])
    assert read_metadata(lacking, jpeg.read_segments(lacking)).icc == b""


@pytest.mark.parametrize("jfif", [True, False])
def test_metadata_put_in_are_what_pillow_reads(jfif: bool) -> None:
    data = BASE if jfif else BASE[:2] + BASE[20:]
    metadata = Metadata(tiff(6), PACKET, PROFILE)
    laden = insert_metadata(data, metadata)
    assert laden.startswith(data[: 20 if jfif else 2] + b"\xff\xe1")
    with Image.open(io.BytesIO(laden)) as image:
        assert image.info["exif"] == b"Exif\0\0" + tiff(6)
        assert image.info["xmp"] == PACKET
        assert image.info["icc_profile"] == PROFILE
        assert ("jfif" in image.info) == jfif
        assert image.tobytes() == NOISE_PIXELS
    segments = jpeg.read_segments(laden)
    assert read_metadata(laden, segments) == metadata
    assert cut_metadata(laden, segments, ("exif", "xmp", "icc")) == data


def test_no_metadata_change_nothing() -> None:
    assert insert_metadata(BASE, Metadata()) == BASE


def test_a_scan_header_that_is_cut_off_is_no_error() -> None:
    segments = jpeg.read_segments(BASE)
    frame = jpeg.read_frame(BASE, segments)
    data = BASE[: segments[-1][2]]
    assert frame is not None
    assert jpeg.is_one_scan(BASE, segments, frame)
    assert not jpeg.is_one_scan(data, jpeg.read_segments(data), frame)
