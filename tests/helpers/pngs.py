"""PNGs put together from chunks, for tests."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

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
