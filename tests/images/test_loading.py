"""What ``decode`` rejects is what Pillow refuses to load, over thousands of files."""

import io
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from transforms.documents.figure import draw_figure
from transforms.documents.report.thumbnails import draw_thumbnail
from transforms.formats.records import Example
from transforms.images import jpeg, png
from transforms.images.header import read_header
from transforms.images.jpeg_metadata import insert_metadata
from transforms.images.metadata import Metadata
from transforms.images.policy import ImagePolicy, RejectedImage
from transforms.images.treatment import treat_image
from transforms.statistics.pixels import sample_pixels
from transforms.verification.files import image_fault

KEEP: Final = ImagePolicy(policy="keep")
DECODE: Final = ImagePolicy(policy="keep", check="decode")

PIXELS: Final = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
RGB: Final = Image.fromarray(PIXELS)
EXIF: Final = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
PROFILE: Final = bytes(16) + b"RGB " + bytes(100)


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def laden_png() -> bytes:
    texts = PngInfo()
    texts.add_text("Comment", "words" * 9, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", "<x/>")
    return save(RGB, "PNG", pnginfo=texts, exif=EXIF, icc_profile=PROFILE)


JPEGS: Final = {
    "baseline": save(RGB, "JPEG", quality=50),
    "laden": insert_metadata(
        save(RGB, "JPEG", quality=50), Metadata(EXIF, b"<x/>", PROFILE)
    ),
    "progressive": save(RGB, "JPEG", quality=50, progressive=True),
    "restarts": save(RGB, "JPEG", quality=50, restart_marker_rows=1),
    "grey": save(RGB.convert("L"), "JPEG", quality=50),
    "cmyk": save(RGB.convert("CMYK"), "JPEG", quality=50),
}
PNGS: Final = {
    "rgb": save(RGB.resize((10, 8)), "PNG"),
    "grey": save(RGB.convert("L"), "PNG"),
    "palette": save(RGB.convert("P"), "PNG"),
    "laden": laden_png(),
}


def loads(data: bytes) -> bool:
    """Returns whether Pillow, as it comes, loads an image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
        except Exception:  # whatever it is, it is a refusal
            return False
    return True


def accepted(data: bytes, policy: ImagePolicy = DECODE) -> bool:
    try:
        treat_image(data, policy)
    except RejectedImage:
        return False
    return True


# --- JPEG -----------------------------------------------------------------------------


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(2, len(data))]


def cut_and_filled(data: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(2, len(data)))
    return data[:place] + bytes(len(data) - place)


def cut_and_ended(data: bytes, rng: np.random.Generator) -> bytes:
    return cut(data, rng) + jpeg.END


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for place in rng.integers(2, len(data), rng.integers(1, 4)):
        damaged[place] ^= 1 << rng.integers(8)
    return bytes(damaged)


def holed(data: bytes, rng: np.random.Generator) -> bytes:
    place, size = rng.integers(2, len(data)), rng.integers(1, 40)
    return data[:place] + data[place + size :]


def stuffed(data: bytes, rng: np.random.Generator) -> bytes:
    place = rng.integers(2, len(data))
    return data[:place] + rng.bytes(rng.integers(1, 20)) + data[place:]


def with_wrong_length(data: bytes, rng: np.random.Generator) -> bytes:
    segments = jpeg.read_segments(data)
    _, start, _, _ = segments[rng.integers(len(segments))]
    (length,) = struct.unpack_from(">H", data, start + 2)
    wrong = max(0, length + int(rng.integers(-20, 21)))
    return data[: start + 2] + struct.pack(">H", wrong) + data[start + 4 :]


DAMAGES: Final = [
    *(cut, cut_and_filled, cut_and_ended, flipped, holed, stuffed, with_wrong_length)
]


def is_lossless(data: bytes) -> bool:
    frame = jpeg.read_frame(data, jpeg.read_segments(data))
    return frame is not None and frame.lossless


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", JPEGS)
def test_jpegs_are_rejected_that_pillow_refuses_and_no_others(
    name: str, damage: Callable[[bytes, np.random.Generator], bytes]
) -> None:
    rng = np.random.default_rng(1)
    found: Counter[bool] = Counter()
    for _ in range(80):
        data = damage(JPEGS[name], rng)
        expected = loads(data) and not is_lossless(data)
        assert accepted(data) == expected, data.hex()
        assert (image_fault(data, KEEP, "decode")[1] is None) == expected, data.hex()
        found[expected] += 1
    assert found[False] > 0


# --- Everything that draws ------------------------------------------------------------


def encodings() -> Iterator[tuple[str, bytes]]:
    """Yields a small image in every format that Pillow writes by itself."""
    Image.init()
    for kind in sorted(Image.SAVE):
        for mode in ("RGB", "P", "1"):
            try:
                yield f"{kind}-{mode}", save(RGB.resize((16, 12)).convert(mode), kind)
            except Exception:  # it needs other modes, files or programs
                continue
            break


ENCODINGS: Final = dict(encodings())


def read_size(data: bytes) -> int:
    header = read_header(data)
    return (header.width or 0) * (header.height or 0)


def test_there_are_many_formats() -> None:
    kinds = {name.partition("-")[0] for name in ENCODINGS}
    assert {"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "TGA", "ICO"} <= kinds


@pytest.mark.parametrize("name", ENCODINGS)
def test_no_damage_to_a_header_ends_in_an_error(name: str) -> None:
    rng = np.random.default_rng(3)
    whole = ENCODINGS[name]
    examples = []
    for _ in range(20):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 60), rng.integers(1, 4)):
            damaged[place] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        if read_size(bytes(damaged)) > 100_000:
            damaged = bytearray(whole[: rng.integers(len(whole))])
        data = bytes(damaged)
        assert (draw_thumbnail(data) or b"\xff\xd8").startswith(b"\xff\xd8")
        sample_pixels(data)
        examples.append(Example("a.JPEG", data, 0))
    for shown in (examples, examples[::-1]):  # a figure ends with its ninth
        draw_figure(shown, ["a"])


def test_a_bmp_of_negative_width_has_no_thumbnail() -> None:
    # Pillow takes the width for four billion, and raises an error of its own kind.
    data = ENCODINGS["BMP-RGB"]
    data = data[:18] + struct.pack("<i", -16) + data[22:]
    assert draw_thumbnail(data) is None
    assert draw_figure([Example("a.JPEG", data, 0)], ["a"]) is None
    assert sample_pixels(data) is None
    with pytest.raises(RejectedImage):
        treat_image(data, KEEP)


# --- PNG ------------------------------------------------------------------------------


def pieces_of(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yields type and body of whole chunks, and whether the checksum is right."""
    file = io.BytesIO(data[8:])
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        body, checksum = file.read(size), file.read(4)
        if len(body) < size or len(checksum) < 4:
            return
        yield kind, body, zlib.crc32(kind + body) == int.from_bytes(checksum, "big")
        if kind == b"IEND":
            return


def is_more_than_pillow_asks(data: bytes) -> bool:
    """Returns whether a PNG is right where Pillow does not look."""
    pieces = list(pieces_of(data))
    kinds = [kind for kind, _, _ in pieces]
    deciding = [sound for kind, _, sound in pieces if kind[:1].isupper()]
    deciding += [sound for kind, _, sound in pieces if kind == b"tRNS"]
    first = kinds[:1] == [b"IHDR"] and len(pieces[0][1]) >= 10
    indexed = first and pieces[0][1][9] == 3
    coloured = b"PLTE" in kinds[: kinds.index(b"IDAT") if b"IDAT" in kinds else None]
    return first and all(deciding) and (coloured or not indexed)


def joined(pieces: list[tuple[bytes, bytes, bool]]) -> bytes:
    return png.SIGNATURE + b"".join(chunk(kind, body) for kind, body, _ in pieces)


def shuffled(data: bytes, rng: np.random.Generator) -> bytes:
    pieces = list(pieces_of(data))
    a, b = rng.integers(0, len(pieces), 2)
    pieces[a], pieces[b] = pieces[b], pieces[a]
    return joined(pieces)


def with_one_less(data: bytes, rng: np.random.Generator) -> bytes:
    pieces = list(pieces_of(data))
    del pieces[rng.integers(len(pieces))]
    return joined(pieces)


def with_one_more(data: bytes, rng: np.random.Generator) -> bytes:
    pieces = list(pieces_of(data))
    pieces.insert(rng.integers(len(pieces) + 1), pieces[rng.integers(len(pieces))])
    return joined(pieces)


def split(data: bytes, rng: np.random.Generator) -> bytes:
    """Returns a PNG with pixels in two chunks, and mostly another one between them."""
    pieces = list(pieces_of(data))
    at = [kind for kind, _, _ in pieces].index(b"IDAT")
    kind, body, _ = pieces[at]
    place = rng.integers(0, len(body) + 1)
    kinds = [b"tEXt", b"abCd", b"tIME", b"IDAT", b"PLTE", b"fcTL", b"ABCD", b"acTL"]
    between = (kinds[rng.integers(len(kinds))], bytes(rng.integers(0, 30)), True)
    halves = (kind, body[:place], True), (kind, body[place:], True)
    return joined([*pieces[:at], halves[0], between, halves[1], *pieces[at + 1 :]])


def flipped_and_summed(data: bytes, rng: np.random.Generator) -> bytes:
    pieces = list(pieces_of(data))
    place = rng.integers(len(pieces))
    kind, body, _ = pieces[place]
    if body:
        damaged = bytearray(body)
        first = 8 if kind == b"IHDR" else 0  # lest it be a picture of gigabytes
        damaged[rng.integers(first, len(body))] ^= 1 << rng.integers(8)
        pieces[place] = kind, bytes(damaged), True
    return joined(pieces)


def with_odd_chunk(data: bytes, rng: np.random.Generator) -> bytes:
    kinds = [b"acTL", b"fcTL", b"iCCP", b"zTXt", b"iTXt", b"pHYs", b"sRGB", b"tRNS"]
    bodies = [
        *(b"", bytes(4), bytes(8), bytes(26), b"\0\0\0\2\0\0\0\0", b"name\0\0junk"),
        b"name\0\0" + zlib.compress(bytes(int(rng.integers(1 << 20, 1 << 21)))),
        b"name\0\0" + zlib.compress(bytes(99)),
    ]
    pieces = list(pieces_of(data))
    for _ in range(rng.integers(1, 3)):
        odd = kinds[rng.integers(len(kinds))], bodies[rng.integers(len(bodies))], True
        pieces.insert(rng.integers(1, len(pieces) + 1), odd)
    return joined(pieces)


PNG_DAMAGES: Final = [
    *(cut, flipped, holed, stuffed, shuffled, with_one_less, with_one_more, split),
    *(flipped_and_summed, with_odd_chunk),
]


@pytest.mark.parametrize("damage", PNG_DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", PNGS)
def test_pngs_are_rejected_that_pillow_refuses_or_that_are_not_sound(
    name: str, damage: Callable[[bytes, np.random.Generator], bytes]
) -> None:
    rng = np.random.default_rng(2)
    found: Counter[bool] = Counter()
    for _ in range(40):
        data = damage(PNGS[name], rng)
        expected = loads(data) and is_more_than_pillow_asks(data)
        assert accepted(data) == expected, data.hex()
        found[expected] += 1
    assert found[False] > 0
