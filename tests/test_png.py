"""The chunks of PNGs: found, read and cut out."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from transforms import png
from transforms.jpeg import Kind, Metadata

NOISE = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)
PROFILE = bytes(16) + b"RGB " + bytes(range(256)) * 9
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>\xc3\xa9</x:xmpmeta>"
EXIF = b"II*\0\x08\0\0\0\0\0"


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def save(**options: object) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(NOISE).save(encoded, "PNG", **options)
    return encoded.getvalue()


def laden() -> bytes:
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    texts.add_text("Comment", "kept")
    return save(pnginfo=texts, exif=EXIF, icc_profile=PROFILE)


BASE = save()
LADEN = laden()


def kinds_of(data: bytes) -> list[bytes]:
    return [kind for kind, _, _, _ in png.read_chunks(data)]


def test_chunks_are_found() -> None:
    chunks = png.read_chunks(LADEN)
    assert kinds_of(LADEN) == [
        *(b"IHDR", b"iCCP", b"iTXt", b"tEXt", b"eXIf", b"IDAT", b"IEND")
    ]
    assert chunks[0] == (b"IHDR", 8, 16, 33)
    assert chunks[-1][3] == len(LADEN)
    assert kinds_of(LADEN + BASE[8:]) == kinds_of(LADEN)
    assert kinds_of(LADEN[:-1]) == kinds_of(LADEN)[:-1]


def test_headers_are_read() -> None:
    assert png.read_header(BASE) == png.Header(31, 20, 8)
    assert png.read_header(BASE[:25]) == png.Header(31, 20, 8)
    assert png.read_header(BASE[:24]) is None
    assert png.read_header(BASE[:8] + chunk(b"gAMA", bytes(9)) + BASE[8:]) is None


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        (("exif",), [b"iCCP", b"iTXt", b"tEXt", b"IDAT"]),
        (("xmp",), [b"iCCP", b"tEXt", b"eXIf", b"IDAT"]),
        (("icc",), [b"iTXt", b"tEXt", b"eXIf", b"IDAT"]),
        (("exif", "xmp", "icc"), [b"tEXt", b"IDAT"]),
        ((), [b"iCCP", b"iTXt", b"tEXt", b"eXIf", b"IDAT"]),
    ],
)
def test_cutting_takes_the_chunks_named_and_no_others(
    kinds: tuple[Kind, ...], left: list[bytes]
) -> None:
    cut = png.cut_metadata(LADEN + b"behind", png.read_chunks(LADEN), kinds)
    whole = {kind: LADEN[start:end] for kind, start, _, end in png.read_chunks(LADEN)}
    pieces = [whole[kind] for kind in (b"IHDR", *left, b"IEND")]
    assert cut == b"".join([png.SIGNATURE, *pieces, b"behind"])
    with Image.open(io.BytesIO(cut)) as image:
        assert image.tobytes() == NOISE.tobytes()
        assert image.text["Comment"] == "kept"


def test_an_international_text_that_is_no_xmp_stays() -> None:
    texts = PngInfo()
    texts.add_itxt("Title", "XML:com.adobe.xmp")
    data = save(pnginfo=texts)
    assert png.cut_metadata(data, png.read_chunks(data), ("xmp",)) == data


def test_only_pixels_are_left_for_a_decoder() -> None:
    bare = png.only_pixels(LADEN, png.read_chunks(LADEN))
    assert kinds_of(bare) == [b"IHDR", b"IDAT", b"IEND"]
    assert bare == BASE
    cut = LADEN[: LADEN.index(b"IDAT") + 40]
    assert png.only_pixels(cut, png.read_chunks(cut)) == BASE[: 33 + 4 + 40]


def test_metadata_are_read() -> None:
    assert png.read_metadata(LADEN, png.read_chunks(LADEN)) == Metadata(
        EXIF, PACKET, PROFILE
    )
    assert png.read_metadata(BASE, png.read_chunks(BASE)) == Metadata()


@pytest.mark.parametrize(
    "body",
    [
        b"name\0\0" + zlib.compress(PROFILE)[:-9],
        b"name\0\0" + b"no zlib",
        b"name\0\0" + zlib.compress(bytes((1 << 24) + 1)),
        b"name",
        b"",
    ],
    ids=["cut-off", "damaged", "very-long", "name-alone", "empty"],
)
def test_a_profile_that_cannot_be_read_is_none(body: bytes) -> None:
    data = BASE[:33] + chunk(b"iCCP", body) + BASE[33:]
    assert png.read_metadata(data, png.read_chunks(data)).icc == b""


def test_a_compressed_packet_is_left_out() -> None:
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", PACKET.decode(), zip=True)
    data = save(pnginfo=texts)
    assert png.read_metadata(data, png.read_chunks(data)).xmp == b""


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), st.sampled_from([b"", LADEN[8:70], BASE[8:]]))
def test_any_bytes_can_be_walked(junk: bytes, start: bytes) -> None:
    data = png.SIGNATURE + start + junk
    chunks = png.read_chunks(data)
    png.read_header(data)
    png.read_metadata(data, chunks)
    assert png.cut_metadata(data, chunks, ()) == data
    assert len(png.only_pixels(data, chunks)) <= len(data)
