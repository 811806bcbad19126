"""Every form of the archives gives the same dataset, byte for byte."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from beam_pipeline.demo_forms import OTHER_FORMS, change_form
from tests.helpers.archives import build, dataset_dir, run, stated

SHARDS = "*.tfrecord-*"
ZIP = "a zip, {}/imagenet-object-localization-challenge.zip"
PART = "a Parquet file, {{}}/data/train-{:05d}-of-00002.parquet"

# What is said of each form, by split.
FOUND = {
    "tree": ("train: a tar, {}/train.tar", "validation: a tar, {}/val.tar"),
    "tar.gz": (
        "train: a tar in a gzip file, {}/train.tar.gz",
        "validation: a tar in a gzip file, {}/val.tar.gz",
    ),
    "tars": (
        "train: a folder of class tars, {}/train",
        "validation: a tar, {}/val.tar",
    ),
    "folders": (
        "train: a folder of images, {}/train",
        "validation: a folder of images, {}/val",
    ),
    "sorted": (
        "train: a folder of images, {}/train",
        "validation: a folder of images, {}/val",
    ),
    "zip": (f"train: {ZIP}", f"validation: {ZIP}"),
    "parquet": (
        f"train: {PART.format(0)}, {PART.format(1)}",
        "validation: a Parquet file, {}/data/validation-00000-of-00001.parquet",
    ),
}


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob(SHARDS)}


@pytest.fixture(scope="module")
def expected(
    small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The shards that the original tars give."""
    data_dir = tmp_path_factory.mktemp("tars")
    outcome = build(small_archives, data_dir)
    assert outcome.code == 0, outcome.err
    shards = contents(dataset_dir(data_dir))
    assert len(shards) == 6
    return shards


@pytest.fixture
def numbers(small_archives: Path) -> tuple[str, ...]:
    return stated(small_archives)


@pytest.fixture
def pack(small_archives: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Returns a function that makes the small archives in a form."""

    def pack_form(form: str) -> Path:
        archives = tmp_path / form
        shutil.copytree(small_archives, archives)
        change_form(archives / TRAIN_ARCHIVE, archives / VALIDATION_ARCHIVE, form)
        return archives

    return pack_form


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_a_dataset_does_not_depend_on_how_its_archives_are_packed(
    form: str,
    pack: Callable[[str], Path],
    expected: dict[str, bytes],
    numbers: tuple[str, ...],
    tmp_path: Path,
) -> None:
    archives = pack(form)
    assert SUBSET_LIST in {path.name for path in archives.iterdir()}
    flags = ("--manual_dir", archives, "--data_dir", tmp_path / "data", *numbers)
    outcome = run("--config", "demo", *flags)
    assert outcome.code == 0, outcome.err
    assert contents(dataset_dir(tmp_path / "data")) == expected
    assert outcome.err.splitlines()[:2] == [
        line.format(archives) for line in FOUND[form]
    ]
    # Once more, from what was kept of the archives.
    outcome = run("--config", "demo", *flags, "--overwrite")
    assert outcome.code == 0, outcome.err
    assert contents(dataset_dir(tmp_path / "data")) == expected
