"""Archives, lists and images that mean harm: refused, or built from without any."""

import io
import struct
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.helpers.archives import (
    build,
    dataset_dir,
    few_archives,
    image,
    tar,
    write_archives,
)
from transforms.archives.containers import (
    Archive,
    MemberBatch,
    batch_containers,
)
from transforms.archives.forms import find_containers, walk_containers
from transforms.archives.names import image_name
from transforms.documents.report.thumbnails import draw_thumbnail
from transforms.errors import ArchiveError, LabelError, printable, sample
from transforms.formats.table import FORMATS
from transforms.images import jpeg, jpeg_metadata, png
from transforms.images.header import read_header
from transforms.images.metadata import Metadata, read_orientation
from transforms.images.policy import ImagePolicy, RejectedImage
from transforms.images.treatment import treat_image
from transforms.planning.labels import LabelByContainer
from transforms.storage.files import file_info

CLEAR = "\x1b[2J\x1b]0;title\x07"  # clears a terminal, and names its window
TURN = "\u202egpj.exe"  # shows what follows from right to left


# --- Names on their way to a terminal -------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("n01440764_36.JPEG", "n01440764_36.JPEG"),
        ("übung 日本.JPEG", "übung 日本.JPEG"),
        ("a\\x1b", "a\\x1b"),
        (CLEAR, r"\x1b[2J\x1b]0;title\x07"),
        (TURN, r"\u202egpj.exe"),
        ("a\r\nb\x85c\u2028d\0\x7f\x9b", r"a\r\nb\x85c\u2028d\x00\x7f\x9b"),
        ("\ud800\U000e0001", r"\ud800\U000e0001"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "... (301 characters)"),
        ("\0" * 100_000, r"\x00" * 75 + "... (100,000 characters)"),
        ("\0" * 100, r"\x00" * 75 + "... (100 characters)"),
    ],
)
def test_a_name_is_escaped_and_cut_short(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text(st.characters(), max_size=400))
def test_whatever_the_name_it_prints_on_one_line(name: str) -> None:
    shown = printable(name)
    assert shown.isprintable()
    assert len(shown) < 340
    shown.encode()


def test_a_sample_is_of_names_that_print() -> None:
    assert sample([CLEAR, "a", "b"], 2) == r"\x1b[2J\x1b]0;title\x07, a and 1 more"


def control_characters(text: str) -> set[str]:
    return {letter for letter in text if not letter.isprintable()} - {"\n"}


def index_and_label(archive: Archive) -> None:
    labeller = LabelByContainer(("n01440764",))
    for batch in batch_containers(archive, find_containers(archive), None):
        labeller.labels(MemberBatch.of(archive, walk_containers(batch)))


INNER = tar([("n01440764_1.JPEG", image(1))])
REPEATED = tar([(CLEAR, image(1)), (CLEAR, image(2))])
UNLABELLED = tar([(CLEAR + "x" * 100_000, image(1)), (f"{TURN}.jpg", image(2))])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            tar([(f"{CLEAR}.tar", tar([("1.JPEG", image(1))]))]),
            r"holds 1.JPEG in \x1b[2J\x1b]0;title\x07, which is none",
            id="class",
        ),
        pytest.param(
            tar([(f"{CLEAR}.tar", INNER), (f"{TURN}.jpg", b"x")]),
            r"beside them, 1 images: \u202egpj.exe.jpg. Images are",
            id="beside-tars",
        ),
        pytest.param(
            tar([(CLEAR, image(1)), (TURN, b"x" * 9000)])[:3000],
            r"after \x1b[2J\x1b]0;title\x07: \u202egpj.exe needs 9,000 bytes and only",
            id="cut-off",
        ),
        pytest.param(
            tar([(f"{CLEAR}.tar", INNER[:700])]),
            r"(in \x1b[2J\x1b]0;title\x07.tar) is damaged at byte 512",
            id="cut-off-class",
        ),
    ],
)
def test_names_are_escaped_in_what_is_said_of_an_archive(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "archive.tar"
    path.write_bytes(content)
    archive = Archive("train", file_info(str(path)), "tar")
    with pytest.raises((ArchiveError, LabelError)) as caught:
        index_and_label(archive)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


OF_ANY_NAME = [
    assignment
    for split, name in (("train", TRAIN_ARCHIVE), ("validation", VALIDATION_ARCHIVE))
    for assignment in (
        f"splits.{split}.archives=[{name}]",
        f"splits.{split}.names='*'",
    )
]


@pytest.mark.parametrize(
    ("train", "validation", "listed", "said"),
    [
        pytest.param(
            tar([("n01440764.tar", REPEATED)]),
            None,
            [CLEAR],
            r"occur twice: \x1b[2J\x1b]0;title\x07. \x1b[2J\x1b]0;title\x07 begins at",
            id="twice",
        ),
        pytest.param(
            tar([("n01440764.tar", tar([(CLEAR, b"<\x1b>")]))]),
            None,
            [CLEAR],
            r"1 wrong_kind. \x1b[2J\x1b]0;title\x07 at byte 1,024 of",
            id="rejected",
        ),
        pytest.param(
            None,
            UNLABELLED,
            None,
            r"x... (100,014 characters), \u202egpj.exe.jpg. Is it the archive of",
            id="unlabelled",
        ),
    ],
)
def test_no_name_reaches_the_terminal_as_it_is(
    train: bytes | None,
    validation: bytes | None,
    listed: list[str] | None,
    said: str,
    tmp_path: Path,
) -> None:
    archives = few_archives(tmp_path / "archives")
    write_archives(archives, train=train, validation=validation, listed=listed)
    outcome = build(archives, tmp_path / "data", "--set", "num_shards={}", *OF_ANY_NAME)
    assert outcome.code == 1
    assert said in outcome.err
    assert control_characters(outcome.out + outcome.err) == set()


# --- Names on their way into a dataset ------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["../a.JPEG", "a/../../b.JPEG", "/etc/passwd", "//a", "..", "a/..", "./../a", ""],
)
def test_a_name_that_leads_elsewhere_is_a_leftover(path: str) -> None:
    assert image_name(path) is None


# Of an archive of one class; what is written, and what it is called.
ODD_NAMES = {
    b"new\nline.JPEG": "new\nline.JPEG",
    b"\x1b[2J.JPEG": "\x1b[2J.JPEG",
    b"not-utf-8-\xff.JPEG": "not-utf-8-\\xff.JPEG",
    b"half-\xed\xa0\x80.JPEG": "half-\\xed\\xa0\\x80.JPEG",
    b"x" * 100_000 + b".JPEG": "x" * 100_000 + ".JPEG",
    b"<script>alert(1)</script>.JPEG": "script>.JPEG",
    b"<script>alert(2).JPEG": "<script>alert(2).JPEG",
    b'"quoted",{}.JPEG': '"quoted",{}.JPEG',
}
LEFTOVERS = [b"../a.JPEG", b"/b.JPEG", b"d/../../c.JPEG"]


def test_images_of_odd_names_are_written_and_read_in_every_format(
    tmp_path: Path,
) -> None:
    inner = io.BytesIO()
    with tarfile.open(
        fileobj=inner, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape"
    ) as archive:
        for number, name in enumerate([*ODD_NAMES, *LEFTOVERS]):
            header = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
            header.size = len(image(number))
            archive.addfile(header, io.BytesIO(image(number)))
    archives = few_archives(tmp_path / "archives")
    write_archives(archives, train=tar([("n01440764.tar", inner.getvalue())]))
    outcome = build(
        archives,
        tmp_path / "data",
        f"--format={','.join(FORMATS)}",
        *("--set", "num_shards={}", "splits.train.subset=null", *OF_ANY_NAME),
        *(f"splits.train.{key}={len(ODD_NAMES)}" for key in ("members", "examples")),
    )
    assert outcome.code == 0, outcome.err
    assert "train: 3 leftovers of editors and systems skipped." in outcome.out
    assert control_characters(outcome.out + outcome.err) == set()
    expected = {name: image(number) for number, name in enumerate(ODD_NAMES.values())}
    files = [path for path in (tmp_path / "data").rglob("*train*") if path.is_file()]
    for kind in FORMATS.values():
        name = kind.codec.file_name("imagenet2012_subset", "train", 0, 1)
        (path,) = [path for path in files if path.name == name]
        found = {each.file_name: each.image for each in kind.codec.read(str(path))}
        assert found == expected
    page = (dataset_dir(tmp_path / "data") / "report.html").read_text()
    assert "<script>alert" not in page


def test_a_tar_in_a_tar_in_a_tar_is_not_followed(tmp_path: Path) -> None:
    matryoshka = image(1)
    for _ in range(50):
        matryoshka = tar([("n01440764.tar", matryoshka)])
    path = tmp_path / "archive.tar"
    path.write_bytes(matryoshka)
    archive = Archive("train", file_info(str(path)), "tar")
    (batch,) = batch_containers(archive, find_containers(archive), None)
    with pytest.raises(
        ArchiveError,
        match=r"\(in n01440764\.tar\) holds no images, but tars: n01440764\.tar\.",
    ):
        walk_containers(batch)


# --- Images that grow -----------------------------------------------------------------


def encoded(
    kind: str,
    mode: str = "RGB",
    size: tuple[int, int] = (16, 12),
    **options: object,
) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 0).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def with_chunk(kind: bytes, body: bytes) -> bytes:
    """Returns a PNG with one more chunk behind its header."""
    whole = encoded("PNG")
    return whole[:33] + chunk(kind, body) + whole[33:]


ZEROS = zlib.compress(bytes(200_000_000), 9)  # 194,468 bytes
BOMBS = {
    "profile": with_chunk(b"iCCP", b"p\0\0" + ZEROS),
    "text": with_chunk(b"zTXt", b"Comment\0\0" + ZEROS),
    "packet": with_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + ZEROS),
    "pixels": encoded("PNG")[:33] + chunk(b"IDAT", ZEROS) + chunk(b"IEND", b""),
}
DECODING = [
    ImagePolicy(check="decode"),
    ImagePolicy(policy="reencode"),
    ImagePolicy(policy="reencode", encoding="png"),
    ImagePolicy(policy="resize", shortest_side=8, orientation="apply"),
]


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("policy", DECODING, ids=lambda policy: policy.in_words()[:40])
def test_a_png_is_not_inflated_beyond_its_pixels(
    bomb: bytes, policy: ImagePolicy
) -> None:
    tracemalloc.start()
    try:
        treated = treat_image(bomb, policy)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert treated.data
    assert peak < 40_000_000  # of the profile, 16 MiB are looked at


LOOP = b"II*\0\x08\0\0\0\0\0\x08\0\0\0"  # a directory without entries, then itself
DEEP = b"II*\0\x08\0\0\0\1\0\x69\x87\x04\0\1\0\0\0\x08\0\0\0\x08\0\0\0"  # its own child
ENDLESS = b"II*\0\x08\0\0\0\xff\xff" + b"\x12\1\4\0\xff\xff\xff\xff\0\0\0\0" * 5000
LAUGHS = b"<!DOCTYPE x [<!ENTITY a 'lol'>" + b"<!ENTITY b '&a;&a;&a;'>" * 50 + b"]>"


@pytest.mark.parametrize("exif", [LOOP, DEEP, ENDLESS], ids=["next", "child", "many"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_that_leads_in_circles_asks_for_nothing(kind: str, exif: bytes) -> None:
    data = encoded(kind, exif=exif)
    assert read_header(data).orientation == 1
    assert read_orientation(exif) == 1
    if kind != "WEBP":
        for policy in DECODING:
            assert treat_image(data, policy).data


def test_xmp_is_handed_on_and_never_parsed() -> None:
    metadata = Metadata(xmp=LAUGHS)
    data = jpeg_metadata.insert_metadata(encoded("JPEG"), metadata)
    treated = treat_image(data, ImagePolicy(policy="reencode"))
    segments = jpeg.read_segments(treated.data)
    assert jpeg_metadata.read_metadata(treated.data, segments) == metadata


def test_a_profile_in_parts_without_end_is_none() -> None:
    start = jpeg.START + b"\xff\xe2" + struct.pack(">H", 2 + len(jpeg.ICC) + 3)
    parts = b"".join(
        start[2:] + jpeg.ICC + bytes((number % 256, 255)) + b"x"
        for number in range(5000)
    )
    data = jpeg.START + parts + encoded("JPEG")[2:]
    segments = jpeg.read_segments(data)
    assert len(segments) > 5000
    assert jpeg_metadata.read_metadata(data, segments).icc == b""  # there is a part 0
    assert treat_image(data, ImagePolicy(policy="reencode")).data


def test_chunks_and_segments_without_end_are_walked_once() -> None:
    chunks = png.SIGNATURE + encoded("PNG")[8:33] + chunk(b"tEXt", b"") * 100_000
    assert len(png.read_chunks(chunks)) == 100_001
    segments = jpeg.START + b"\xff\xfe\0\2" * 100_000
    assert len(jpeg.read_segments(segments)) == 100_000
    assert read_header(chunks).width == 16
    assert read_header(segments).width is None


def webp(width: int, height: int) -> bytes:
    """Returns a WebP whose extended header promises a canvas, over a small image."""
    body = encoded("WEBP")[12:]
    canvas = b"VP8X\x0a\0\0\0\0\0\0\0" + b"".join(
        (side - 1).to_bytes(3, "little") for side in (width, height)
    )
    return b"RIFF" + struct.pack("<I", 4 + len(canvas + body)) + b"WEBP" + canvas + body


def bmp(width: int, height: int) -> bytes:
    return encoded("BMP")[:18] + struct.pack("<ii", width, height) + bytes(100)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(webp(1 << 24, 1 << 24), id="webp-of-281-terapixels"),
        pytest.param(webp(16_000, 16_000), id="webp-of-256-megapixels"),
        pytest.param(webp(7_000, 7_000), id="webp-of-49-megapixels-that-are-not-there"),
        pytest.param(bmp(1 << 30, 1 << 30), id="bmp-of-an-exapixel"),
        pytest.param(bmp(7_000, -7_000), id="bmp-of-49-megapixels-that-are-not-there"),
        pytest.param(
            encoded("BMP", "1", (8000, 8000)), id="bmp-of-64-megapixels-that-are-there"
        ),
        pytest.param(b"GIF89a\xff\xff\xff\xff" + bytes(50), id="gif"),
        pytest.param(b"II*\0\x08\0\0\0\1\0\0\1\4\0\1\0\0\0\xff\xff\xff\x7f", id="tiff"),
    ],
)
def test_other_kinds_are_rejected_and_not_drawn_where_they_are_too_large(
    data: bytes,
) -> None:
    with pytest.raises(RejectedImage) as caught:
        treat_image(data, ImagePolicy())
    assert caught.value.reason == "wrong_kind"
    assert draw_thumbnail(data) is None
