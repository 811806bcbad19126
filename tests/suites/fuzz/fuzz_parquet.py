"""Any bytes: a Parquet file whose images pyarrow reads alike, or refused."""

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import atheris
import pyarrow.parquet as pq

from tests.suites.fuzz.harness import fuzz

with atheris.instrument_imports(include=["transforms", "tests.helpers.parquet"]):
    from tests.helpers.parquet import check_parquet, footer_of, image_table
    from transforms.errors import ArchiveError

_IMAGES: Final = [b"", b"a", b"words and words, " * 20, b"ab" * 40, b"a"]
_WRITERS: Final[tuple[dict[str, Any], ...]] = (
    {"compression": "none", "use_dictionary": False},  # what `datasets` writes now
    {"compression": "snappy", "use_dictionary": True},  # and what it wrote before
    {"compression": "snappy", "use_dictionary": False, "data_page_version": "2.0"},
    {"compression": "gzip", "row_group_size": 2, "write_page_checksum": True},
    {"compression": "zstd", "data_page_size": 40, "write_batch_size": 1},
    {"compression": "none", "write_page_checksum": True, "use_dictionary": False},
)


def check(data: bytes) -> None:
    """Checks the bytes, as they are or with the footer of a seed after them.

    The first byte says which. Without that hardly any change of a page would be seen:
    a file whose length has changed has no footer.
    """
    seed = data[0] if data else 0
    body = data[1:]
    if seed < len(_FOOTERS):
        body += _FOOTERS[seed]
    with suppress(ArchiveError):
        check_parquet(body, _FOOTERS)


def _write(options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    pq.write_table(image_table(_IMAGES), file, write_statistics=False, **options)
    return file.getvalue()


_FILES: Final = [_write(options) for options in _WRITERS]
_FOOTERS: Final = [footer_of(data) for data in _FILES]


def _seeds() -> Iterator[bytes]:
    for number, (data, footer) in enumerate(zip(_FILES, _FOOTERS, strict=True)):
        yield bytes([number]) + data[: -len(footer)]
        yield b"\xff" + data


if __name__ == "__main__":
    fuzz("parquet", check, _seeds())
