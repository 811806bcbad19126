"""What an image's header tells, held against Pillow."""

import io
import struct
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transforms.images.header import Header, read_header

NOISE = np.random.default_rng(1).integers(0, 256, (33, 47, 3), dtype=np.uint8)
PICTURE = Image.fromarray(NOISE)
SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}  # by Pillow's number
SIXTEEN_BITS = Image.fromarray(np.arange(33 * 47, dtype=np.uint16).reshape(33, 47))


def encode(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    encoded = io.BytesIO()
    picture = SIXTEEN_BITS if mode == "I;16" else PICTURE.convert(mode)
    picture.save(encoded, kind, **options)
    return encoded.getvalue()


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a name that does not fit into its entry"
    exif[0x0112] = value
    return exif


def tiff_block(order: str, kind: int, value: int) -> bytes:
    """Returns the EXIF of an orientation in a byte order, as two bytes or four."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    number = struct.pack(
        order + ("HH" if kind == 3 else "I"), value, *[0] * (kind == 3)
    )
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + number
    return start + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(jpeg: bytes, added: bytes) -> bytes:
    return jpeg[:2] + added + jpeg[2:]


def png(bits: int, colours: int, before_pixels: bytes = b"") -> bytes:
    """Returns a PNG of 5 by 3 pixels, all zero."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    rows = bytes(1 + (5 * channels * bits + 7) // 8) * 3
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 5, 3, bits, colours, 0, 0, 0)),
        *([(b"PLTE", bytes(6))] if colours == 3 else []),
        *([(b"eXIf", before_pixels)] if before_pixels else []),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_every_quality_of_pillow_is_told() -> None:
    told = [read_header(encode("JPEG", quality=q)).quality for q in range(1, 101)]
    assert told == list(range(1, 101))
    grey = [read_header(encode("JPEG", "L", quality=q)).quality for q in range(1, 101)]
    assert grey == told


def test_every_quality_of_turbojpeg_is_told() -> None:
    assert [
        read_header(simplejpeg.encode_jpeg(NOISE, quality)).quality
        for quality in range(1, 101)
    ] == list(range(1, 101))


@pytest.mark.parametrize("number", SUBSAMPLINGS)
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_as_pillow_wrote_it(number: int, progressive: bool) -> None:
    data = encode("JPEG", quality=83, subsampling=number, progressive=progressive)
    assert read_header(data) == Header(
        "jpeg", 47, 33, "RGB", SUBSAMPLINGS[number], 83, progressive, 8, 1
    )


@pytest.mark.parametrize("name", ["444", "422", "420", "440", "411"])
def test_subsampling_is_as_turbojpeg_wrote_it(name: str) -> None:
    data = simplejpeg.encode_jpeg(NOISE, colorsubsampling=name)
    assert read_header(data).subsampling == ":".join(name)


@pytest.mark.parametrize(
    ("factors", "name"),
    [
        ("22 22 22", "4:4:4"),
        ("42 21 21", "4:2:0"),
        ("42 11 11", "other"),
        ("22 11 21", "other"),
        ("31 21 21", "other"),
        ("22 00 00", "other"),
        ("22 10 10", "other"),
        ("22 01 01", "other"),
        ("22 11 11 22", "4:2:0"),
        ("22 11 11 11", "other"),
        ("22 11", ""),
        ("22", ""),
        ("", ""),
    ],
)
def test_subsampling_is_a_ratio(factors: str, name: str) -> None:
    sampling = bytes.fromhex(factors)
    body = bytes([8, 0, 3, 0, 5, len(sampling)])
    body += b"".join(bytes([i, factor, 0]) for i, factor in enumerate(sampling))
    header = read_header(b"\xff\xd8" + segment(0xC0, body.ljust(9, b"\0")))
    assert (header.width, header.height, header.subsampling) == (5, 3, name)


def test_a_grey_jpeg_has_no_subsampling() -> None:
    data = encode("JPEG", "L", quality=60)
    assert read_header(data) == Header("jpeg", 47, 33, "L", "", 60, False, 8, 1)


def test_cmyk_and_ycck_are_told_apart() -> None:
    data = encode("JPEG", "CMYK", quality=60)
    assert read_header(data) == Header("jpeg", 47, 33, "CMYK", "4:4:4", 60, bits=8)
    place = data.index(b"Adobe") + 11
    ycck = data[:place] + b"\x02" + data[place + 1 :]
    assert read_header(ycck).mode == "YCCK"
    rgb = encode("JPEG", keep_rgb=True)  # Adobe's mark, but three components
    place = rgb.index(b"Adobe") + 11
    for transform in (b"\x00", b"\x02"):
        changed = rgb[:place] + transform + rgb[place + 1 :]
        assert read_header(changed).mode == "RGB"


@pytest.mark.parametrize(
    ("marker", "progressive"),
    [(0xC1, False), (0xC2, True), (0xC9, False), (0xCA, True)],
    ids=["extended", "progressive", "arithmetic", "arithmetic-progressive"],
)
def test_other_frames_are_read_too(marker: int, progressive: bool) -> None:
    data = encode("JPEG", quality=75)
    place = data.index(b"\xff\xc0")
    changed = data[:place] + bytes([0xFF, marker]) + data[place + 2 :]
    assert read_header(changed) == replace(read_header(data), progressive=progressive)


def test_tables_may_share_a_segment_and_follow_the_frame() -> None:
    data = encode("JPEG", quality=40)
    start, frame = data.index(b"\xff\xdb"), data.index(b"\xff\xc0")
    tables = data[start:frame]
    assert len(tables) == 2 * 69
    joined = segment(0xDB, tables[73:138] + tables[4:69])
    end = frame + 2 + int.from_bytes(data[frame + 2 : frame + 4], "big")
    for order in (joined + data[frame:end], data[frame:end] + joined):
        assert read_header(data[:start] + order + data[end:]) == read_header(data)


def test_unbounded_tables_have_their_quality() -> None:
    data = encode("JPEG", "L", quality=7)
    start = data.index(b"\xff\xdb")
    standard = Image.open(io.BytesIO(encode("JPEG", "L", quality=50))).quantization[0]
    bounded = Image.open(io.BytesIO(data)).quantization[0]
    wide = [(value * (5000 // 7) + 50) // 100 for value in standard]
    assert [min(value, 255) for value in wide] == list(bounded)
    assert max(wide) > 255
    zigzag = [wide[i] for i in ZIGZAG]
    table = segment(0xDB, b"\x10" + struct.pack(">64H", *zigzag))
    assert read_header(data[:start] + table + data[start + 69 :]).quality == 7


# The natural position of each entry of a table in its file (T.81 figure A.6).
ZIGZAG = sorted(
    range(64),
    key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8),
)


@pytest.mark.parametrize(
    ("table", "quality"),
    [
        ([3] * 64, 97),
        ([14] * 64, 88),
        ([1] * 64, 100),
        ([1] * 63 + [2], 100),
        ([255] * 64, 1),
        ([16] * 64, 86),  # the sum is 1,024; those of 86 and 87 are 1,031 and 961
        ([8] * 64, 93),
    ],
)
def test_other_tables_have_the_quality_of_the_nearest_sum(
    table: list[int], quality: int
) -> None:
    encoded = encode("JPEG", qtables=[table])
    assert read_header(encoded).quality == quality
    sums = [
        sum(Image.open(io.BytesIO(encode("JPEG", "L", quality=q))).quantization[0])
        for q in range(1, 101)
    ]
    distances = [abs(value - sum(table)) for value in sums]
    assert distances[quality - 1] == min(distances)


def test_a_table_of_zeros_is_finer_than_any() -> None:
    data = encode("JPEG", "L")
    start = data.index(b"\xff\xdb")
    changed = data[: start + 5] + bytes(64) + data[start + 69 :]
    assert read_header(changed).quality == 100


def test_a_jpeg_without_its_table_has_no_quality() -> None:
    data = encode("JPEG", "L")
    start = data.index(b"\xff\xdb")
    assert read_header(data[:start] + data[start + 69 :]).quality is None
    assert read_header(data[: start + 40]) == Header("jpeg")


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_that_of_pillow(kind: str, value: int) -> None:
    data = encode(kind, exif=orientation(value))
    assert Image.open(io.BytesIO(data)).getexif()[0x0112] == value
    header = read_header(data)
    assert (header.orientation, header.width, header.height) == (value, 47, 33)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4], ids=["two-bytes", "four-bytes"])
def test_orientation_is_read_in_either_byte_order(order: str, kind: int) -> None:
    exif = tiff_block(order, kind, 6)
    added = segment(0xE1, b"Exif\0\0" + exif)
    assert read_header(with_segment(encode("JPEG"), added)).orientation == 6
    assert read_header(png(8, 2, exif)).orientation == 6


def test_other_metadata_may_precede_and_follow_exif() -> None:
    first = b"Exif\0\0" + tiff_block("<", 3, 5)
    second = b"Exif\0\0" + tiff_block("<", 3, 7)
    added = [segment(0xE1, body) for body in (b"http://x\0" + bytes(9), first, second)]
    assert read_header(with_segment(encode("JPEG"), b"".join(added))).orientation == 5
    assert read_header(png(8, 3, tiff_block("<", 3, 5))).orientation == 5
    webp = encode("WEBP", icc_profile=b"odd", exif=orientation(5))
    assert read_header(webp).orientation == 5


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_is_none_is_1(value: int) -> None:
    added = segment(0xE1, b"Exif\0\0" + tiff_block(">", 3, value))
    assert read_header(with_segment(encode("JPEG"), added)).orientation == 1


CUT_OFF = b"Exif\0\0" + tiff_block("<", 3, 6)[:19]


@pytest.mark.parametrize(
    "body", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"http", CUT_OFF]
)
def test_broken_exif_changes_nothing(body: bytes) -> None:
    data = encode("JPEG")
    assert read_header(with_segment(data, segment(0xE1, body))) == read_header(data)


def test_a_preview_within_exif_is_not_the_image() -> None:
    preview = encode("JPEG", "L", quality=10)
    data = encode("JPEG", quality=90)
    exif = b"Exif\0\0" + tiff_block("<", 3, 3) + preview
    header = read_header(with_segment(data, segment(0xE1, exif)))
    assert header == replace(read_header(data), orientation=3)


@pytest.mark.parametrize(
    "added", [b"\xff", b"\xff\xff", b"\x00\x17", b"\xff\x01", b"\xff\x00", b"\xff\xd8"]
)
def test_bytes_between_segments_are_skipped(added: bytes) -> None:
    exif = segment(0xE1, b"Exif\0\0" + tiff_block("<", 3, 8))
    data = with_segment(encode("JPEG"), exif)
    assert read_header(data).orientation == 8
    assert read_header(with_segment(data, added)) == read_header(data)


def test_what_follows_the_scan_does_not_count() -> None:
    data = encode("JPEG", quality=60)
    coarse = encode("JPEG", quality=3)
    start = coarse.index(b"\xff\xdb")
    for behind in (coarse[start : start + 69] + b"\xff\xd9", b"\xff\xd9" + coarse[2:]):
        assert read_header(data[:-2] + behind) == read_header(data)
    no_scan = data[: data.index(b"\xff\xda")] + b"\xff\xd9"
    assert read_header(no_scan + b"\x00\x02" + coarse[2:]) == read_header(data)


@pytest.mark.parametrize(
    ("bits", "colours", "mode"),
    [
        *((bits, 0, "L") for bits in (2, 4, 8)),
        (1, 0, "1"),
        (16, 0, "I;16"),
        (8, 2, "RGB"),
        (16, 2, "RGB"),
        *((bits, 3, "P") for bits in (1, 2, 4, 8)),
        (8, 4, "LA"),
        (8, 6, "RGBA"),
        (16, 6, "RGBA"),
    ],
)
def test_a_png_is_as_pillow_sees_it(bits: int, colours: int, mode: str) -> None:
    data = png(bits, colours)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.size, image.mode) == ((5, 3), mode)
    assert read_header(data) == Header("png", 5, 3, mode, bits=bits)


@pytest.mark.parametrize(("width", "told"), [(0, None), (1 << 31, None), (7, 7)])
def test_a_width_that_png_does_not_allow_is_unknown(
    width: int, told: int | None
) -> None:
    data = png(8, 2)
    changed = data[:16] + struct.pack(">I", width) + data[20:]
    assert read_header(changed) == Header("png", told, 3, "RGB", bits=8)


def test_a_png_of_no_known_colours_has_its_size() -> None:
    data = bytearray(png(8, 2))
    data[25] = 7
    assert read_header(bytes(data)) == Header("png", 5, 3, "unknown", bits=8)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encode("WEBP"), Header("webp", 47, 33, "RGB", bits=8)),
        (encode("WEBP", "RGBA"), Header("webp", 47, 33, "RGB", bits=8)),
        (encode("WEBP", lossless=True), Header("webp", 47, 33, "RGB", bits=8)),
        (encode("WEBP", exif=b"x"), Header("webp", 47, 33, "RGB", bits=8)),
        (encode("GIF"), Header("gif", 47, 33, "P", bits=8)),
        (encode("BMP"), Header("bmp", 47, 33, "RGB", bits=8)),
        (encode("BMP", "P"), Header("bmp", 47, 33, "P", bits=8)),
        (encode("TIFF"), Header("tiff", 47, 33, "RGB", bits=8)),
        (encode("TIFF", "RGBA"), Header("tiff", 47, 33, "RGBA", bits=8)),
        (encode("TIFF", "1"), Header("tiff", 47, 33, "1", bits=1)),
        (encode("TIFF", "L"), Header("tiff", 47, 33, "L", bits=8)),
        (encode("TIFF", "LA"), Header("tiff", 47, 33, "LA", bits=8)),
        (encode("TIFF", "P"), Header("tiff", 47, 33, "P", bits=8)),
        (encode("TIFF", "CMYK"), Header("tiff", 47, 33, "CMYK", bits=8)),
        (encode("TIFF", "I;16"), Header("tiff", 47, 33, "I;16", bits=16)),
        (encode("PNG", "I;16"), Header("png", 47, 33, "I;16", bits=16)),
    ],
)
def test_other_encodings_are_as_pillow_sees_them(data: bytes, expected: Header) -> None:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.size, image.mode) == (
            (expected.width, expected.height),
            expected.mode,
        )
    assert read_header(data) == expected


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_with_alpha_says_so(lossless: bool) -> None:
    picture = PICTURE.convert("RGBA")
    picture.putalpha(100)
    encoded = io.BytesIO()
    picture.save(encoded, "WEBP", lossless=lossless)
    expected = Header("webp", 47, 33, "RGBA", bits=8)
    assert read_header(encoded.getvalue()) == expected


def test_a_bmp_may_be_stored_top_down_or_be_of_os2() -> None:
    data = encode("BMP")
    down = data[:22] + struct.pack("<i", -33) + data[26:]
    assert read_header(down) == read_header(data)
    mirrored = data[:18] + struct.pack("<i", -47) + data[22:]
    assert read_header(mirrored) == replace(read_header(data), width=None)
    core = data[:14] + struct.pack("<IHHHH", 12, 47, 33, 1, 24) + bytes(40)
    assert read_header(core) == read_header(data)


@pytest.mark.parametrize("data", [b"", b"\xff", b"text", b"RIFF1234WAVE", bytes(100)])
def test_other_bytes_are_unknown(data: bytes) -> None:
    assert read_header(data) == Header("unknown")


SAMPLES = [
    encode("JPEG", exif=orientation(6)),
    encode("PNG", exif=orientation(6)),
    encode("WEBP", exif=orientation(6)),
    encode("WEBP", lossless=True),
    encode("GIF"),
    encode("BMP"),
    encode("TIFF", exif=orientation(6)),
]


def test_a_truncated_jpeg_has_its_size_or_none() -> None:
    data = encode("JPEG")
    known = data.index(b"\xff\xc0") + 4 + 9  # a component's table is told, too
    for cut in range(2, len(data)):
        header = read_header(data[:cut])
        expected = (47, 33) if cut >= known else (None, None)
        assert (header.width, header.height) == expected


@pytest.mark.parametrize(
    "data", SAMPLES, ids=[read_header(s).encoding for s in SAMPLES]
)
def test_a_cut_off_image_keeps_its_encoding(data: bytes) -> None:
    whole = read_header(data)
    for cut in range(12, min(len(data), 700)):
        header = read_header(data[:cut])
        assert header.encoding == whole.encoding
        assert header.width in (None, whole.width)
        assert header.height in (None, whole.height)


STARTS = [
    b"",
    *(sample[:12] for sample in SAMPLES),
    b"\xff\xd8\xff\xe1\0\x40Exif\0\0II*\0",
]


@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_whatever_the_bytes_there_is_an_answer(start: bytes, rest: bytes) -> None:
    assert_sound(read_header(start + rest))


@given(st.sampled_from(SAMPLES), st.data())
def test_changed_bytes_have_an_answer_too(sample: bytes, data: st.DataObject) -> None:
    changed = bytearray(sample)
    places = st.integers(0, min(len(sample) - 1, 700))
    for place, value in data.draw(
        st.lists(st.tuples(places, st.sampled_from([0, 1, 0x7F, 0xFF])), max_size=8)
    ):
        changed[place] = value
    assert_sound(read_header(bytes(changed)))


def assert_sound(header: Header) -> None:
    assert header.width is None or header.width > 0
    assert header.height is None or header.height > 0
    assert header.quality is None or 1 <= header.quality <= 100
    assert 1 <= header.orientation <= 8


def test_photos_are_as_pillow_sees_them(shared: Path) -> None:
    found: Counter[str] = Counter()
    for path in sorted((shared / "data" / "photos").iterdir()):
        data = path.read_bytes()
        header = read_header(data)
        with Image.open(io.BytesIO(data)) as image:
            assert header.encoding == "jpeg"
            assert (header.width, header.height, header.mode) == (
                *image.size,
                image.mode,
            )
            assert header.progressive == ("progressive" in image.info)
            assert header.orientation == image.getexif().get(0x0112, 1)
            assert header.bits == image.bits  # type: ignore[attr-defined]
            factors = [(across, down) for _, across, down, _ in image.layer]  # type: ignore[attr-defined]
            name = SAMPLING_OF_LAYERS[tuple(factors)]
        assert header.subsampling == name
        found[name] += 1
    assert found == {"4:4:4": 154, "4:2:0": 42, "4:2:2": 1, "": 3}


SAMPLING_OF_LAYERS: dict[tuple[tuple[int, int], ...], str] = {
    ((1, 1),): "",
    ((1, 1), (1, 1), (1, 1)): "4:4:4",
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
}
