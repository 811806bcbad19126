"""Any bytes: a header has an answer, its parts lie within, and decoders are bound."""

import io
import warnings
from collections.abc import Iterator

import atheris
from PIL import Image

from tests.suites.fuzz.harness import fuzz

with atheris.instrument_imports(include=["transforms"]):
    from transforms.documents.report.thumbnails import draw_thumbnail
    from transforms.images import jpeg, jpeg_metadata, png, png_metadata
    from transforms.images import metadata as image_metadata
    from transforms.images.header import read_header
    from transforms.images.policy import ImagePolicy, RejectedImage
    from transforms.images.treatment import treat_image
    from transforms.statistics.pixels import sample_pixels

_SMALL = {"max_pixels": 10_000, "max_scans": 20}
_DECODE = ImagePolicy(policy="keep", check="decode", **_SMALL)
_ENCODE = ImagePolicy(policy="reencode", orientation="apply", **_SMALL)
_KINDS = image_metadata.KINDS
_SIDES = range(1, 1 << 31)


def check(data: bytes) -> None:
    """Looks at the bytes as what their beginning says, in each way there is."""
    header = read_header(data)
    assert header.width is None or header.width in _SIDES
    assert header.height is None or header.height in _SIDES
    assert header.orientation in range(1, 9)
    assert header.quality is None or header.quality in range(1, 101)
    if data.startswith(jpeg.START):
        _check_jpeg(data)
    elif data.startswith(png.SIGNATURE):
        _check_png(data)
    if (header.width or 0) * (header.height or 0) <= _SMALL["max_pixels"]:
        _check_decoders(data)


def _check_decoders(data: bytes) -> None:
    """Nothing but a rejection is raised, and what is accepted loads."""
    for policy in (_DECODE, _ENCODE):
        try:
            written = treat_image(data, policy).data
        except RejectedImage:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(written)) as image:
                image.load()
    draw_thumbnail(data)
    sample_pixels(data)


def _check_jpeg(data: bytes) -> None:
    segments = jpeg.read_segments(data)
    last = len(jpeg.START)
    for _, start, body, end in segments:
        assert last <= start < body <= end
        last = end
    assert all(end <= len(data) for *_, end in segments[:-1])
    frame = jpeg.read_frame(data, segments)
    if frame:
        assert 0 <= jpeg.count_scans(data, segments, frame) <= len(data)
    jpeg.is_adobe(data, segments)
    _check_exif(jpeg_metadata.read_metadata(data, segments).exif)
    bare = jpeg_metadata.cut_metadata(data, segments, _KINDS)
    left = jpeg.read_segments(bare)
    if segments and segments[-1][3] <= len(data):
        assert jpeg_metadata.read_metadata(bare, left) == image_metadata.Metadata()
        # What has no picture, or another one now, is not written.
        if segments[-1][0] == jpeg.SCAN and (
            jpeg.read_coded(bare) == jpeg.read_coded(data)
        ):
            assert jpeg_metadata.cut_metadata(bare, left, _KINDS) == bare


def _check_png(data: bytes) -> None:
    png.read_header(data)
    chunks = png.read_chunks(data)
    last = len(png.SIGNATURE)
    for _, start, body, end in chunks:
        assert last == start < body <= end - 4 < len(data)
        last = end
    _check_exif(png_metadata.read_metadata(data, chunks).exif)
    bare = png_metadata.cut_metadata(data, chunks, _KINDS)
    assert png_metadata.cut_metadata(bare, png.read_chunks(bare), _KINDS) == bare
    pixels = png.only_pixels(data, chunks)
    assert png.only_pixels(pixels, png.read_chunks(pixels)) == pixels


def _check_exif(exif: bytes) -> None:
    orientation = image_metadata.read_orientation(exif)
    assert orientation in range(1, 9)
    turned = image_metadata.without_orientation(exif)
    assert len(turned) == len(exif)
    assert image_metadata.read_orientation(turned) == 1


def _seeds() -> Iterator[bytes]:
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    frame = b"\xff\xc0\0\x11\x08\0\x10\0\x20\x03\x01\x22\0\x02\x11\x01\x03\x11\x01"
    scan = b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0pixels\xff\xd9"
    app1 = jpeg.EXIF + exif
    icc = jpeg.ICC + b"\x01\x01profile"
    yield b"".join(
        (
            jpeg.START,
            *(b"\xff\xe1", (len(app1) + 2).to_bytes(2, "big"), app1),
            *(b"\xff\xe2", (len(icc) + 2).to_bytes(2, "big"), icc),
            *(b"\xff\xdb\0\x43\0", bytes(range(1, 65)), frame, scan),
        )
    )
    chunks = {
        b"IHDR": b"\0\0\0\x20\0\0\0\x10\x08\x02\0\0\0",
        b"iCCP": b"p\0\0x\x9c+(\xcaO\xcb\xccI\x05\x00\x0bi\x02\xe5",
        b"eXIf": exif,
        b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0packet",
        b"IDAT": b"pixels",
        b"IEND": b"",
    }
    yield png.SIGNATURE + b"".join(
        len(body).to_bytes(4, "big") + kind + body + b"crc!"
        for kind, body in chunks.items()
    )
    yield b"RIFF\x50\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x0f\0\0\x07\0\0EXIF" + (
        len(exif).to_bytes(4, "little") + exif
    )
    yield exif
    yield b"GIF89a\x10\0\x20\0"
    yield b"BM" + bytes(12) + b"\x28\0\0\0\x10\0\0\0\x20\0\0\0\x01\0\x18\0"


if __name__ == "__main__":
    fuzz("image", check, _seeds())
