"""The formats a dataset can be written in: one module each, and one table of them.

A format is a writer, a reader, and what its loaders expect of names and places. To add
one, write its module and add its line to ``FORMATS``; the configuration, the plan, the
build and the documents go by the table.
"""

from collections.abc import Mapping
from typing import Final

from transforms.formats.array_record import (
    ArrayRecordWriter,
    read_array_record,
    scan_array_record,
)
from transforms.formats.format import (
    Format,
    from_path,
    from_stream,
    in_tfds_style,
    to_path,
    to_stream,
)
from transforms.formats.parquet import (
    ParquetWriter,
    parquet_file_name,
    read_parquet,
    scan_parquet,
)
from transforms.formats.tfrecord import TFRecordWriter, read_tfrecord, scan_tfrecord
from transforms.formats.webdataset import (
    WebDatasetWriter,
    read_webdataset,
    scan_webdataset,
    webdataset_companions,
    webdataset_file_name,
)

FORMATS: Final[Mapping[str, Format]] = {
    "tfrecord": Format(
        layout="tfds",
        file_name=in_tfds_style("tfrecord"),
        pattern="{dataset}-*",
        publish=to_stream(TFRecordWriter),
        read=from_stream(read_tfrecord),
        scan=from_stream(scan_tfrecord),
        loader='tfds.load("{name}/{config}:{version}", data_dir="{root}")',
        imports=("import tensorflow_datasets as tfds",),
    ),
    "array_record": Format(
        layout="tfds",
        file_name=in_tfds_style("array_record"),
        pattern="{dataset}-*",
        publish=to_path(ArrayRecordWriter),
        read=from_path(read_array_record),
        scan=from_path(scan_array_record),
        loader='tfds.data_source("{name}/{config}:{version}", data_dir="{root}")',
        imports=("import tensorflow_datasets as tfds",),
        needs="array_record",
    ),
    "parquet": Format(
        layout="hub",
        file_name=parquet_file_name,
        pattern="*.parquet",
        publish=to_stream(ParquetWriter),
        read=from_stream(read_parquet),
        scan=from_stream(scan_parquet),
        loader='datasets.load_dataset("{root}", "{config}")',
        imports=("import datasets",),
        max_bytes=500_000_000,  # as the hub's own writer
        record_overhead=1024,
        file_overhead=256 << 10,
        typed=True,
    ),
    "webdataset": Format(
        layout="hub",
        file_name=webdataset_file_name,
        pattern="*.tar",
        publish=to_stream(WebDatasetWriter),
        read=from_stream(read_webdataset),
        scan=from_stream(scan_webdataset),
        loader="webdataset.WebDataset("
        'sorted(glob.glob("{root}/{config}/{split}-*.tar")), shardshuffle=False)',
        imports=("import glob", "import webdataset"),
        max_bytes=1_000_000_000,
        record_overhead=4096,
        file_overhead=16 << 10,
        companions=webdataset_companions,
        image_per_file=True,
    ),
}


def loader_line(
    format_name: str, /, *, root: str, name: str, config: str, version: str, split: str
) -> str:
    """Returns the line of Python that loads a dataset.

    Args:
        format_name: A key of ``FORMATS``.
        root: What the loader is given: the directory of datasets for TFDS, the folder
            for the hub.
        name: The dataset's name.
        config: The configuration's name.
        version: ``major.minor.patch``.
        split: The split to load, where the line names one.
    """
    return FORMATS[format_name].loader.format(
        root=root, name=name, config=config, version=version, split=split
    )
