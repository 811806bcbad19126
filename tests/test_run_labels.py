"""Labels from end to end: whose they are, what contradicts them, and who says so."""

from pathlib import Path

import pytest

from tests.helpers.archives import (
    CLASSES,
    FLAT,
    LISTED,
    SIZES_DECIDE,
    Outcome,
    build,
    dataset_dir,
    few_archives,
    image,
    nested_tar,
    stated,
    tar,
    write_archives,
)
from tests.test_run import reread
from tests.test_verify import document_of

FIRST, SECOND = LISTED
LIST_DECIDES = ("--set", "splits.train.labels=list")


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    return few_archives(tmp_path / "archives")


def labels_of(outcome: Outcome, data_dir: Path, split: str = "train") -> dict[str, int]:
    """Returns the labels that a build wrote, by name."""
    assert outcome.code == 0, outcome.err
    (records,) = reread(dataset_dir(data_dir), split)
    return {record.file_name: record.label for record in records}


def problems(archives: Path, *argv: object) -> list[str]:
    """Returns what a verification names that holds it against archives' numbers."""
    document = document_of(*argv, *stated(archives))
    return [problem["message"] for problem in document["problems"]]


def test_a_list_decides_labels_where_it_is_asked_to(
    archives: Path, tmp_path: Path
) -> None:
    write_archives(archives, listed=[f"{FIRST} 7", f"n01443537/{SECOND} 0"])
    outcome = build(archives, tmp_path, *SIZES_DECIDE, *LIST_DECIDES)
    assert labels_of(outcome, tmp_path) == {FIRST: 7, SECOND: 0}
    remark = "train: 2 images have another label than their names say.\n"
    assert remark in outcome.out
    directory = dataset_dir(tmp_path)
    verified = (directory, *LIST_DECIDES, "--manual_dir", archives)
    assert problems(archives, *verified) == []
    assert problems(archives, directory) == [
        f"{name} has label {label} ({wnid}), and by its name it has label {own} ({of})."
        for name, label, wnid, own, of in sorted(
            [
                (FIRST, 7, "n01514668", 0, "n01440764"),
                (SECOND, 0, "n01440764", 1, "n01443537"),
            ],
            key=lambda row: list(labels_of(outcome, tmp_path)).index(row[0]),
        )
    ]
    # Without the archives it takes the list from where downloads are.
    (tmp_path / "downloads" / "manual").mkdir(parents=True)
    listed = tmp_path / "downloads" / "manual" / "demo.txt"
    listed.write_bytes((archives / "demo.txt").read_bytes())
    assert problems(archives, directory, *LIST_DECIDES) == []
    listed.write_text(f"{FIRST} 7\n{SECOND} 5\n")
    assert problems(archives, directory, *LIST_DECIDES) == [
        f"{SECOND} has label 0 (n01440764), and by {listed} it has label 5 (n01496331)."
    ]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([f"{FIRST} 7", SECOND], f"decides the labels, and {SECOND} has none there."),
        (
            [f"{FIRST} 7", f"{SECOND} 1000"],
            f"decides the labels, and {SECOND} has 1,000 there: there are 1,000 "
            "classes, counted from 0. class_names says which.",
        ),
    ],
)
def test_a_list_that_decides_and_does_not_is_told(
    archives: Path, tmp_path: Path, listed: list[str], message: str
) -> None:
    write_archives(archives, listed=listed)
    outcome = build(archives, tmp_path, *SIZES_DECIDE, *LIST_DECIDES)
    assert outcome.code == 1
    assert outcome.err == f"error: {archives / 'demo.txt'} {message}\n"


def test_the_folder_of_a_listed_image_is_held_against_its_class(
    archives: Path, tmp_path: Path
) -> None:
    write_archives(archives, listed=[f"n01440764/{FIRST}", f"train/n01514668/{SECOND}"])
    outcome = build(archives, tmp_path, *SIZES_DECIDE)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == (
        f"error: {archives / 'demo.txt'} gives 1 of the 2 images that it names another "
        f"label than their class has: {SECOND} 7 instead of 1. Say "
        "splits.train.labels=list, and the list decides, or take a list without labels."
    )


def test_labels_of_a_list_need_a_list(archives: Path, tmp_path: Path) -> None:
    flags = ("--set", "splits.validation.labels=list")
    outcome = build(archives, tmp_path, *flags)
    assert (outcome.code, outcome.err) == (
        2,
        "error: --set splits.validation.labels: labels is list, and there is no subset "
        "list: subset has to name one.\n",
    )


def test_an_image_in_another_classs_tar_is_counted_and_found(
    archives: Path, tmp_path: Path
) -> None:
    stray = "n01440764_5.JPEG"
    tars = {**CLASSES, "n01443537": [*CLASSES["n01443537"], (stray, image(5))]}
    write_archives(archives, train=nested_tar(tars), listed=[*LISTED, stray])
    outcome = build(archives, tmp_path, *SIZES_DECIDE)
    assert labels_of(outcome, tmp_path) == {FIRST: 0, SECOND: 1, stray: 1}
    remark = "train: 1 images have another label than their names say.\n"
    assert remark in outcome.out
    found = [
        f"{stray} has label 1 (n01443537), and by its name it has label 0 (n01440764)."
    ]
    directory = dataset_dir(tmp_path)
    assert problems(archives, directory) == found
    assert problems(archives, directory, "--manual_dir", archives) == found


def test_a_class_that_no_list_wants_is_passed_over_and_counted(
    archives: Path, tmp_path: Path
) -> None:
    others = {"n99999999": [("n99999999_1.JPEG", image(9))], "n00000001": []}
    write_archives(archives, train=nested_tar({**CLASSES, **others}))
    outcome = build(archives, tmp_path, *SIZES_DECIDE)
    assert labels_of(outcome, tmp_path) == {FIRST: 0, SECOND: 1}
    assert (
        "train: 1 folders or tars of no known class skipped: the list wants none of "
        "them.\n" in outcome.out
    )


def test_labels_come_from_a_file_that_names_images(
    archives: Path, tmp_path: Path
) -> None:
    path = tmp_path / "val.txt"
    path.write_text("".join(f"{name} {i}\n" for i, (name, _) in enumerate(FLAT, 5)))
    labels = f"splits.validation.labels={{file: {path}, format: caffe, images: 3}}"
    outcome = build(archives, tmp_path, *SIZES_DECIDE, labels)
    assert labels_of(outcome, tmp_path, "validation") == {
        name: i for i, (name, _) in enumerate(FLAT, 5)
    }
    directory = dataset_dir(tmp_path)
    assert problems(archives, directory, "--set", labels) == []


TEST = [f"ILSVRC2012_test_{number:08d}.JPEG" for number in (1, 2, 3)]


def test_an_overlay_that_replaces_nothing_is_refused(
    archives: Path, tmp_path: Path
) -> None:
    (archives / "ILSVRC2012_img_test.tar").write_bytes(
        tar((name, image(i)) for i, name in enumerate(TEST))
    )
    overlay = archives / "patch_images.tar"
    overlay.write_bytes(tar([(f"patch_images/x{TEST[1]}", image(50))]))
    outcome = build(archives, tmp_path, *SIZES_DECIDE, "--version=5.1.0")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == (
        "error: 1 images that should replace others of the test split replace none: "
        f"x{TEST[1]}. x{TEST[1]} begins at byte 512 of {overlay}, and "
        f"{archives / 'ILSVRC2012_img_test.tar'} has no image of that name. Is it the "
        "right overlay?"
    )
