"""Parquet files as the Hugging Face hub has them.

A column for each feature. The key ``huggingface`` of the schema's metadata says which
columns are images and class labels; ``datasets`` believes it only where a column's type
and nullability are exactly those below. Images are stored as they are, for compressing
them again costs time and saves nothing. A row group is what a viewer loads to show a
few rows, and what is in memory here, so it is small; within it, pages of about 1 MiB
with an index let a reader find one image.

Encodings are those of ``datasets.arrow_writer``, but for its content-defined chunking:
that makes uploads of changed files cheaper, and a file of these never changes. Pages
have checksums: nothing else would show damage to an image.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.errors import FormatError
from transforms.formats.format import Features, from_stream, to_stream
from transforms.formats.kinds import KINDS
from transforms.formats.records import (
    FEATURES,
    DamagedRecords,
    Example,
    Schema,
    undamaged,
)
from transforms.images import read_header
from transforms.storage import Pieces, Sink

_GROUP_ROWS: Final = 100
_GROUP_BYTES: Final = 5_000_000  # of images; more do not fit into the caches

# What pyarrow raises for bytes that are not what they should be.
_DAMAGE: Final = (pa.ArrowException, UnicodeDecodeError, OSError)
_IMAGE_LEAVES: Final = ("bytes", "path")


class ParquetWriter:
    """Writes Examples to a Parquet file."""

    def __init__(
        self, file: Sink, schema: Schema, group_bytes: int = _GROUP_BYTES
    ) -> None:
        """Writes to ``file``, which stays open.

        Args:
            file: An empty file.
            schema: The columns and the names of the classes.
            group_bytes: Most bytes of images in a row group of several rows.
        """
        self._group_bytes = group_bytes
        self._file = file
        self._columns = {each.name: each.kind for each in schema.columns}
        self._schema = arrow_schema(schema)
        self._examples: list[Example] = []
        self._image_bytes = 0
        self._pieces = Pieces()
        (image,) = [n for n, kind in self._columns.items() if kind == "image"]
        images = [f"{image}.{leaf}" for leaf in _IMAGE_LEAVES]
        others = [
            f"{name}.list.element" if KINDS[kind].repeated else name
            for name, kind in self._columns.items()
            if kind != "image"
        ]
        self._writer = pq.ParquetWriter(
            self._pieces,
            self._schema,
            compression=dict.fromkeys(images, "none") | dict.fromkeys(others, "snappy"),
            column_encoding=dict.fromkeys(images, "PLAIN"),
            use_dictionary=others,
            write_statistics=others,
            write_batch_size=1,  # a page's length is looked at after so many rows
            write_page_index=True,
            write_page_checksum=True,
        )

    def write(self, example: Example) -> None:
        """Appends an Example."""
        full = len(self._examples) == _GROUP_ROWS
        if full or self._image_bytes + len(example.image) > self._group_bytes:
            self._write_group()
        self._examples.append(example)
        self._image_bytes += len(example.image)

    def close(self) -> None:
        """Writes the last row group and the footer."""
        self._write_group()
        self._writer.close()
        self._pieces.move_to(self._file)

    def _write_group(self) -> None:
        if not self._examples:
            return
        columns = [
            _COLUMNS[name if kind == "pixels" else kind](self._examples)
            for name, kind in self._columns.items()
        ]
        batch = pa.record_batch(columns, schema=self._schema)
        self._examples.clear()
        self._image_bytes = 0
        self._writer.write_batch(batch)
        self._pieces.move_to(self._file)


def arrow_schema(schema: Schema) -> pa.Schema:
    """Returns the Arrow schema of a dataset's files, with the hub's metadata.

    The metadata is what ``datasets.Features.from_arrow_schema`` reads.
    """
    features = {
        column.name: KINDS[column.kind].hub_feature(schema.class_names)
        for column in schema.columns
    }
    return pa.schema(
        [(column.name, KINDS[column.kind].arrow) for column in schema.columns],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )


def read_parquet(file: BinaryIO, features: Features = FEATURES) -> Iterator[Example]:
    """Yields the Examples of a Parquet file; one row group is in memory at a time.

    Raises:
        FormatError: It is cut off, damaged, or has other columns than ours.
    """
    return undamaged(scan_parquet(file, features))


def scan_parquet(
    file: BinaryIO, features: Features = FEATURES
) -> Iterator[Example | DamagedRecords]:
    """Yields the Examples of a Parquet file, and goes on after damaged row groups.

    Raises:
        FormatError: Its footer is damaged, or it has other columns than ours.
    """
    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        _check_columns(parquet.schema_arrow, features)
        groups = range(parquet.num_row_groups)
    except _DAMAGE as error:
        raise _format_error(error) from error
    columns = {each.kind: each.name for each in Schema((), features=features).columns}
    kinds = [
        kind for kind in ("text", "image", "label", "label_list") if kind in columns
    ]
    for group in groups:
        done = 0
        try:
            table = parquet.read_row_group(group, use_threads=False)
            rows = zip(*(table[columns[kind]] for kind in kinds), strict=True)
            for row in rows:
                example = _example(dict(zip(kinds, row, strict=True)))
                if example is None:
                    reason = f"Row {done} of row group {group} has a null."
                    yield DamagedRecords(1, reason)
                else:
                    yield example
                done += 1
        except _DAMAGE as error:
            whole = parquet.metadata.row_group(group).num_rows
            yield DamagedRecords(whole - done, str(_format_error(error)))


def _example(row: Mapping[str, Any]) -> Example | None:
    """Returns the record of a row's scalars by kind; None where one is null."""
    image = row["image"]["bytes"].as_py()
    values = {kind: row[kind].as_py() for kind in row if kind != "image"}
    labels = values.pop("label_list", ())
    if image is None or labels is None or None in (*values.values(), *labels):
        return None
    return Example(values["text"], image, values.get("label", -1), tuple(labels))


def _format_error(error: Exception) -> FormatError:
    """Returns what pyarrow's error means; raises it where the system is its cause."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    return FormatError(f"Damaged, or no Parquet file: {error}")


def file_name(dataset: str, split: str, index: int, count: int) -> str:
    """Returns a file's name as the hub expects it."""
    return f"{split}-{index:05d}-of-{count:05d}.parquet"


def _names(examples: Sequence[Example]) -> pa.Array:
    return pa.array([example.file_name for example in examples], pa.string())


def _images(examples: Sequence[Example]) -> pa.Array:
    images = _binary_array([example.image for example in examples])
    fields = list(KINDS["image"].arrow)
    return pa.StructArray.from_arrays([images, _names(examples)], fields=fields)


def _pixels(side: str) -> Callable[[Sequence[Example]], pa.Array]:
    def column(examples: Sequence[Example]) -> pa.Array:
        headers = [each.header or read_header(each.image) for each in examples]
        return pa.array([getattr(each, side) for each in headers], pa.int32())

    return column


# The columns of records, by kind; of pixels by name.
_COLUMNS: Final[Mapping[str, Callable[[Sequence[Example]], pa.Array]]] = {
    "text": _names,
    "image": _images,
    "label": lambda examples: pa.array([e.label for e in examples], pa.int64()),
    "label_list": lambda examples: pa.array(
        [e.labels for e in examples], KINDS["label_list"].arrow
    ),
    "width": _pixels("width"),
    "height": _pixels("height"),
}


def _binary_array(values: Sequence[bytes]) -> pa.Array:
    """Returns what ``pa.array`` would, without growing its memory step by step.

    Raises:
        pyarrow.ArrowInvalid: The values have 2 GiB together.
    """
    ends = pa.array(accumulate(map(len, values), initial=0), pa.int32())
    buffers = [None, ends.buffers()[1], pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers)


def _check_columns(found: pa.Schema, features: Features) -> None:
    plain, sized = (
        arrow_schema(Schema((), dimensions, features=features))
        for dimensions in (False, True)
    )
    if not found.equals(plain) and not found.equals(sized):
        raise FormatError(
            f"Its columns are [{_in_words(found)}], expected {_in_words(plain)}, and "
            f"perhaps {_in_words(list(sized)[len(plain) :])}, all nullable."
        )


def _in_words(fields: Iterable[pa.Field]) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in fields)


publish = to_stream(ParquetWriter)
read = from_stream(read_parquet)
scan = from_stream(scan_parquet)
