"""Where a dataset's files lie, and the way back from there."""

import pytest

from transforms.formats.places import Places, find_data_dir
from transforms.formats.table import FORMATS


@pytest.mark.parametrize("data_dir", ["/data", "gs://bucket", "/"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_a_directory_tells_where_datasets_lie(format_name: str, data_dir: str) -> None:
    places = Places(data_dir, "d", "c", "1.0.0")
    directory = places.directory(format_name)
    assert find_data_dir(directory, "d", "c", "1.0.0") == data_dir


def test_a_folder_of_configurations_tells_it_too() -> None:
    assert find_data_dir("/data/parquet/d/1.0.0", "d", "c", "1.0.0") == "/data"


@pytest.mark.parametrize("directory", ["/data/d/c", "/data/d/c/2.0.0", "/data/copy"])
def test_a_directory_elsewhere_tells_nothing(directory: str) -> None:
    assert find_data_dir(directory, "d", "c", "1.0.0") is None
