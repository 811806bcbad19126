"""The formats a dataset can be written in: one module each, and one table of them.

A format is a writer, a reader, and what its loaders expect of names and places. To add
one, write its module with the names of ``format.Codec`` and add its row to ``FORMATS``;
the configuration, the plan, the build and the documents go by the table. A module is
imported when a file of its format is first named, for the table must load fast.
"""

from collections.abc import Mapping
from typing import Final

from transforms.formats.format import Format

FORMATS: Final[Mapping[str, Format]] = {
    "tfrecord": Format(
        module="transforms.formats.tfrecord",
        layout="tfds",
        pattern="{dataset}-*",
        loader='tfds.load("{full_name}:{version}", data_dir="{root}")',
        imports=("import tensorflow_datasets as tfds",),
        packages="tensorflow tensorflow-datasets",
    ),
    "array_record": Format(
        module="transforms.formats.array_record",
        layout="tfds",
        pattern="{dataset}-*",
        loader='tfds.data_source("{full_name}:{version}", data_dir="{root}")',
        imports=("import tensorflow_datasets as tfds",),
        packages="tensorflow-datasets array-record",
        needs="array_record",
    ),
    "parquet": Format(
        module="transforms.formats.parquet",
        layout="hub",
        pattern="*.parquet",
        loader='datasets.load_dataset("{root}", "{config}")',
        imports=("import datasets",),
        packages="datasets",
        max_bytes=500_000_000,  # as the hub's own writer
        record_overhead=1024,
        file_overhead=256 << 10,
        typed=True,
    ),
    "webdataset": Format(
        module="transforms.formats.webdataset",
        layout="hub",
        pattern="*.tar",
        loader="webdataset.WebDataset("
        'sorted(glob.glob("{root}/{config}/{split}-*.tar")), shardshuffle=False)',
        imports=("import glob", "import webdataset"),
        packages="webdataset",
        max_bytes=1_000_000_000,
        record_overhead=4096,
        file_overhead=16 << 10,
        image_per_file=True,
    ),
}


# What the hub calls the configuration of a dataset that has none.
ONLY_CONFIG: Final = "default"


def full_name(dataset: str, config: str) -> str:
    """Returns what TFDS calls a configuration of a dataset."""
    return f"{dataset}/{config}" if config else dataset


def loader_line(
    format_name: str, /, *, root: str, name: str, config: str, version: str, split: str
) -> str:
    """Returns the line of Python that loads a dataset.

    Args:
        format_name: A key of ``FORMATS``.
        root: What the loader is given: the directory of datasets for TFDS, the folder
            for the hub.
        name: The dataset's name.
        config: The configuration's name; empty where the dataset has but one.
        version: ``major.minor.patch``.
        split: The split to load, where the line names one.
    """
    return FORMATS[format_name].loader.format(
        root=root,
        full_name=full_name(name, config),
        config=config or ONLY_CONFIG,
        version=version,
        split=split,
    )
