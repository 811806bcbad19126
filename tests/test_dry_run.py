"""A dry run: its figures are those of the build, and nothing is written."""

import re
import shutil
from pathlib import Path

import pytest

from beam_pipeline.demo import SUBSET_LIST
from tests.helpers.archives import build, dataset_dir
from transforms.formats.table import FORMATS

# A shard each, and so little for a Parquet file that it is cut into several.
FORMAT_FLAGS = (
    *("--format", "tfrecord,parquet", "--num_shards", "train=1", "validation=1"),
    *("--set", "max_file_bytes.parquet=290000"),
)


@pytest.fixture(scope="module")
def rows(
    small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[list[str]]:
    """The cells of a dry run's table."""
    data_dir = tmp_path_factory.mktemp("dry")
    outcome = build(small_archives, data_dir, "--dry_run", *FORMAT_FLAGS)
    assert outcome.code == 0
    assert outcome.out.endswith("\nNothing was written.\n")
    assert "Headers: 0 of 2 archives have a saved index; planning took" in outcome.out
    assert list(data_dir.iterdir()) == []
    return [
        re.split(r"  +", line.strip())
        for line in outcome.out.splitlines()
        if re.search("  (tfrecord|parquet)  ", line)
    ]


def test_a_dry_run_tells_what_a_build_does(
    rows: list[list[str]], small_archives: Path, tmp_path: Path
) -> None:
    assert build(small_archives, tmp_path, *FORMAT_FLAGS).code == 0
    tfrecords = dataset_dir(tmp_path)
    parquets = tmp_path / "parquet" / "imagenet2012_subset" / "5.0.0" / "demo"
    told = {}
    for split, selected in (("train", 18), ("validation", 20)):
        files = {
            "tfrecord": sorted(tfrecords.glob(f"*-{split}.tfrecord-*")),
            "parquet": sorted(parquets.glob(f"{split}-*.parquet")),
        }
        examples = {
            name: sum(len(list(FORMATS[name].codec.read(str(path)))) for path in found)
            for name, found in files.items()
        }
        assert examples == {"tfrecord": selected, "parquet": selected}
        told[split] = {name: str(len(found)) for name, found in files.items()}
    first = [(row[0], row[1], row[2], row[4]) for row in rows if len(row) == 8]
    assert first == [("train", "36", "18", "1"), ("validation", "20", "20", "1")]
    assert [(row[-3], row[-2]) for row in rows] == [
        (name, told[split][name])
        for split in ("train", "validation")
        for name in ("tfrecord", "parquet")
    ]
    assert int(told["train"]["parquet"]) > 1


def test_what_fails_a_build_fails_a_dry_run(
    small_archives: Path, tmp_path: Path
) -> None:
    archives = tmp_path / "archives"
    shutil.copytree(small_archives, archives)
    (archives / SUBSET_LIST).write_text("a.JPEG\n")
    outcome = build(archives, tmp_path / "data", "--dry_run")
    assert outcome.code == 1
    assert "selects nothing" in outcome.err
    assert not (tmp_path / "data").exists()


def test_a_saved_index_is_told_of(small_archives: Path, tmp_path: Path) -> None:
    assert build(small_archives, tmp_path).code == 0
    outcome = build(small_archives, tmp_path, "--dry_run", "--overwrite")
    assert "Headers: 2 of 2 archives have a saved index" in outcome.out
    assert re.search(r"Of [\d.]+ kB of archives [\d.]+ kB would be read", outcome.out)
