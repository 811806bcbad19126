"""The chunks of PNGs: found and read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.pngs import BASE, LADEN, chunk
from transforms.images import png, png_metadata


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


def test_only_pixels_are_left_for_a_decoder() -> None:
    bare = png.only_pixels(LADEN, png.read_chunks(LADEN))
    assert kinds_of(bare) == [b"IHDR", b"IDAT", b"IEND"]
    assert bare == BASE
    cut = LADEN[: LADEN.index(b"IDAT") + 40]
    assert png.only_pixels(cut, png.read_chunks(cut)) == BASE[: 33 + 4 + 40]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), st.sampled_from([b"", LADEN[8:70], BASE[8:]]))
def test_any_bytes_can_be_walked(junk: bytes, start: bytes) -> None:
    data = png.SIGNATURE + start + junk
    chunks = png.read_chunks(data)
    png.read_header(data)
    png_metadata.read_metadata(data, chunks)
    assert png_metadata.cut_metadata(data, chunks, ()) == data
    assert len(png.only_pixels(data, chunks)) <= len(data)
