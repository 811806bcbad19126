"""What metadata say of the orientation, and how much of them an encoding holds."""

import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.jpegs import tiff
from transforms.images.metadata import (
    Metadata,
    decide_orientation,
    fit_metadata,
    read_orientation,
    with_xmp_orientation,
    without_orientation,
    without_orientations,
)

# --- Orientation ----------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_read_and_reset(orientation: int, order: str) -> None:
    exif = tiff(orientation, order)
    assert read_orientation(exif) == orientation
    assert without_orientation(exif) == tiff(1, order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_of_32_bits_is_reset_too(order: str) -> None:
    head, tail = tiff(1, order)[:-16], bytes(4)
    entry = struct.pack(order + "HHI", 0x0112, 4, 1)
    one, six = struct.pack(order + "I", 1), struct.pack(order + "I", 6)
    assert read_orientation(head + entry + six + tail) == 6
    reset = without_orientation(head + entry + six + tail)
    assert reset == head + entry + one + tail


@pytest.mark.parametrize(
    "exif", [tiff(0), tiff(9), b"", b"II*\0", b"XX*\0" + bytes(30)]
)
def test_what_is_no_orientation_is_the_first(exif: bytes) -> None:
    assert read_orientation(exif) == 1
    assert without_orientation(exif) == exif


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([b"", b"II*\0", b"MM\0*", tiff(6)]), st.binary(max_size=60))
def test_any_exif_has_an_orientation(start: bytes, junk: bytes) -> None:
    assert 1 <= read_orientation(start + junk) <= 8
    assert read_orientation(without_orientation(start + junk)) == 1


def test_truncated_exif_has_its_orientation_or_none() -> None:
    whole = tiff(6)
    for cut in range(len(whole)):
        expected = 6 if cut >= 10 + 2 * 12 else 1
        assert read_orientation(whole[:cut]) == expected


def test_every_orientation_of_a_directory_is_reset() -> None:
    head, entry, tail = tiff(6)[:10], tiff(6)[22:34], bytes(4)
    twice = head + entry + entry.replace(b"\6", b"\3") + tail
    assert read_orientation(twice) == 6
    assert without_orientation(twice) == head + tiff(1)[22:34] * 2 + tail


TIFF = b"http://ns.adobe.com/tiff/1.0/"
XMP = {
    "attribute": b'<r:Description xmlns:tiff="%s" tiff:Orientation="6"/>' % TIFF,
    "single quotes": b"<r:Description xmlns:tiff='%s' tiff:Orientation = '6'/>" % TIFF,
    "element": b"<tiff:Orientation>6</tiff:Orientation>",
    "element with space": b"<tiff:Orientation >\n 6 </tiff:Orientation>",
    "value": b"<tiff:Orientation r:parseType='Resource'><rdf:value>6</rdf:value>",
    "other prefix": b'<r:D xmlns:t.2="%s"\n t.2:Orientation="6">' % TIFF,
    "twice": b'<r:D tiff:Orientation="6"/><tiff:Orientation>6</tiff:Orientation>',
}


@pytest.mark.parametrize("xmp", XMP.values(), ids=XMP)
@pytest.mark.parametrize("orientation", [1, 8])
def test_an_orientation_in_xmp_is_read_and_changed(
    xmp: bytes, orientation: int
) -> None:
    assert decide_orientation(Metadata(xmp=xmp)) == 6
    changed = with_xmp_orientation(xmp, orientation)
    assert changed == re.sub(rb"\b6\b", b"%d" % orientation, xmp)
    assert decide_orientation(Metadata(xmp=changed)) == orientation


@pytest.mark.parametrize(
    "xmp",
    [
        b"",
        b"<crs:Orientation>6</crs:Orientation>",
        b'<r:D crs:Orientation="6" xmlns:crs="http://ns.adobe.com/crs/1.0/"/>',
        b"<tiff:Orientation>9</tiff:Orientation>",
        b"<tiff:Orientation/>",
        b"<tiff:Orientation>16</tiff:Orientation>",
        b"<tiff:OrientationX>6</tiff:OrientationX>",
        b"tiff:Orientation",
    ],
)
def test_what_is_no_orientation_in_xmp_stays(xmp: bytes) -> None:
    assert decide_orientation(Metadata(xmp=xmp)) is None
    assert with_xmp_orientation(xmp, 1) == xmp


@pytest.mark.parametrize(
    ("exif", "xmp", "decided"),
    [
        (tiff(6), XMP["attribute"].replace(b"6", b"8"), 6),
        (tiff(1), XMP["attribute"], 1),
        (tiff(0), XMP["attribute"], 1),
        (b"II*\0\x08\0\0\0\0\0", XMP["attribute"], 6),
        (b"", XMP["element"], 6),
        (tiff(3), b"", 3),
        (b"", b"", None),
    ],
)
def test_exif_decides_and_then_xmp(exif: bytes, xmp: bytes, decided: int) -> None:
    metadata = Metadata(exif, xmp, b"icc")
    assert decide_orientation(metadata) == decided
    upright = without_orientations(metadata)
    assert (upright.icc, len(upright.xmp)) == (b"icc", len(xmp))
    assert decide_orientation(upright) in (None, 1)
    assert decide_orientation(upright.without({"exif"})) in (None, 1)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            [*b"<>'\"= 0123456789\n", *XMP.values(), b"tiff:Orientation", b"xmlns:"]
        ),
        max_size=12,
    )
)
def test_any_xmp_can_be_searched(parts: list[bytes | int]) -> None:
    xmp = b"".join(p if isinstance(p, bytes) else bytes((p,)) for p in parts)
    changed = with_xmp_orientation(xmp, 1)
    assert len(changed) == len(xmp)
    assert decide_orientation(Metadata(xmp=changed)) in (None, 1)


def test_hostile_xmp_is_searched_once() -> None:
    for part in (b" xmlns:tiff", b" tiff:Orientation=", b"<tiff:Orientation "):
        hostile = Metadata(xmp=part * 40_000 + b":Orientation")
        assert decide_orientation(hostile) is None
    bound = b"".join(b"xmlns:p%d='%s' " % (n, TIFF) for n in range(2_000))
    xmp = bound + b" p:Orientation" * 40_000
    assert decide_orientation(Metadata(xmp=xmp)) is None


# --- What an encoding holds -----------------------------------------------------------

MOST = {
    "jpeg": (65_527, 65_504, 16_707_345),
    "png": (1_048_575, 1_048_575, 1_048_575),
}


@pytest.mark.parametrize("encoding", MOST)
@pytest.mark.parametrize("kind", ["exif", "xmp", "icc"])
def test_what_is_too_long_is_left_out_and_told(encoding: str, kind: str) -> None:
    most = MOST[encoding][["exif", "xmp", "icc"].index(kind)]
    values = {"exif": tiff(6), "xmp": b"<x/>", "icc": b"profile"}
    fitting = Metadata(**{**values, kind: b"x" * most})  # type: ignore[arg-type]
    assert fit_metadata(fitting, encoding) == fitting
    longer = Metadata(**{**values, kind: b"x" * (most + 1)})  # type: ignore[arg-type]
    assert fit_metadata(longer, encoding) == Metadata(
        **{**values, kind: b""},  # type: ignore[arg-type]
        lost=frozenset({kind}),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("encoding", ["jpeg", "png", "webp"])
def test_xmp_is_utf_8(encoding: str) -> None:
    for xmp in ("<x/>".encode("utf-16"), "<x/>".encode("utf-16-le"), b"<x>\xe9</x>"):
        assert fit_metadata(Metadata(xmp=xmp), encoding) == Metadata(
            lost=frozenset({"xmp"})
        )
    kept = Metadata(xmp="<x>é</x>".encode())
    assert fit_metadata(Metadata(xmp=kept.xmp + b"\0"), encoding) == kept


def test_what_is_lost_adds_up_and_what_is_not_wanted_does_not_count() -> None:
    lost = Metadata(exif=bytes(70_000), xmp=b"<x/>", lost=frozenset({"xmp"}))
    fitting = fit_metadata(lost, "jpeg")
    assert fitting == Metadata(xmp=b"<x/>", lost=frozenset({"exif", "xmp"}))
    assert fitting.without({"xmp"}) == Metadata(lost=frozenset({"exif"}))
    assert lost.without({"exif", "xmp"}) == Metadata()
