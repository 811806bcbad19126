"""What lies beside archives, or is wrong with them, in every form."""

import shutil
from pathlib import Path

import pytest
from rich.filesize import decimal

from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from beam_pipeline.demo_forms import change_form
from tests.helpers.archives import (
    CLASSES,
    LISTED,
    SIZES_DECIDE,
    build,
    dataset_dir,
    few_archives,
    image,
    stated,
    tar,
)
from tests.test_verify import document_of
from transforms.errors import sample

SHARDS = "*.tfrecord-*"


def contents(directory: Path, pattern: str = SHARDS) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob(pattern)}


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Folders of a few images, and a list of those for training."""
    archives = few_archives(tmp_path / "archives")
    change_form(archives / TRAIN_ARCHIVE, archives / VALIDATION_ARCHIVE, "folders")
    return archives


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Archives of which the training split's lie in a folder of parts."""
    archives = few_archives(tmp_path / "archives")
    (archives / TRAIN_ARCHIVE).unlink()
    for number, (wnid, images) in enumerate(CLASSES.items()):
        (archives / f"parts/{number}").mkdir(parents=True)
        named = [(f"{wnid}/{name}", data) for name, data in images]
        (archives / f"parts/{number}/train_{number}.tar").write_bytes(tar(named))
    return archives


def test_a_folder_of_archives_is_taken_whole_and_once(
    parts: Path, tmp_path: Path
) -> None:
    named = "splits.train.archives=['par*/[0-9]/train_?.tar','parts/*',parts]"
    outcome = build(parts, tmp_path / "data", *SIZES_DECIDE, named)
    assert outcome.code == 0, outcome.err
    (dataset,) = contents(dataset_dir(tmp_path / "data"), "*-train.tfrecord-*").values()
    assert all(dataset.count(name.encode()) == 1 for name in LISTED)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("par*/?/train_*.tar", ["parts/0/train_0.tar", "parts/1/train_1.tar"]),
        ("*/1/train_1.tar", ["parts/1/train_1.tar"]),
        ("[x]/*.tar", ["[x]/train_2.tar"]),  # a folder of that name comes first
        ("p*/2/*.tar", []),
        ("no*/*/*.tar", []),
    ],
)
def test_any_part_of_a_path_may_be_a_pattern(
    pattern: str, found: list[str], parts: Path, tmp_path: Path
) -> None:
    (parts / "[x]").mkdir()
    shutil.copy(parts / "parts/0/train_0.tar", parts / "[x]/train_2.tar")
    named = f"splits.train.archives=['{pattern}']"
    outcome = build(parts, tmp_path / "data", *SIZES_DECIDE, named, "--dry_run")
    if found:
        said = sample([f"a tar, {parts / each}" for each in found], 2)
        assert f"train: {said}\n" in outcome.err
    else:
        assert outcome.err.startswith(
            "error: The archive of the train split is missing: there is no "
            f"{parts}/{pattern}. "
        )


def test_validation_images_beside_class_folders_are_named_in_the_message(
    few: Path, tmp_path: Path
) -> None:
    for folder in (few / "train").iterdir():
        folder.rename(few / folder.name)
    (few / "train").rmdir()
    outcome = build(few, tmp_path / "data", *SIZES_DECIDE)
    assert outcome.code == 1
    assert (
        f" Beside class folders, and taken with these: {few}/val. If the validation "
        "split is there, name it: --set splits.validation.archives=[PATH]. "
    ) in outcome.err
    named = "splits.validation.archives=[val]"
    outcome = build(few, tmp_path / "data", *SIZES_DECIDE, named)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("there", "data", "reason"),
    [
        ("1/train_1.tar", b"", "{parts}/1/train_1.tar is no archive of images."),
        ("1/train_1.tar", b"BZh91AY", "{parts}/1/train_1.tar is compressed with bzip2"),
        ("a/b/c/d/e/f/g/train_1.tar", b"", "{parts}/a/b/c/d/e/f/g was not looked into"),
    ],
)
def test_a_folder_of_archives_that_may_not_be_whole_is_refused(
    there: str, data: bytes, reason: str, parts: Path, tmp_path: Path
) -> None:
    path = parts / "parts" / there
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    named = "splits.train.archives=[parts]"
    outcome = build(parts, tmp_path / "data", *SIZES_DECIDE, named)
    assert outcome.code == 1
    first = parts / "parts/0/train_0.tar"
    assert outcome.err.startswith(
        f"error: Beside {first} there may be more of the train split: "
        + reason.format(parts=parts / "parts")
    )


def test_what_differs_from_a_folder_is_shown_with_its_file(
    few: Path, tmp_path: Path
) -> None:
    archives = few
    outcome = build(archives, tmp_path / "data", *SIZES_DECIDE)
    assert outcome.code == 0, outcome.err
    path = archives / "val/ILSVRC2012_val_00000002.JPEG"
    path.write_bytes(image(77))
    directory = dataset_dir(tmp_path / "data")
    found = document_of(directory, "--manual_dir", archives, *stated(archives))
    (problem,) = [p for p in found["problems"] if p["check"] == "archive"]
    assert f" of the image at byte 0 of {path}: it has " in problem["message"]


def test_an_estimate_does_not_state_the_size_of_folders(
    few: Path, tmp_path: Path
) -> None:
    outcome = build(few, tmp_path / "data", *SIZES_DECIDE, "--dry_run")
    size = sum(path.stat().st_size for path in few.rglob("*.JPEG"))
    assert f"\n{decimal(size)} would be read, headers apart.\n" in outcome.out


def test_datasets_that_were_built_are_not_taken_for_archives(few: Path) -> None:
    shared = ("--set", "splits.train.archives=[train/]", "--format=webdataset")
    outcome = build(few, few, *SIZES_DECIDE, *shared)
    assert outcome.code == 0, outcome.err
    assert list(few.glob("webdataset/**/*train*.tar"))
    # The images are found again where they were, and nowhere else.
    outcome = build(few, few, *SIZES_DECIDE)
    assert outcome.code == 0, outcome.err
    shutil.rmtree(few / "train")
    outcome = build(few, few, *SIZES_DECIDE, "--overwrite")
    assert outcome.code == 1
    assert outcome.err.startswith("error: The archive of the train split is missing: ")
    # Whatever its folder is called.
    (few / "webdataset").rename(few / "mine")
    (few / "mine" / "imagenet2012_subset").rename(few / "mine" / "images")
    outcome = build(few, few / "data", *SIZES_DECIDE)
    assert outcome.code == 1
    assert outcome.err.startswith("error: The archive of the train split is missing: ")
