"""Images in Parquet files, against pyarrow."""

import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.parquet import image_table, write_images
from transforms import storage
from transforms.archives.parquet.listing import first_paths, list_images, read_image
from transforms.archives.parquet.pages import Range
from transforms.errors import ArchiveError

SIZES = (0, 1, 3, 50, 4_000, 40_000, 65_536, 70_001, 200_000)
NOISE = random.Random(0).randbytes(300_000)
PHOTOS = [NOISE[at : at + 45_000 + at] for at in range(0, 12_000, 500)]

# What `datasets` writes now, and what it wrote before 4.6, but for the sizes.
NOW: dict[str, Any] = {"compression": "none", "use_dictionary": False}
BEFORE: dict[str, Any] = {"compression": "snappy", "use_dictionary": True}


class Counted:
    """Reads a file, and counts what it reads."""

    ahead = 16

    def __init__(self, path: Path) -> None:
        self.file = storage.file_info(str(path))
        self._reader = storage.open_reader(self.file)
        self.bytes = 0

    def read(self, offset: int, size: int) -> bytes:
        self.bytes += size
        return self._reader.read(offset, size)

    def read_many(self, ranges: Sequence[Range]) -> list[bytes]:
        return [self.read(offset, size) for offset, size in ranges]

    def prefetch(self, ranges: Sequence[Range]) -> None:
        pass

    def next_data(self, offset: int) -> int:
        return offset

    def close(self) -> None:
        self._reader.close()


def read_all(path: Path) -> list[tuple[str, bytes]]:
    """Returns path and bytes of all images of a file, read one by one."""
    reader = Counted(path)
    try:
        images = list_images(reader, reader.file)
        return [
            (image.path, read_image(reader, reader.file, image.spot))
            for image in images
        ]
    finally:
        reader.close()


def fault(path: Path) -> str:
    """Returns what is said of a file, without its path."""
    with pytest.raises(ArchiveError) as caught:
        read_all(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


WRITERS = st.fixed_dictionaries(
    {
        "compression": st.sampled_from(["none", "snappy", "gzip", "zstd"]),
        "data_page_version": st.sampled_from(["1.0", "2.0"]),
        "use_dictionary": st.booleans(),
        "dictionary_pagesize_limit": st.sampled_from([1_000, 100_000, 1 << 20]),
        "data_page_size": st.sampled_from([1_000, 100_000, 1 << 20]),
        "row_group_size": st.sampled_from([1, 3, 100]),
        "write_batch_size": st.sampled_from([1, 2, 1024]),
        "write_statistics": st.booleans(),
        "write_page_checksum": st.booleans(),
        "write_page_index": st.booleans(),
        "use_content_defined_chunking": st.booleans(),
    }
)
IMAGES = st.lists(
    st.tuples(st.sampled_from(SIZES), st.booleans(), st.integers(0, 3)).map(
        lambda of: NOISE[of[2] :][: of[0]] if of[1] else bytes([of[2]]) * of[0]
    ),
    max_size=12,
) | st.lists(st.sampled_from(PHOTOS), min_size=1, max_size=12)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(WRITERS, IMAGES, st.booleans())
def test_images_are_what_pyarrow_reads(
    tmp_path: Path, options: dict[str, Any], images: list[bytes], nullable: bool
) -> None:
    path = tmp_path / "images.parquet"
    table = image_table(images, nullable=nullable)
    pq.write_table(table, path, **options)
    rows = pq.read_table(path)["image"].to_pylist()
    assert rows == table["image"].to_pylist()
    assert read_all(path) == [(row["path"], row["bytes"]) for row in rows]


def test_large_types_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    image = pa.StructArray.from_arrays(
        [pa.array(["n1.JPEG"], pa.large_string()), pa.array([b"1"], pa.large_binary())],
        ["path", "bytes"],
    )
    table = pa.table({"label": [[1, 2]], "image": image, "more": [b"2"]})
    pq.write_table(table, tmp_path / "images.parquet")
    assert read_all(tmp_path / "images.parquet") == [("n1.JPEG", b"1")]


def test_the_first_paths_are_those_of_the_first_row_group(tmp_path: Path) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS[:5], row_group_size=3)
    reader = Counted(path)
    assert first_paths(reader, reader.file) == ["0.JPEG", "1.JPEG", "2.JPEG"]
    reader = Counted(write_images(tmp_path / "images.parquet", []))
    assert first_paths(reader, reader.file) == []


def test_a_file_without_rows_has_no_images(tmp_path: Path) -> None:
    assert read_all(write_images(tmp_path / "images.parquet", [])) == []


def test_only_lengths_are_read_to_list_what_is_not_compressed(tmp_path: Path) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS * 4, row_group_size=50)
    reader = Counted(path)
    images = list_images(reader, reader.file)
    assert reader.bytes < 90_000  # 64 KiB of them to find the footer
    reader.bytes = 0
    for image in images:
        read_image(reader, reader.file, image.spot)
    assert reader.bytes == sum(map(len, PHOTOS * 4))


def test_blocks_are_read_for_an_image_that_snappy_compressed(tmp_path: Path) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS, **BEFORE)
    reader = Counted(path)
    images = list_images(reader, reader.file)
    for image, photo in zip(images, PHOTOS, strict=True):
        reader.bytes = 0
        assert read_image(reader, reader.file, image.spot) == photo
        assert reader.bytes <= len(photo) + 2 * 65_600


# --- Damage ---------------------------------------------------------------------------


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_a_flipped_byte_of_an_image_is_found_by_its_checksum(
    tmp_path: Path, codec: str, version: str, dictionary: bool
) -> None:
    path = write_images(
        tmp_path / "images.parquet",
        PHOTOS[:3],
        compression=codec,
        data_page_version=version,
        use_dictionary=dictionary,
        write_page_checksum=True,
    )
    flip(path, path.read_bytes().index(NOISE[20_000:20_008]))
    said = fault(path)
    assert said.startswith(" is damaged at byte ")
    assert ": a page's checksum is " in said
    assert said.endswith(". Get the file again and rerun.")


@pytest.mark.parametrize("options", [NOW, BEFORE], ids=["now", "before"])
def test_a_flipped_byte_ends_in_an_error_or_in_another_image(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS[:2], **options)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    chosen = random.Random(0).sample(range(footer, len(whole)), 60)
    # The headers of pages, levels and lengths; and what follows the images.
    for at in (*range(80), *range(footer - 60, footer), *chosen):
        flip(path, at)
        with suppress(ArchiveError):
            assert len(read_all(path)) == 2
        path.write_bytes(whole)


@pytest.mark.parametrize("options", [NOW, BEFORE], ids=["now", "before"])
def test_a_flipped_length_is_never_another_image(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS[:2], **options)
    length = path.read_bytes().index(len(PHOTOS[1]).to_bytes(4, "little"), 1000)
    flip(path, length)
    said = fault(path)
    assert said.startswith(" is damaged at byte ")
    assert "the values" in said or "before its values" in said


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS[:2])
    whole = path.read_bytes()
    for size in (0, 1, 4, 11, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert fault(path) == (
            " does not end as a Parquet file does, with PAR1. It is cut off or of "
            "another kind; get it whole and rerun."
        )


def test_a_hole_in_a_file_is_refused(tmp_path: Path) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS[:2])
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + whole[80_000:])
    assert fault(path).startswith(" has a damaged footer: a column of ")


def test_a_footer_of_other_bytes_is_refused(tmp_path: Path) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS[:2])
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + b"\xff\xff\xff\x7fPAR1")
    assert fault(path) == (
        f" has {len(whole):,} bytes, and a footer of 2,147,483,647. It is damaged; get "
        "it again and rerun."
    )
    path.write_bytes(whole[:-8] + b"\4\0\0\0PAR1")
    assert fault(path).startswith(" has a damaged footer: ")
    path.write_bytes(whole[:-4] + b"PARE")
    assert fault(path) == " is an encrypted Parquet file. Decrypt it and rerun."


def test_a_damaged_column_of_paths_is_refused(tmp_path: Path) -> None:
    path = write_images(
        tmp_path / "images.parquet", PHOTOS[:2], write_page_checksum=True
    )
    flip(path, path.read_bytes().index(b"\6\0\0\0001.JPEG") + 4)
    assert ": a page's checksum is " in fault(path)


# --- Other files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"image": [b"1"], "label": [1]}, "image: BYTE_ARRAY, label: INT64"),
        ({"image": [{"bytes": b"1"}]}, "image.bytes: BYTE_ARRAY"),
        (
            {"image": [{"bytes": 1, "path": "1"}]},
            "image.bytes: INT64, image.path: BYTE_ARRAY",
        ),
        (
            {"jpg": [{"bytes": b"1", "path": "1"}]},
            "jpg.bytes: BYTE_ARRAY, jpg.path: BYTE_ARRAY",
        ),
        (
            {"image": [[{"bytes": b"1", "path": "1"}]]},
            "image.list.element.bytes: BYTE_ARRAY, image.list.element.path: BYTE_ARRAY",
        ),
    ],
)
def test_other_columns_are_shown(
    tmp_path: Path, columns: dict[str, Any], found: str
) -> None:
    path = tmp_path / "images.parquet"
    pq.write_table(pa.table(columns), path)
    assert fault(path) == (
        f" has the columns [{found}], expected among them image.bytes and image.path, "
        "both BYTE_ARRAY, as in ILSVRC/imagenet-1k on the Hugging Face hub. Give files "
        "that have them."
    )


@pytest.mark.parametrize("missing", [None, ""])
def test_an_image_without_a_name_is_shown(tmp_path: Path, missing: str | None) -> None:
    path = tmp_path / "images.parquet"
    pq.write_table(image_table([b"1", b"2"], ["1.JPEG", missing]), path)
    assert fault(path) == (
        " has nothing in image.path of row 1. Every image needs its bytes and its "
        "name, as in ILSVRC/imagenet-1k on the Hugging Face hub. Give files that have "
        "them."
    )


@pytest.mark.parametrize("options", [NOW, BEFORE], ids=["now", "before"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_row_without_an_image_is_shown(
    tmp_path: Path, options: dict[str, Any], version: str
) -> None:
    path = write_images(
        tmp_path / "images.parquet",
        [*PHOTOS[:5], None, b""],
        row_group_size=3,
        data_page_version=version,
        **options,
    )
    assert fault(path).startswith(" has nothing in image.bytes of row 5. ")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = write_images(
        tmp_path / "images.parquet",
        PHOTOS[:2],
        column_encoding={"image.bytes": "DELTA_LENGTH_BYTE_ARRAY"},
    )
    assert fault(path) == (
        " is written in a way that is not read here: image.bytes has values encoded as "
        "DELTA_LENGTH_BYTE_ARRAY (at byte 4). Write it again, as datasets or pyarrow "
        "do by default."
    )


@pytest.mark.parametrize(("codec", "name"), [("brotli", "BROTLI"), ("lz4", "LZ4_RAW")])
def test_other_codecs_are_refused(tmp_path: Path, codec: str, name: str) -> None:
    path = write_images(tmp_path / "images.parquet", PHOTOS[:2], compression=codec)
    assert fault(path) == (
        f" has the column image.bytes compressed with {name}, expected one of "
        "UNCOMPRESSED, SNAPPY, GZIP, ZSTD. Write it again with compression='none'."
    )
