"""What every test here looks at and none changes."""

from pathlib import Path

import pytest

from tests.suites.loaders.expected import (
    CONFIGS,
    Built,
    add_half_list,
    add_test_archive,
    build,
    read_archives,
)


@pytest.fixture(scope="session")
def built(small_archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Two configurations in every format, and one of them with dimensions too."""
    directory = tmp_path_factory.mktemp("loaders")
    archives = directory / "archives"
    archives.mkdir()
    for path in small_archives.iterdir():
        (archives / path.name).symlink_to(path)
    add_test_archive(archives)
    half = add_half_list(archives)
    data_dir, wide_dir = directory / "data", directory / "wide"
    every_format = "tfrecord,array_record,parquet,webdataset"
    lines = build(archives, data_dir, "demo", every_format)
    # Whatever comes first on the command line, tfds.load has to find TFRecord.
    backwards = ",".join(reversed(every_format.split(",")))
    build(archives, data_dir, str(half), backwards)
    dimensions = ("--set", "dimensions=true")
    build(archives, wide_dir, "demo", "parquet,webdataset", *dimensions)
    expected = {config: read_archives(archives, config) for config in CONFIGS}
    return Built(directory, data_dir, wide_dir, lines, expected)
