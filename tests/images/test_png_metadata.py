"""The metadata of PNGs: read and cut out."""

import io
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.helpers.jpegs import tiff
from tests.helpers.pngs import BASE, EXIF, LADEN, NOISE, PACKET, PROFILE, chunk, save
from transforms.images import png
from transforms.images.header import read_header
from transforms.images.metadata import KINDS, Kind, Metadata, read_orientation
from transforms.images.png_metadata import cut_metadata, read_exif, read_metadata


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        (("exif",), [b"iCCP", b"iTXt", b"IDAT"]),
        (("xmp",), [b"iCCP", b"tEXt", b"eXIf", b"IDAT"]),
        (("icc",), [b"iTXt", b"tEXt", b"eXIf", b"IDAT"]),
        (("exif", "xmp", "icc"), [b"IDAT"]),
        ((), [b"iCCP", b"iTXt", b"tEXt", b"eXIf", b"IDAT"]),
    ],
)
def test_cutting_takes_the_chunks_named_and_no_others(
    kinds: tuple[Kind, ...], left: list[bytes]
) -> None:
    cut = cut_metadata(LADEN + b"behind", png.read_chunks(LADEN), kinds)
    behind = b"" if "exif" in kinds or "xmp" in kinds else b"behind"
    whole = {kind: LADEN[start:end] for kind, start, _, end in png.read_chunks(LADEN)}
    pieces = [whole[kind] for kind in (b"IHDR", *left, b"IEND")]
    assert cut == b"".join([png.SIGNATURE, *pieces, behind])
    with Image.open(io.BytesIO(cut)) as image:
        assert image.tobytes() == NOISE.tobytes()
        assert ("Comment" in image.text) == (b"tEXt" in left)


def test_an_international_text_that_is_no_xmp_stays() -> None:
    texts = PngInfo()
    texts.add_itxt("Title", "XML:com.adobe.xmp")
    data = save(pnginfo=texts)
    assert cut_metadata(data, png.read_chunks(data), ("xmp",)) == data


def test_metadata_are_read() -> None:
    assert read_metadata(LADEN, png.read_chunks(LADEN)) == Metadata(
        EXIF, PACKET, PROFILE
    )
    assert read_metadata(BASE, png.read_chunks(BASE)) == Metadata()


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
    assert read_metadata(data, png.read_chunks(data)).icc == b""


def read(*chunks: bytes) -> Metadata:
    """Returns the metadata of a PNG with chunks before its pixels."""
    data = with_chunks(*chunks)
    return read_metadata(data, png.read_chunks(data))


def with_chunks(*chunks: bytes, after: bytes = b"") -> bytes:
    """Returns a PNG with chunks before its pixels, and after them."""
    return BASE[:33] + b"".join(chunks) + BASE[33:-12] + after + BASE[-12:]


def raw_profile(kind: str, profile: bytes) -> bytes:
    """Returns a text as ImageMagick writes it."""
    digits = profile.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return "\n".join(["", kind, f"{len(profile):8}", *lines, ""]).encode()


def text(keyword: str, value: bytes, kind: str) -> bytes:
    """Returns a text chunk."""
    name = keyword.encode()
    match kind:
        case "tEXt":
            return chunk(b"tEXt", name + b"\0" + value)
        case "zTXt":
            return chunk(b"zTXt", name + b"\0\0" + zlib.compress(value))
        case "iTXt":
            return chunk(b"iTXt", name + b"\0\0\0en\0key\0" + value)
        case _:
            packed = zlib.compress(value)
            return chunk(b"iTXt", name + b"\0\1\0\0\0" + packed)


KINDS_OF_TEXT = ["tEXt", "zTXt", "iTXt", "compressed iTXt"]
RAW = "Raw profile type "
IN_APP1 = b"http://ns.adobe.com/xap/1.0/\0" + PACKET


@pytest.mark.parametrize("kind", KINDS_OF_TEXT)
def test_profiles_in_texts_are_read_and_cut(kind: str) -> None:
    for keyword, name, profile, expected in (
        ("exif", "exif", b"Exif\0\0" + EXIF, Metadata(exif=EXIF)),
        ("APP1", "generic profile", b"Exif\0\0" + EXIF, Metadata(exif=EXIF)),
        ("APP1", "app1", IN_APP1, Metadata(xmp=PACKET)),
        ("xmp", "xmp", PACKET, Metadata(xmp=PACKET)),
        ("icc", "icc", PROFILE, Metadata(icc=PROFILE)),
        ("ICM", "icm", PROFILE, Metadata(icc=PROFILE)),
    ):
        laden = text(RAW + keyword, raw_profile(name, profile), kind)
        assert read(laden) == expected
        data = with_chunks(after=laden)
        chunks = png.read_chunks(data)
        assert read_metadata(data, chunks) == expected
        assert read_exif(data, chunks) == expected.exif
        either = ("exif", "xmp") if keyword == "APP1" else ()
        for cut in KINDS:
            gone = bool(getattr(expected, cut)) or cut in either
            assert cut_metadata(data, chunks, (cut,)) == (BASE if gone else data)
    xmp = text("XML:com.adobe.xmp", PACKET, kind)
    assert read(xmp) == Metadata(xmp=PACKET)
    data = with_chunks(xmp)
    assert cut_metadata(data, png.read_chunks(data), ("xmp",)) == BASE
    assert cut_metadata(data, png.read_chunks(data), ("exif", "icc")) == data


def test_pillow_reads_the_same_raw_profile() -> None:
    exif = tiff(6)
    data = with_chunks(text(RAW + "exif", raw_profile("exif", exif), "zTXt"))
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0112] == 6
    assert read_orientation(read_exif(data, png.read_chunks(data))) == 6
    assert read_header(data).orientation == 6


def test_the_best_place_counts_and_others_of_its_name_are_told() -> None:
    own, other = chunk(b"eXIf", b"Exif\0\0" + EXIF), chunk(b"eXIf", tiff(6))
    raw = text(RAW + "exif", raw_profile("exif", tiff(3)), "tEXt")
    assert read(raw, own) == Metadata(EXIF)
    assert read(raw, own, other) == Metadata(EXIF, lost=frozenset({"exif"}))
    iccp = chunk(b"iCCP", b"name\0\0" + zlib.compress(PROFILE))
    icc = text(RAW + "icc", raw_profile("icc", b"other"), "tEXt")
    assert read(icc, iccp) == Metadata(icc=PROFILE)


@pytest.mark.parametrize(
    "value", [b"", b"\nexif\n  4\nabc", b"\nexif\n  4\nxy", b"\n\n\n\xc3\xa9"]
)
def test_a_damaged_raw_profile_is_none(value: bytes) -> None:
    laden = text(RAW + "exif", value, "tEXt")
    assert read(laden) == Metadata(lost=frozenset({"exif"}))


def test_texts_are_not_inflated_without_end() -> None:
    bomb = bytes((1 << 22) + 1)
    lost = {"exif", "xmp", "icc"}
    laden = [text(RAW + name, bomb, "zTXt") for name in ("exif", "xmp", "icc", "APP1")]
    laden += [text("XML:com.adobe.xmp", bomb, "compressed iTXt")] * 3
    assert read(*laden) == Metadata(lost=frozenset(lost))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS_OF_TEXT)
def test_all_words_go_with_exif_and_how_pixels_look_stays(kind: str) -> None:
    looks = [
        chunk(b"gAMA", b"\0\0\xb1\x8f"),
        chunk(b"sRGB", b"\0"),
        chunk(b"pHYs", bytes(9)),
        chunk(b"cHRM", bytes(32)),
    ]
    words = [
        text("Author", b"CANARY", kind),
        text(RAW + "iptc", raw_profile("iptc", b"CANARY"), kind),
        chunk(b"tIME", bytes(7)),
        chunk(b"caBX", b"CANARY"),
        chunk(b"prVt", b"CANARY"),
    ]
    data = with_chunks(*looks, *words, after=chunk(b"tIME", bytes(7)) + words[0])
    chunks = png.read_chunks(data)
    assert cut_metadata(data, chunks, ("exif",)) == with_chunks(*looks)
    assert cut_metadata(data, chunks, ("xmp", "icc")) == data


def test_xmp_takes_over_the_orientation_of_exif_that_is_cut() -> None:
    packet = b'<r:D tiff:Orientation="6"/>'
    turned = packet.replace(b"6", b"1")
    for kind in KINDS_OF_TEXT:
        for keyword, value, written in (
            ("XML:com.adobe.xmp", packet, turned),
            (RAW + "xmp", raw_profile("xmp", packet), turned),
        ):
            xmp = text(keyword, value, kind)
            data = with_chunks(chunk(b"eXIf", tiff(1)), xmp)
            cut = cut_metadata(data, png.read_chunks(data), ("exif",))
            plain = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + written)
            assert cut == with_chunks(plain)
            with Image.open(io.BytesIO(cut)) as image:
                assert image.getexif()[0x0112] == 1
            # Where they agree, or EXIF says nothing, it stays as it is.
            for exif in (chunk(b"eXIf", tiff(6)), b""):
                data = with_chunks(exif, xmp)
                cut = cut_metadata(data, png.read_chunks(data), ("exif",))
                assert cut == with_chunks(xmp)
