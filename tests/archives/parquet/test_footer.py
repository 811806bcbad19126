"""Footers of Parquet files that pyarrow wrote, with something changed in them."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.helpers.parquet import Struct, change_footer, image_table, write_images
from transforms import storage
from transforms.archives.parquet.footer import Footer, read_footer
from transforms.archives.parquet.listing import list_images
from transforms.errors import ArchiveError

IMAGES = [b"0", b"11", b"222", b"3333"]


def footer_of(path: Path) -> Footer:
    file = storage.file_info(str(path))
    reader = storage.open_reader(file)
    try:
        return read_footer(reader, file)
    finally:
        reader.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images.parquet", IMAGES, row_group_size=2)


def test_chunks_lie_where_pyarrow_says(path: Path) -> None:
    metadata = pq.read_metadata(path)
    found = footer_of(path)
    for number, chunks in enumerate((found.images, found.paths)):
        for group, chunk in enumerate(chunks):
            column = metadata.row_group(group).column(number)
            assert chunk == (
                column.path_in_schema,
                column.data_page_offset,
                column.total_compressed_size,
                column.num_values,
                column.compression,
                2,
            )


def test_a_footer_written_again_says_the_same(path: Path) -> None:
    before = footer_of(path)
    change_footer(path, lambda footer: None)
    assert footer_of(path) == before


def test_a_long_footer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "images.parquet"
    table = image_table(IMAGES)
    pq.write_table(table.replace_schema_metadata({"more": "." * 100_000}), path)
    assert len(footer_of(path).images) == 1


def lose_groups(footer: Struct) -> None:
    footer[4] = []


def lose_a_column(footer: Struct) -> None:
    footer[4][1][1] = footer[4][1][1][:1]


def have_more_rows(footer: Struct) -> None:
    footer[4][1][3] += 1


def be_negative(footer: Struct) -> None:
    footer[4][0][1][0][3][7] = -1


def grow_a_tree(footer: Struct) -> None:
    footer[2][0][5] = 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lose_groups, "row groups of 0 rows, expected 4"),
        (lose_a_column, "a row group of 1 columns"),
        (have_more_rows, "a row group of 3 rows with 2 values of image.bytes"),
        (be_negative, "-1 stands for a size or number"),
        (grow_a_tree, "a schema of several trees"),
        (lambda footer: footer.pop(4), "a list is missing"),
        (lambda footer: footer.pop(3), "a number is missing"),
    ],
)
def test_what_contradicts_itself_is_refused(
    path: Path, change: Callable[[Struct], None], reason: str
) -> None:
    change_footer(path, change)
    with pytest.raises(ArchiveError) as caught:
        footer_of(path)
    assert str(caught.value) == (
        f"{path} has a damaged footer: {reason}. Get the file again and rerun."
    )


def refer_to_a_file(footer: Struct) -> None:
    footer[4][0][1][0][1] = b"other.parquet"


def be_encrypted(footer: Struct) -> None:
    del footer[4][0][1][1][3]


def repeat(footer: Struct) -> None:
    footer[2][1][3] = 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            refer_to_a_file,
            "has its columns in another file, other.parquet. Write it again as one "
            "file.",
        ),
        (
            be_encrypted,
            "has the encrypted column image.path. Decrypt it and rerun.",
        ),
        (repeat, "has the columns [image.bytes: BYTE_ARRAY, image.path: BYTE_ARRAY, "),
    ],
)
def test_what_is_not_the_hubs_is_refused(
    path: Path, change: Callable[[Struct], None], said: str
) -> None:
    change_footer(path, change)
    with pytest.raises(ArchiveError) as caught:
        footer_of(path)
    assert str(caught.value).startswith(f"{path} {said}")


def test_a_dictionary_is_that_of_its_own_row_group(tmp_path: Path) -> None:
    path = write_images(
        tmp_path / "images.parquet", IMAGES, row_group_size=2, use_dictionary=True
    )

    def lose_the_dictionary(footer: Struct) -> None:
        column = footer[4][1][1][0][3]
        column[7] -= column[9] - column.pop(11)

    change_footer(path, lose_the_dictionary)
    file = storage.file_info(str(path))
    reader = storage.open_reader(file)
    with pytest.raises(ArchiveError, match="numbered 1, and the dictionary 0 values"):
        list_images(reader, file)
    reader.close()
