"""Which images are rejected and repaired, that the results are TFDS's, and the rest."""

import hashlib
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from tests.helpers.jpegs import EXTENDED, THUMBNAIL
from transforms.errors import ImageError
from transforms.images import jpeg_metadata, png_metadata
from transforms.images.codecs import WARNINGS
from transforms.images.header import read_header
from transforms.images.jpeg import read_segments
from transforms.images.jpeg_metadata import insert_metadata, read_metadata
from transforms.images.metadata import Metadata
from transforms.images.policy import REASONS, ImagePolicy, RejectedImage
from transforms.images.treatment import Repair, Treated, treat_image

Pixels = npt.NDArray[np.uint8]


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()


def blocks(size: int, channels: int, seed: int = 0) -> Pixels:
    """Returns 4 by 3 squares, each of one random value per channel."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (3, 4, channels), dtype=np.uint8)
    return np.kron(values, np.ones((size, size, 1), np.uint8))


def smooth(channels: int, seed: int) -> Pixels:
    """Returns values that go evenly from corner to corner."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 256, (channels, 2, 2), dtype=np.uint8)
    planes = [
        Image.fromarray(plane).resize((96, 72), Image.Resampling.BICUBIC)
        for plane in corners
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def cmyk_jpeg(pixels: Pixels, **options: object) -> bytes:
    """Returns a CMYK JPEG as Adobe's programs write it: inverted, and marked so."""
    return save(Image.fromarray(pixels, "CMYK"), "JPEG", quality=95, **options)


def without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def ycck_jpeg(pixels: Pixels) -> bytes:
    inverted = np.ascontiguousarray(255 - pixels)
    data: bytes = simplejpeg.encode_jpeg(inverted, 95, "CMYK", "444")
    return data


PNG_START = b"\x89PNG\r\n\x1a\n"
RGB = Image.fromarray(blocks(4, 3))
CMYK = cmyk_jpeg(blocks(4, 4))


# --- What is looked at ----------------------------------------------------------------


def with_fill_bytes(data: bytes) -> bytes:
    """Puts fill bytes before every marker of the header, as the format allows."""
    at = data.index(b"\xff\xc0")
    return data[:2] + b"\xff\xff" + data[2:at] + b"\xff\xff\xff" + data[at:]


def as_treated(
    data: bytes, repair: Repair | None, warnings: tuple[str, ...]
) -> Treated:
    """Returns what treating gives, with the header that is read of the bytes alone."""
    return Treated(data, read_header(data), repair, warnings)


def repaired(data: bytes) -> bytes:
    return treat_image(data, ImagePolicy()).data


@pytest.mark.parametrize(
    ("data", "repair"),
    [
        pytest.param(save(RGB, "JPEG"), None, id="rgb"),
        pytest.param(save(RGB, "JPEG", progressive=True), None, id="progressive"),
        pytest.param(save(RGB.convert("L"), "JPEG"), None, id="grey"),
        pytest.param(CMYK, "cmyk", id="cmyk"),
        pytest.param(
            cmyk_jpeg(blocks(4, 4), progressive=True), "cmyk", id="cmyk-progressive"
        ),
        pytest.param(without_adobe(CMYK), "cmyk", id="cmyk-unmarked"),
        pytest.param(ycck_jpeg(blocks(4, 4)), "cmyk", id="ycck"),
        pytest.param(with_fill_bytes(CMYK), "cmyk", id="fill-bytes"),
        pytest.param(
            CMYK[:2] + b"\xff\x01\xff\xd0" + CMYK[2:], "cmyk", id="bare-markers"
        ),
        pytest.param(
            save(RGB, "JPEG", exif=b"Exif\0\0" + CMYK), None, id="cmyk-thumbnail"
        ),
        pytest.param(save(RGB, "PNG"), "png", id="png"),
    ],
)
def test_what_an_image_is_decides_its_repair(
    data: bytes, repair: Repair | None
) -> None:
    assert treat_image(data, ImagePolicy()).repaired == repair


# --- CMYK -----------------------------------------------------------------------------


def as_tfds_saves(rgb: Pixels) -> bytes:
    return save(Image.fromarray(rgb), "JPEG", quality=100, dpi=(300, 300))


def decode(data: bytes) -> npt.NDArray[np.int16]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image).astype(np.int16)


def by_formula(data: bytes, inverted: bool) -> Pixels:
    """Returns what TFDS makes of a CMYK JPEG, decoded by Pillow instead."""
    pillow = decode(data)  # which takes every file for an inverted one
    light = 255 - pillow if inverted else pillow
    return (light[..., :3].astype(np.int32) * light[..., 3:] // 255).astype(np.uint8)


KINDS = ["adobe", "unmarked", "ycck"]


def jpeg_of(kind: str, pixels: Pixels) -> bytes:
    if kind == "ycck":
        return ycck_jpeg(pixels)
    return cmyk_jpeg(pixels) if kind == "adobe" else without_adobe(cmyk_jpeg(pixels))


@pytest.mark.parametrize("kind", KINDS)
def test_cmyk_squares_have_the_bytes_of_the_plain_formula(kind: str) -> None:
    # Without detail, every way to decode gives the same pixels.
    data = jpeg_of(kind, blocks(16, 4))
    expected = by_formula(data, inverted=kind != "unmarked")
    assert repaired(data) == as_tfds_saves(expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_cmyk_pixels_are_near_those_of_the_plain_formula(kind: str, seed: int) -> None:
    data = jpeg_of(kind, smooth(4, seed))
    expected = decode(as_tfds_saves(by_formula(data, inverted=kind != "unmarked")))
    found = decode(repaired(data))
    # Five levels for the fast DCT, and what the encoder makes of them.
    assert np.abs(found - expected).max() <= 7
    assert np.abs(found - expected).mean() < 1


@pytest.mark.parametrize("subsampling", [1, 2])
def test_cmyk_with_samplings_turbojpeg_refuses_is_repaired(subsampling: int) -> None:
    data = cmyk_jpeg(blocks(16, 4), subsampling=subsampling)
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg(data, "CMYK")
    assert repaired(data) == as_tfds_saves(by_formula(data, inverted=True))


# A 24 by 16 picture, and the hash of what TensorFlow 2.21 makes of it with
# tf.image.decode_jpeg and tf.image.encode_jpeg(format="rgb", quality=100).
KNOWN = bytes.fromhex(
    "ffd8ffee000e41646f626500640000000000ffdb0043001b12141714111b"
    "1716171e1c1b2028422b28252528513a3d3042605565645f555d5b6a7899"
    "816a7190735b5d85b586909ea3abadab6780bcc9baa6c799a8aba4ffc000"
    "140800100018044311004d11005911004b1100ffc4001700010101010000"
    "0000000000000000000005040306ffc40022100002020104020301000000"
    "0000000000010200030405112131134106121581ffda000e0443004d0059"
    "004b00003f008d3e3f90ac0b030fc706970c4750e6a8b09862e95656e099"
    "55b80f553b11161ac56d4f8b7e667f9d6587813a0a9863d1cfa81e4d4439"
    "e21b7e03e4b1651dcd9742b987464376b15a310677ad71dba8fe4e97578c"
    "ec25b8f586602109acda4f726b0798ec6083011727fb1bc6c44080ed2ea3"
    "31b276563dcc8e8f559c902743898ca2b1c4df85e36968d169b87d9bdcff"
    "d9"
)


@pytest.mark.parametrize(
    ("data", "sha256"),
    [
        (KNOWN, "4e9a9218b5551956e33dd58c7d4ed9bb542fba1c152bf25ce5a88b967190a00e"),
        (
            without_adobe(KNOWN),
            "d6053afa9d628b9280b15d18117c9f4f59ad9bef0dc88be9d84d1dffa1b4e506",
        ),
    ],
    ids=["adobe", "unmarked"],
)
def test_cmyk_becomes_what_tensorflow_makes_of_it(data: bytes, sha256: str) -> None:
    assert hashlib.sha256(repaired(data)).hexdigest() == sha256


@pytest.mark.parametrize("data", [CMYK, save(RGB, "PNG")], ids=["cmyk", "png"])
def test_a_repaired_image_is_a_plain_rgb_jpeg(data: bytes) -> None:
    written = repaired(data)
    assert treat_image(written, ImagePolicy()) == as_treated(written, None, ())
    with Image.open(io.BytesIO(written)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (16, 12))
        assert set(image.info) == {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "dpi",
        }  # neither EXIF nor a colour profile
        assert (image.info["jfif_unit"], image.info["dpi"]) == (1, (300, 300))
        assert [set(table) for table in image.quantization.values()] == [{1}, {1}]
        assert not image.info.get("progressive")
        sampling = [(layer[1], layer[2]) for layer in image.layer]
    assert sampling == [(2, 2), (1, 1), (1, 1)]


# --- PNG ------------------------------------------------------------------------------


def three(grey: Pixels) -> Pixels:
    return np.repeat(grey[..., None], 3, axis=-1)


RGBA = blocks(4, 4, seed=1)
GREY = blocks(4, 1, seed=2)[..., 0]
GREY_16 = np.arange(192, dtype=np.uint16).reshape(12, 16) * 341
PALETTE = blocks(1, 3, seed=3).reshape(12, 3)
INDEXED = np.arange(192, dtype=np.uint8).reshape(12, 16) % 12


def indexed() -> Image.Image:
    image = Image.fromarray(INDEXED, "P")
    image.putpalette(PALETTE.tobytes())
    return image


@pytest.mark.parametrize(
    ("data", "rgb"),
    [
        pytest.param(save(RGB, "PNG"), np.asarray(RGB), id="rgb"),
        pytest.param(
            save(Image.fromarray(RGBA, "RGBA"), "PNG"), RGBA[..., :3], id="rgba"
        ),
        pytest.param(save(Image.fromarray(GREY), "PNG"), three(GREY), id="grey"),
        pytest.param(
            save(Image.fromarray(np.stack([GREY, GREY // 2], axis=-1), "LA"), "PNG"),
            three(GREY),
            id="grey-alpha",
        ),
        pytest.param(save(indexed(), "PNG"), PALETTE[INDEXED], id="palette"),
        pytest.param(
            save(indexed(), "PNG", transparency=3),
            PALETTE[INDEXED],
            id="palette-one-transparent",
        ),
        pytest.param(
            save(indexed(), "PNG", transparency=bytes([0, 128, 255])),
            PALETTE[INDEXED],
            id="palette-alpha",
        ),
        pytest.param(
            save(Image.fromarray(GREY > 127), "PNG"),
            three(np.where(GREY > 127, 255, 0).astype(np.uint8)),
            id="bits",
        ),
        pytest.param(
            save(Image.fromarray(GREY_16), "PNG"),
            three((GREY_16 // 256).astype(np.uint8)),
            id="grey-16-bits",
        ),
        pytest.param(
            save(RGB, "PNG", transparency=(1, 2, 3)), np.asarray(RGB), id="rgb-key"
        ),
    ],
)
def test_png_becomes_rgb_without_its_alpha(data: bytes, rgb: Pixels) -> None:
    assert repaired(data) == as_tfds_saves(rgb)


# --- What can't be decoded ------------------------------------------------------------

PNG = save(RGB, "PNG")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(CMYK[: len(CMYK) // 2], id="cmyk-header-alone"),
        pytest.param(CMYK[:40], id="cmyk-start"),
        pytest.param(PNG[: len(PNG) // 2], id="png-half"),
        pytest.param(PNG[:8], id="png-signature"),
    ],
)
def test_what_cannot_be_decoded_is_an_image_error(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        repaired(data)
    assert str(caught.value).startswith("it can't be decoded: ")


@pytest.mark.parametrize("repair", ["cmyk", "png"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_damage_ends_in_an_image_or_an_image_error(
    repair: Repair, data: st.DataObject
) -> None:
    damaged = bytearray(CMYK if repair == "cmyk" else PNG)
    for _ in range(data.draw(st.integers(1, 3))):
        # Not the numbers that stand for sizes, lest it be a picture of gigabytes.
        place = data.draw(st.integers(30, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(40, len(damaged)))
    try:
        treated = treat_image(bytes(damaged[:cut]), ImagePolicy())
    except ImageError:
        return
    if treated.repaired:  # the damage may have made a grey JPEG of it
        assert read_header(treated.data).mode == "RGB"


# --- What is rejected -----------------------------------------------------------------

BASE = save(RGB, "JPEG")
PROGRESSIVE = save(RGB, "JPEG", progressive=True)
KEEP = ImagePolicy(policy="keep")
REPAIR = ImagePolicy()
DECODE = ImagePolicy(check="decode")
ENCODE = ImagePolicy(policy="reencode")
RESIZE = ImagePolicy(policy="resize", longest_side=8)
ALL = [KEEP, REPAIR, DECODE, ENCODE, RESIZE]


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def without_palette(data: bytes) -> bytes:
    at = data.index(b"PLTE") - 4
    return data[:at] + data[at + 12 + int.from_bytes(data[at : at + 4], "big") :]


FRAME = BASE.index(b"\xff\xc0")
SCAN = BASE.index(b"\xff\xda")
IDAT = PNG.index(b"IDAT")


@pytest.mark.parametrize(
    ("data", "reason", "message"),
    [
        pytest.param(b"", "empty", "it has no bytes", id="empty"),
        pytest.param(
            save(RGB, "GIF"),
            "wrong_kind",
            "it is neither a JPEG nor a PNG: it begins with b'GIF87a\\x10\\x00'",
            id="gif",
        ),
        pytest.param(
            b"<html>", "wrong_kind", "it is neither a JPEG nor a PNG", id="text"
        ),
        pytest.param(bytes(99), "wrong_kind", "it is neither a JPEG nor", id="zeros"),
        pytest.param(b"\n" + BASE, "wrong_kind", "it is neither a JPEG", id="shifted"),
        pytest.param(b"\xff\xd8", "truncated", "ends before its first", id="start"),
        pytest.param(BASE[:FRAME], "truncated", "ends before its", id="no-frame"),
        pytest.param(BASE[: FRAME + 6], "truncated", "ends before", id="in-frame"),
        pytest.param(BASE[:SCAN], "truncated", "ends before", id="no-scan"),
        pytest.param(BASE[: SCAN + 3], "truncated", "ends before", id="in-scan"),
        pytest.param(BASE[: SCAN + 14], "truncated", "ends before", id="no-pixels"),
        pytest.param(
            b"\xff\xd8\xff\xd9", "undecodable", "without a picture", id="only-ends"
        ),
        pytest.param(
            b"\xff\xd8" + bytes(99), "undecodable", "without a picture", id="no-markers"
        ),
        pytest.param(
            BASE[:20] + BASE[SCAN:], "undecodable", "without a picture", id="scan-alone"
        ),
        pytest.param(
            changed(BASE, FRAME + 5, bytes(2)), "undecodable", "no height", id="high-0"
        ),
        pytest.param(
            changed(BASE, FRAME + 4, b"\x0c"), "undecodable", "of 12 bits", id="12-bits"
        ),
        pytest.param(
            changed(BASE, FRAME + 9, b"\x02"), "undecodable", "with 2 comp", id="2-comp"
        ),
        pytest.param(
            changed(BASE, FRAME + 1, b"\xc3"),
            "undecodable",
            "a lossless",
            id="lossless",
        ),
        pytest.param(
            changed(BASE, FRAME + 1, b"\xcb"), "undecodable", "a lossless", id="sof-11"
        ),
        pytest.param(
            changed(BASE, FRAME + 1, b"\xc5"), "undecodable", "of a kind", id="sof-5"
        ),
        pytest.param(PNG_START, "truncated", "a PNG without a header", id="png-start"),
        pytest.param(
            PNG_START + bytes(20),
            "undecodable",
            "a PNG without a header",
            id="png-junk",
        ),
        pytest.param(
            changed(PNG, 16, bytes(4)), "undecodable", "no width", id="png-width-0"
        ),
        pytest.param(
            changed(BASE, FRAME + 5, b"\xff" * 4),
            "too_many_pixels",
            "it has 65,535 x 65,535 pixels, more than 67,108,864",
            id="pixels",
        ),
        pytest.param(
            changed(PNG, 16, b"\x7f\xff\xff\xff" * 2),
            "too_many_pixels",
            "it has 2,147,483,647 x 2,147,483,647 pixels",
            id="png-pixels",
        ),
        pytest.param(
            PROGRESSIVE[:-2] + PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2] * 491,
            "too_many_scans",
            "it has 501 scans, more than 500",
            id="scans",
        ),
        pytest.param(
            changed(PROGRESSIVE, PROGRESSIVE.index(b"\xff\xc2") + 5, b"\x20\0\x20\0")
            + b"\xff\xda" * 2,
            "too_many_scans",
            "it has 12 scans of 8,192 x 8,192 pixels, which count as 805,306,368, more "
            "than 800,000,000",
            id="scans-of-many-pixels",
        ),
        pytest.param(
            changed(PNG, IDAT + 4, b"junk"),
            "undecodable",
            "the checksum of its IDAT is wrong",
            id="png-junk",
        ),
        pytest.param(
            changed(PNG, 24, b"\x10"),
            "undecodable",
            "the checksum of its IHDR is wrong",
            id="png-header",
        ),
        pytest.param(
            b"\xff\xd8" + b"\xff\xfe\0\2" * (1 << 17) + BASE[2:],
            "undecodable",
            "its pixels begin after 131,072 segments",
            id="segments",
        ),
        pytest.param(
            BASE[:FRAME] + b"x" * (1 << 24) + BASE[FRAME:],
            "undecodable",
            "segments, at byte 16,777,8",
            id="long-header",
        ),
        pytest.param(
            PNG[:33] + chunk(b"tEXt", b"") * (1 << 17) + PNG[33:],
            "undecodable",
            "it has 131,072 chunks, or more",
            id="png-chunks",
        ),
    ],
)
@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.policy)
def test_headers_tell_what_is_rejected(
    policy: ImagePolicy, data: bytes, reason: str, message: str
) -> None:
    with pytest.raises(RejectedImage) as caught:
        treat_image(data, policy)
    assert caught.value.reason == reason
    assert message in str(caught.value)


def test_bounds_are_those_of_the_policy() -> None:
    exact = ImagePolicy(max_bytes=len(BASE), max_pixels=16 * 12, max_scans=10)
    for data in (BASE, PROGRESSIVE[: len(BASE)]):
        assert treat_image(data, exact).data == data
    for name, reason in (
        ("max_bytes", "too_large"),
        ("max_pixels", "too_many_pixels"),
        ("max_scans", "too_many_scans"),
    ):
        below = replace(exact, max_bytes=len(PROGRESSIVE))
        below = replace(below, **{name: getattr(below, name) - 1})
        with pytest.raises(RejectedImage) as caught:
            treat_image(PROGRESSIVE, below)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BASE[: (SCAN + len(BASE)) // 2], "truncated"),
        (PROGRESSIVE[: len(PROGRESSIVE) // 2], "truncated"),
        (CMYK[:-20], "truncated"),
        (changed(BASE, BASE.index(b"\xff\xc4") + 5, b"\xff" * 8), "undecodable"),
        (PNG[:-30], "truncated"),
        (PNG[:33] + chunk(b"IDAT", b"junk") + chunk(b"IEND", b""), "undecodable"),
        (
            PNG[:33]
            + chunk(b"IDAT", PNG[IDAT + 4 : IDAT + 9])
            + chunk(b"tEXt", b"between")
            + chunk(b"IDAT", PNG[IDAT + 9 : -16])
            + chunk(b"IEND", b""),
            "truncated",
        ),
        (BASE[:-2], "truncated"),
        (PROGRESSIVE[:-2], "truncated"),
        (CMYK[:-2], "truncated"),
        (without_palette(save(indexed(), "PNG")), "undecodable"),
        (BASE[:FRAME] + BASE[FRAME : FRAME + 19] + BASE[FRAME:], "undecodable"),
    ],
    ids=[
        "half",
        "scans",
        "cmyk",
        "tables",
        "png",
        "png-junk",
        "png-interrupted",
        "no-end",
        "scans-no-end",
        "cmyk-no-end",
        "colours",
        "frames",
    ],
)
def test_decoding_tells_more_of_what_is_rejected(data: bytes, reason: str) -> None:
    keep = replace(DECODE, policy="keep")
    for policy in (DECODE, keep, ENCODE, replace(ENCODE, encoding="png"), RESIZE):
        with pytest.raises(RejectedImage) as caught:
            treat_image(data, policy)
        assert caught.value.reason == reason
        assert str(caught.value).startswith("it can't be decoded: ")
    assert treat_image(data, KEEP).data == data


@pytest.mark.parametrize(
    ("data", "ended"),
    [
        (BASE, True),
        (BASE + b"\0\n", True),
        (BASE + BASE[:-2], True),
        (BASE[:-1], False),
        (BASE[:-40], False),
        (BASE[:-40] + bytes(40), False),
        (BASE[:2] + BASE[2:20] + b"\xff\xe1\0\x04\xff\xd9" + BASE[20:-9], False),
        (PROGRESSIVE[:-40], False),
        (PNG, True),
        (PNG + b"behind", True),
        (PNG[:-12], False),
        (PNG[:-20], False),
    ],
)
def test_an_end_that_is_missing_is_told_without_decoding(
    data: bytes, ended: bool
) -> None:
    treated = treat_image(data, KEEP)
    assert treated == as_treated(data, None, () if ended else ("missing_end",))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BASE[: (SCAN + len(BASE)) // 2] + bytes(999), "missing_end"),
        (BASE[:-2] + b"junk" * 9 + b"\xff\xd9", "extraneous_bytes"),
        (BASE[:20] + b"junk" + BASE[20:], "extraneous_bytes"),
        (BASE[:-40] + b"\xff\xd9", "missing_data"),
        (changed(BASE, 11, b"\x09"), "unknown_header"),
        (BASE[: SCAN + 20] + b"\xff\xd3" + BASE[SCAN + 20 :], "missing_data"),
    ],
)
def test_what_libjpeg_warns_of_is_accepted_and_named(data: bytes, code: str) -> None:
    assert code in WARNINGS
    for policy in (DECODE, ENCODE, RESIZE):
        assert treat_image(data, policy).warnings == (code,)
    assert treat_image(data, replace(DECODE, policy="keep")) == as_treated(
        data, None, (code,)
    )
    ended = ("missing_end",) if code == "missing_end" else ()
    assert treat_image(data, KEEP) == as_treated(data, None, ended)


@pytest.mark.parametrize("length", [14, 16])
@pytest.mark.parametrize("laden", [False, True])
def test_junk_behind_a_segment_that_is_too_long_for_its_length_is_passed_over(
    length: int, laden: bool
) -> None:
    # Cutting the first segment out would leave junk where a marker has to be.
    exif = b"\xff\xe1" + struct.pack(">H", 8 + len(EXIF)) + b"Exif\0\0" + EXIF
    data = b"\xff\xd8" + exif + b"J" * length + BASE[2 if laden else 20 :]
    for policy in (DECODE, ENCODE, RESIZE, replace(ENCODE, encoding="png")):
        assert treat_image(data, policy).warnings == ("extraneous_bytes",)
    pixels = treat_image(data, replace(ENCODE, encoding="png", exif="strip")).data
    assert pixels == treat_image(BASE, replace(ENCODE, encoding="png")).data


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.policy)
def test_bytes_behind_the_end_are_nobodys_business(policy: ImagePolicy) -> None:
    treated = treat_image(BASE + b"junk" * 99, policy)
    assert treated.warnings == ()
    if policy in (KEEP, REPAIR, DECODE):
        assert treated.data == BASE + b"junk" * 99
    else:
        assert treated == treat_image(BASE, policy)


SMALL = {"max_pixels": 10_000, "max_scans": 20}


@pytest.mark.parametrize(
    "policy",
    [
        ImagePolicy(check="decode", exif="strip", xmp="strip", icc="strip", **SMALL),
        ImagePolicy(policy="keep", check="decode", **SMALL),
        ImagePolicy(policy="reencode", orientation="apply", **SMALL),
        ImagePolicy(policy="resize", exact=(9, 7), encoding="png", **SMALL),
    ],
    ids=lambda policy: policy.policy,
)
@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_whatever_the_bytes_an_image_is_treated_or_rejected(
    policy: ImagePolicy, data: st.DataObject
) -> None:
    laden = BASE[:20] + LADEN_SEGMENTS + BASE[20:]
    images = [laden, PROGRESSIVE, CMYK, PNG, save(indexed(), "PNG", exif=EXIF)]
    damaged = bytearray(data.draw(st.sampled_from(images)))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(1, 3))] = data.draw(
            st.binary(max_size=3)
        )
    cut = data.draw(st.integers(0, len(damaged)))
    image = bytes(damaged if data.draw(st.booleans()) else damaged[:cut])
    try:
        treated = treat_image(image, policy)
    except RejectedImage as error:
        reason = error.reason
    else:
        assert set(treated.warnings) <= set(WARNINGS)
        assert treated.data
        return
    assert reason in REASONS


# --- What is written ------------------------------------------------------------------

EXIF = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"  # a quarter turn
UPRIGHT = EXIF.replace(b"\6", b"\1")
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
PROFILES = {
    space: bytes(16) + space + bytes(40) for space in (b"RGB ", b"GRAY", b"CMYK")
}
LADEN = insert_metadata(BASE, Metadata(EXIF, PACKET, PROFILES[b"RGB "]))
LADEN_SEGMENTS = LADEN[20 : len(LADEN) - len(BASE) + 20]


@pytest.mark.parametrize("policy", [KEEP, REPAIR, DECODE], ids=["keep", "repair", "d"])
@pytest.mark.parametrize(
    "data", [BASE, PROGRESSIVE, LADEN, save(RGB.convert("L"), "JPEG")]
)
def test_sound_jpegs_stay_as_they_are(data: bytes, policy: ImagePolicy) -> None:
    assert treat_image(data, policy) == as_treated(data, None, ())


@pytest.mark.parametrize(
    ("data", "repair"), [(CMYK, "cmyk"), (PNG, "png")], ids=["cmyk", "png"]
)
def test_repair_repairs_and_keep_does_not(data: bytes, repair: Repair) -> None:
    written = repaired(data)
    assert treat_image(data, REPAIR) == as_treated(written, repair, ())
    assert treat_image(data, DECODE) == as_treated(written, repair, ())
    assert treat_image(data, KEEP) == as_treated(data, None, ())
    assert treat_image(data, ENCODE).repaired is None


@pytest.mark.parametrize(
    ("strip", "left"),
    [
        ({"exif": "strip"}, Metadata(b"", PACKET, PROFILES[b"RGB "])),
        ({"xmp": "strip"}, Metadata(EXIF, b"", PROFILES[b"RGB "])),
        ({"icc": "strip"}, Metadata(EXIF, PACKET, b"")),
        ({"exif": "strip", "xmp": "strip", "icc": "strip"}, Metadata()),
    ],
    ids=["exif", "xmp", "icc", "all"],
)
def test_stripping_is_lossless(strip: dict[str, str], left: Metadata) -> None:
    for policy in ("keep", "repair"):
        stripped = treat_image(LADEN, ImagePolicy(policy=policy, **strip))
        assert stripped == as_treated(insert_metadata(BASE, left), None, ())
    stripped = treat_image(save(RGB, "PNG", exif=EXIF), replace(KEEP, exif="strip"))
    assert stripped.data == PNG


@pytest.mark.parametrize("encoding", ["jpeg", "webp", "png"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_metadata_stay_when_an_image_is_encoded_anew(kind: str, encoding: Any) -> None:
    data = LADEN
    if kind == "PNG":
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", PACKET.decode())
        profile = PROFILES[b"RGB "]
        data = save(RGB, "PNG", pnginfo=texts, exif=EXIF, icc_profile=profile)
    for orientation, exif in (("keep", EXIF), ("apply", UPRIGHT)):
        policy = ImagePolicy(
            policy="reencode", encoding=encoding, orientation=orientation
        )
        with Image.open(io.BytesIO(treat_image(data, policy).data)) as image:
            assert image.info["exif"].removeprefix(b"Exif\0\0") == exif
            assert image.info["xmp"] == PACKET
            assert image.info["icc_profile"] == PROFILES[b"RGB "]
            assert image.size == ((16, 12) if orientation == "keep" else (12, 16))
        bare = replace(policy, exif="strip", xmp="strip", icc="strip")
        with Image.open(io.BytesIO(treat_image(data, bare).data)) as image:
            assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)


@pytest.mark.parametrize(
    ("mode", "space", "colour", "kept"),
    [
        ("RGB", b"RGB ", "keep", True),
        ("L", b"GRAY", "keep", True),
        ("L", b"GRAY", "rgb", False),
        ("L", b"RGB ", "rgb", True),
        ("CMYK", b"CMYK", "keep", False),
    ],
)
def test_a_profile_of_other_colours_is_dropped(
    mode: str, space: bytes, colour: Any, kept: bool
) -> None:
    data = save(RGB.convert(mode), "JPEG", icc_profile=PROFILES[space])
    treated = treat_image(data, ImagePolicy(policy="reencode", colour=colour))
    with Image.open(io.BytesIO(treated.data)) as image:
        assert ("icc_profile" in image.info) == kept


def test_a_comment_does_not_outlive_encoding() -> None:
    commented = save(RGB, "JPEG", comment=b"words")
    assert treat_image(commented, ENCODE) == treat_image(BASE, ENCODE)


@pytest.mark.parametrize(
    ("data", "options", "same"),
    [
        (BASE, {"longest_side": 16}, True),
        (BASE, {"shortest_side": 99}, True),
        (BASE, {"exact": (16, 12)}, True),
        (BASE, {"exact": (16, 99)}, True),
        (BASE, {"longest_side": 16, "colour": "rgb"}, True),
        (BASE, {"longest_side": 16, "orientation": "apply"}, True),
        (BASE, {"longest_side": 15}, False),
        (BASE, {"longest_side": 17, "enlarge": True}, False),
        (BASE, {"exact": (15, 12)}, False),
        (BASE, {"longest_side": 16, "encoding": "png"}, False),
        (LADEN, {"longest_side": 16}, True),
        (LADEN, {"longest_side": 16, "orientation": "apply"}, False),
        (save(RGB.convert("L"), "JPEG"), {"longest_side": 16}, True),
        (save(RGB.convert("L"), "JPEG"), {"longest_side": 16, "colour": "rgb"}, False),
        (CMYK, {"longest_side": 16}, False),
        (PNG, {"longest_side": 16}, False),
    ],
)
def test_resize_leaves_jpegs_alone_that_fit(
    data: bytes, options: dict[str, Any], same: bool
) -> None:
    treated = treat_image(data, ImagePolicy(policy="resize", **options))
    assert (treated.data == data) == same
    if same:
        strip = ImagePolicy(
            policy="resize", exif="strip", xmp="strip", icc="strip", **options
        )
        assert treat_image(data, strip).data == treat_image(treated.data, strip).data
        assert not read_metadata_of(treat_image(data, strip).data).exif


def read_metadata_of(data: bytes) -> Metadata:
    return read_metadata(data, read_segments(data))


@pytest.mark.parametrize(
    ("options", "reason", "message"),
    [
        (
            {"shortest_side": 40_000, "enlarge": True},
            "too_many_pixels",
            "it would get 53,333 x 40,000 pixels, more than 67,108,864",
        ),
        (
            {"exact": (1, 65_501), "enlarge": True},
            "unencodable",
            "it would get 65,501 pixels a side, and jpeg allows 65,500",
        ),
        (
            {"exact": (16_384, 1), "enlarge": True, "encoding": "webp"},
            "unencodable",
            "it would get 16,384 pixels a side, and webp allows 16,383",
        ),
    ],
)
def test_what_would_become_too_large_is_rejected(
    options: dict[str, Any], reason: str, message: str
) -> None:
    with pytest.raises(RejectedImage) as caught:
        treat_image(BASE, ImagePolicy(policy="resize", **options))
    assert (caught.value.reason, str(caught.value)) == (reason, message)


def test_metadata_that_no_jpeg_can_hold_are_dropped_and_counted() -> None:
    data = save(RGB, "PNG", exif=EXIF + bytes(70_000))
    plain = treat_image(PNG, ENCODE)
    assert treat_image(data, ENCODE) == replace(plain, warnings=("metadata_dropped",))
    # What is not to stay is not missed.
    assert treat_image(data, replace(ENCODE, exif="strip")) == plain
    extended = BASE[:20] + EXTENDED + BASE[20:]
    dropped = treat_image(extended, ENCODE)
    assert dropped == replace(treat_image(BASE, ENCODE), warnings=("metadata_dropped",))
    assert treat_image(extended, replace(ENCODE, xmp="strip")).warnings == ()
    assert treat_image(extended, KEEP) == as_treated(extended, None, ())


SIZES = {
    "exif": (65_527, 65_528, 1_048_575, 1_048_576),
    "xmp": (65_504, 65_505, 1_048_575, 1_048_576),
    "icc": (65_519, 65_520, 1_048_575, 1_048_576, 1_048_577, 16_707_345, 16_707_346),
}


@pytest.mark.parametrize("encoding", ["jpeg", "png", "webp"])
@pytest.mark.parametrize(("kind", "size"), [(k, n) for k in SIZES for n in SIZES[k]])
def test_whatever_the_metadata_pillow_opens_what_is_written(
    kind: str, size: int, encoding: Any
) -> None:
    start = EXIF if kind == "exif" else PROFILES[b"RGB "] if kind == "icc" else b"<x>"
    value = start + b" " * (size - len(start))
    metadata = {"exif": EXIF, "xmp": PACKET, "icc": PROFILES[b"RGB "], kind: value}
    data = png_with(**metadata)
    policy = ImagePolicy(policy="reencode", encoding=encoding)
    treated = treat_image(data, policy)
    with (
        Image.open(io.BytesIO(treated.data)) as image,
        Image.open(io.BytesIO(treat_image(PNG, policy).data)) as plain,
    ):
        assert image.tobytes() == plain.tobytes()
        found = {
            "exif": image.info.get("exif", b"").removeprefix(b"Exif\0\0"),
            "xmp": image.info.get("xmp", b""),
            "icc": image.info.get("icc_profile") or b"",
        }
    kept = size <= {"jpeg": max(SIZES[kind][:2]) - 1, "png": 1_048_575}.get(
        encoding, size
    )
    if (kind, encoding) == ("icc", "jpeg"):
        kept = size <= 16_707_345
    assert found == {**metadata, kind: value if kept else b""}
    assert treated.warnings == (() if kept else ("metadata_dropped",))


def png_with(*, exif: bytes, xmp: bytes, icc: bytes) -> bytes:
    """Returns a PNG with metadata, which Pillow may refuse."""
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return save(RGB, "PNG", pnginfo=texts, exif=exif, icc_profile=icc)


TURNED_PACKET = b"""<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF
    xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description
    xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation="%d"/>
    </rdf:RDF></x:xmpmeta>"""
NOISE = Image.fromarray(
    np.random.default_rng(5).integers(0, 256, (12, 16, 3), dtype=np.uint8)
)


def asking(kind: str, in_exif: int | None, in_xmp: int | None) -> bytes:
    """Returns an image that asks for orientations in several ways."""
    exif = EXIF.replace(b"\6", bytes((in_exif,))) if in_exif else b""
    xmp = TURNED_PACKET % in_xmp if in_xmp else b""
    if kind == "JPEG":
        data = save(NOISE, "JPEG", quality=100, subsampling=0)
        return insert_metadata(data, Metadata(exif, xmp))
    texts = PngInfo()
    if xmp:
        texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
    if kind == "PNG":
        return save(NOISE, "PNG", pnginfo=texts, exif=exif)
    profile = f"\nexif\n{len(exif):8}\n{exif.hex()}\n"
    texts.add_text("Raw profile type exif", profile, zip=True)
    return save(NOISE, "PNG", pnginfo=texts)


@pytest.mark.parametrize("metadata", ["keep", "exif", "xmp", "exif xmp"])
@pytest.mark.parametrize("encoding", ["jpeg", "png", "webp"])
@pytest.mark.parametrize(
    ("kind", "in_exif", "in_xmp"),
    [
        (kind, in_exif, in_xmp)
        for kind in ("JPEG", "PNG", "raw profile")
        for in_exif, in_xmp in ((6, None), (6, 6), (1, 6), (8, 3), (3, 1), (None, 6))
        if in_exif or kind != "raw profile"
    ],
)
def test_an_image_is_turned_once(
    kind: str, in_exif: int | None, in_xmp: int | None, encoding: Any, metadata: str
) -> None:
    data = asking(kind, in_exif, in_xmp)
    stripped = {name: "strip" for name in metadata.split() if name != "keep"}
    policy = ImagePolicy(
        policy="reencode", encoding=encoding, orientation="apply", **stripped
    )
    treated = treat_image(data, policy)
    bare = treat_image(data, replace(policy, exif="strip", xmp="strip"))
    with (
        Image.open(io.BytesIO(data)) as image,
        Image.open(io.BytesIO(treated.data)) as written,
        Image.open(io.BytesIO(bare.data)) as upright,
    ):
        wanted = ImageOps.exif_transpose(image)
        shown = ImageOps.exif_transpose(written)
        assert shown.size == wanted.size
        assert shown.tobytes() == written.tobytes() == upright.tobytes()
        if encoding == "png":
            far = np.asarray(shown).astype(int) - np.asarray(wanted)
            assert np.abs(far).max() == 0
        if "xmp" not in stripped and in_xmp:
            assert written.info["xmp"] == TURNED_PACKET % 1
        assert ("xmp" in written.info) == ("xmp" not in stripped and bool(in_xmp))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("in_exif", "in_xmp", "left"), [(1, 6, 1), (6, 1, 6), (6, 6, 6), (None, 6, 6)]
)
def test_without_exif_xmp_says_what_exif_said(
    kind: str, in_exif: int | None, in_xmp: int, left: int
) -> None:
    data = asking(kind, in_exif, in_xmp)
    stripped = treat_image(data, replace(KEEP, exif="strip"))
    assert stripped.data == asking(kind, None, left)
    with (
        Image.open(io.BytesIO(data)) as before,
        Image.open(io.BytesIO(stripped.data)) as after,
    ):
        shown = ImageOps.exif_transpose(after).tobytes()
        assert shown == ImageOps.exif_transpose(before).tobytes()


def test_what_cannot_be_stripped_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    for policy in (replace(KEEP, exif="strip"), replace(KEEP, icc="strip")):
        with pytest.raises(RejectedImage) as caught:
            treat_image(PNG[:-12] + PNG[-11:], policy)
        assert (caught.value.reason, str(caught.value)) == (
            "unstrippable",
            "its metadata can't be cut out: its chunks do not lead to its end",
        )
    endless = BASE[:-2] + b"\xff\xfe\0\2" * (1 << 17) + BASE[-2:]
    with pytest.raises(RejectedImage) as caught:
        treat_image(endless, replace(KEEP, exif="strip"))
    assert (caught.value.reason, str(caught.value)) == (
        "unstrippable",
        "its metadata can't be cut out: it has more than 131,072 segments",
    )
    damaged = (
        (jpeg_metadata, LADEN, BASE[:-9] + BASE[-2:]),
        (jpeg_metadata, LADEN, BASE.replace(b"\xff\xdb", b"\xff\xe5", 1)),
        (png_metadata, PNG, PNG[: IDAT + 4] + bytes(9) + PNG[IDAT + 13 :]),
    )
    for module, data, cut in damaged:
        monkeypatch.setattr(module, "cut_metadata", lambda *_, cut=cut: cut)
        with pytest.raises(RejectedImage) as caught:
            treat_image(data, replace(KEEP, exif="strip"))
        assert (caught.value.reason, str(caught.value)) == (
            "unstrippable",
            "its metadata can't be cut out: it would look different",
        )


def test_later_pictures_and_thumbnails_go_with_exif() -> None:
    several = save(
        *(RGB, "MPO"), save_all=True, append_images=[RGB], exif=b"Exif\0\0" + EXIF
    )
    laden = BASE[:20] + THUMBNAIL + BASE[20:] + several + b"GPS"
    for policy in ("keep", "repair"):
        stripped = treat_image(laden, ImagePolicy(policy=policy, exif="strip"))
        assert stripped == as_treated(BASE, None, ())
        untouched = treat_image(laden, ImagePolicy(policy=policy, icc="strip"))
        assert untouched == as_treated(laden, None, ())
    first = treat_image(several, ImagePolicy(exif="strip")).data
    with Image.open(io.BytesIO(first)) as image:
        assert (image.format, image.info.get("exif")) == ("JPEG", None)
        assert image.tobytes() == Image.open(io.BytesIO(several)).tobytes()


@pytest.mark.parametrize(
    ("policy", "decodes"),
    [(KEEP, False), (REPAIR, False), (DECODE, True), (ENCODE, True), (RESIZE, True)],
)
def test_who_decodes(policy: ImagePolicy, decodes: bool) -> None:
    assert policy.decodes == decodes


def test_large_images_and_odd_metadata_warn_nobody() -> None:
    # Warnings are errors in these tests; Pillow warns of all three on its own.
    animated = PNG[:33] + chunk(b"acTL", bytes(8)) + PNG[33:]
    broken = EXIF.replace(b"\1\0\x12\1", b"\xff\0\x12\1")
    exif = insert_metadata(BASE, Metadata(exif=broken))[:-2] + b"junk\xff\xd9"
    large = save(Image.new("L", (10_000, 9_000)), "PNG")
    keep = {"policy": "keep", "check": "decode"}
    for options in ({"policy": "resize", "longest_side": 4}, keep):
        policy = ImagePolicy(max_pixels=90_000_000, **options)
        for data in (animated, exif, large):
            assert treat_image(data, policy).data


def test_threads_get_what_one_gets() -> None:
    images = [BASE, PROGRESSIVE, CMYK, PNG, LADEN] * 20
    policies = [RESIZE, ENCODE, replace(ENCODE, progressive=True), DECODE]
    jobs = [(data, policy) for data in images for policy in policies]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: treat_image(*job), jobs))
    assert found == [treat_image(*job) for job in jobs]
