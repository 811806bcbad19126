"""What a finished dataset is held against when the same or another one is asked for."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from beam_pipeline.inputs.built_from import archive_changes, note_archives
from tests.helpers.archives import (
    SIZES_DECIDE,
    Outcome,
    build,
    few_archives,
    image,
    nested_tar,
    write_archives,
)
from tests.helpers.datasets import (
    ALL,
    copy,
    edit_json,
    flip,
    place,
    problems_of,
    read_manifest,
    shards,
)
from transforms.archives import Archive
from transforms.formats import Places
from transforms.storage import FileInfo


@pytest.fixture
def archives(small_archives: Path, tmp_path: Path) -> Path:
    """A copy of the small archives, to be changed."""
    return shutil.copytree(small_archives, tmp_path / "archives")


@pytest.fixture
def data_dir(every_format: Path, tmp_path: Path) -> Path:
    """A copy of all datasets, to be changed."""
    return copy(every_format, tmp_path / "data")


def state(data_dir: Path) -> dict[Path, tuple[int, int]]:
    """Returns what tells whether a file was written, of every file of datasets."""
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in data_dir.rglob("*")
        if path.is_file() and "downloads" not in path.parts
    }


def refused(directory: Path, formats: str, *changes: str) -> Outcome:
    """Returns how a build ends where something else is there, finished."""
    return Outcome(
        1,
        "",
        f"error: {directory} holds the dataset as {formats}, built with other "
        f"settings: {'; '.join(changes)}. Rerun with the settings it was built with, "
        "or with --overwrite to replace it.\n",
    )


def test_the_same_in_every_format_is_left_as_it_is(
    small_archives: Path, data_dir: Path
) -> None:
    before = state(data_dir)
    outcome = build(small_archives, data_dir, "--format", ALL)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [line.partition(" is complete ")[2] for line in lines[::2]] == [
        f"as {name} and left as it is; --repair rereads it and mends it, "
        "--overwrite builds it again."
        for name in ALL.split(",")
    ]
    assert all(line.startswith("Load it: ") for line in lines[1::2])
    assert state(data_dir) == before


@pytest.mark.parametrize(
    ("flags", "changes"),
    [
        (
            ("--set", "images.policy=reencode", "images.quality=70"),
            [
                f"splits.{split}.images.{change}"
                for split in ("train", "validation")
                for change in (
                    "policy was repair, now reencode",
                    "quality was 90, now 70",
                )
            ],
        ),
        (
            ("--set", "splits.validation.images={policy: keep}"),
            ["splits.validation.images.policy was repair, now keep"],
        ),
        (
            ("--num_shards", "train=3"),
            [
                "num_shards.train was 4, now 3",
                "num_shards.validation was 2, now not set",
            ],
        ),
        (
            ("--max_examples_per_split=1000",),
            ["max_examples_per_split was not set, now 1,000"],
        ),
        (("--statistics=full",), ["statistics was cheap, now full"]),
        (
            ("--verify_images=decode",),
            [
                f"splits.{split}.images.check was header, now decode"
                for split in ("train", "validation")
            ],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_other_settings_are_named(
    small_archives: Path, data_dir: Path, flags: tuple[str, ...], changes: list[str]
) -> None:
    before = state(data_dir)
    directory = place(data_dir, "tfrecord")
    found = build(small_archives, data_dir, *flags)
    assert found == refused(directory, "tfrecord and array_record", *changes)
    # A format that isn't there is not put beside one with other settings either.
    edit_json(
        directory / "dataset_info.json", lambda i: i.pop("alternativeFileFormats")
    )
    found = build(small_archives, data_dir, "--format", "array_record", *flags)
    assert found == refused(directory, "tfrecord", *changes)
    assert {*state(data_dir)} == {*before}


def test_settings_of_one_format_are_no_others(
    small_archives: Path, data_dir: Path
) -> None:
    flags = ("--set", "dimensions=true", "max_file_bytes.parquet=123456")
    formats = ("--format", "tfrecord,parquet")
    assert build(small_archives, data_dir, *flags, *formats) == replace_out(
        refused(
            place(data_dir, "parquet"),
            "parquet",
            "formats.parquet.dimensions was false, now true",
            "formats.parquet.max_file_bytes was 500,000,000, now 123,456",
        ),
        build(small_archives, data_dir).out,
    )


def replace_out(outcome: Outcome, out: str) -> Outcome:
    return Outcome(outcome.code, out, outcome.err)


def test_an_edited_list_is_told_and_built_with_overwrite(
    archives: Path, data_dir: Path
) -> None:
    path = archives / SUBSET_LIST
    names = path.read_text().split()
    # Another order gives the same dataset.
    path.write_text("".join(f"{name}\n" for name in reversed(names)))
    assert build(archives, data_dir).code == 0
    data = (archives / TRAIN_ARCHIVE).read_bytes()
    wnid = names[0].partition("_")[0]
    other = next(
        name
        for number in range(1, 30_000)
        if (name := f"{wnid}_{number}.JPEG") not in names and name.encode() in data
    )
    path.write_text("".join(f"{name}\n" for name in [other, *names[1:]]))
    outcome = build(archives, data_dir)
    directory = place(data_dir, "tfrecord")
    assert outcome.code == 1
    before = read_manifest(directory).settings["splits.train.subset"]
    assert f"settings: splits.train.subset was {before}, now " in outcome.err
    assert build(archives, data_dir, "--overwrite").code == 0
    after = read_manifest(directory).settings["splits.train.subset"]
    assert after != before
    assert outcome.err.endswith(
        f"now {after}. Rerun with the settings it was built with, or with --overwrite "
        "to replace it.\n"
    )
    assert build(archives, data_dir).code == 0


def test_other_labels_and_archives_are_told(archives: Path, data_dir: Path) -> None:
    directory = place(data_dir, "tfrecord")
    settings = read_manifest(directory).settings
    path = archives / TRAIN_ARCHIVE
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + bytes(10_240))
    outcome = build(archives, data_dir, "--set", "splits.validation.labels=none")
    assert outcome == refused(
        directory,
        "tfrecord and array_record",
        f"splits.train.archive was {size:,} bytes, now {size + 10_240:,} bytes",
        f"splits.validation.labels was {settings['splits.validation.labels']}, now "
        "Unlabelled",
    )


def test_archives_that_changed_in_place_are_told(tmp_path: Path) -> None:
    archives, data_dir = few_archives(tmp_path / "archives"), tmp_path / "data"
    assert build(archives, data_dir, *SIZES_DECIDE).code == 0
    first = build(archives, data_dir, *SIZES_DECIDE)
    before = state(data_dir)
    path = archives / VALIDATION_ARCHIVE
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(0, 10**18))  # whatever its time was

    outcome = build(archives, data_dir, *SIZES_DECIDE)
    said, load = first.out.rstrip("\n").split("\n")
    assert outcome == Outcome(
        0,
        f"{said}\nSince it was built, archives have changed: "
        f"validation.{VALIDATION_ARCHIVE} was modified. verify --manual_dir compares "
        "the dataset with them as they are, --overwrite builds it from them.\n"
        f"{load}\n",
        "",
    )
    assert state(data_dir) == before
    # What is not known is not said, and what is built again is known.
    note = next(data_dir.rglob("demo-*.built.json"))
    for other in (b"{", b"[]", b'{"a": [1]}', b'{"a": ["1", "b"]}', b'{"a": 1}'):
        note.write_bytes(other)
        assert build(archives, data_dir, *SIZES_DECIDE) == first
    assert build(archives, data_dir, "--overwrite", *SIZES_DECIDE).code == 0
    assert build(archives, data_dir, *SIZES_DECIDE) == first


def test_what_archives_have_come_to(tmp_path: Path) -> None:
    places = Places("nowhere", "imagenet2012_subset", "demo", "5.0.0")

    def archives(**sizes: int) -> list[Archive]:
        return [
            Archive("train", FileInfo(f"/a/{name}", size, "1"), "tar")
            for name, size in sizes.items()
        ]

    index = str(tmp_path)
    note_archives(places, ["tfrecord"], index, archives(a=1, b=2_000, c=3))
    now = archives(a=1, b=2_001, d=4)
    assert archive_changes(places, "tfrecord", index, now) == [
        "train.b was 2,000 bytes, now 2,001",
        "train.c is not there",
        "train.d is new",
    ]
    assert archive_changes(places, "parquet", index, now) == []
    elsewhere = replace(places, data_dir="elsewhere")
    assert archive_changes(elsewhere, "tfrecord", index, now) == []


def test_without_archives_the_rest_is_compared(data_dir: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    outcome = build(nowhere, data_dir)
    assert outcome.code == 0
    assert (
        "\nIts list and its archives were not compared: The archive of the train split "
        f"is missing: nothing in {nowhere} has images called n*_*. "
    ) in outcome.out
    assert build(nowhere, data_dir, "--statistics=full") == refused(
        place(data_dir, "tfrecord"),
        "tfrecord and array_record",
        "statistics was cheap, now full",
    )


def test_what_was_allowed_to_be_missing_is_not_left_without(tmp_path: Path) -> None:
    archives, data_dir = few_archives(tmp_path / "archives"), tmp_path / "data"
    write_archives(archives, listed=["n01440764_1.JPEG", "n01440764_99.JPEG"])
    flags = ("--allow_missing", *SIZES_DECIDE)
    assert build(archives, data_dir, *flags).code == 0
    assert build(archives, data_dir, *flags).code == 0
    assert build(archives, data_dir, *SIZES_DECIDE) == refused(
        place(data_dir, "tfrecord"),
        "tfrecord",
        "train was allowed to lack 1 images, and is not now",
    )


UNKNOWN = "With which list and which numbers it was built is not known."


def test_of_an_older_dataset_what_is_known_is_compared(
    small_archives: Path, data_dir: Path
) -> None:
    directory = place(data_dir, "parquet")

    def make_older(manifest: dict[str, Any]) -> None:
        for name in ("counts", "settings", "documents"):
            del manifest[name]

    edit_json(directory / "manifest.json", make_older)
    parquet = ("--format", "parquet")
    outcome = build(small_archives, data_dir, *parquet, "--statistics=full")
    assert outcome.code == 0
    assert outcome.out.splitlines()[1] == UNKNOWN
    other = ("--set", "splits.train.images={policy: keep}")
    assert build(small_archives, data_dir, *parquet, *other) == refused(
        directory, "parquet", "splits.train.images.policy was repair, now keep"
    )
    edit_json(directory / "manifest.json", lambda found: found["class_names"].pop())
    assert build(small_archives, data_dir, *parquet) == refused(
        directory, "parquet", "class_names were others"
    )


def test_of_what_tfds_built_nothing_is_known(
    small_archives: Path, data_dir: Path
) -> None:
    (place(data_dir, "tfrecord") / "manifest.json").unlink()
    outcome = build(small_archives, data_dir, "--statistics=full")
    assert outcome.code == 0
    assert outcome.out.splitlines()[1] == UNKNOWN


def test_a_manifest_does_not_depend_on_where_and_when(
    small_archives: Path, every_format: Path, tmp_path: Path
) -> None:
    archives = tmp_path / "elsewhere"
    archives.mkdir()
    for path in small_archives.iterdir():
        (archives / path.name).write_bytes(path.read_bytes())
    assert build(archives, tmp_path / "data", "--format", "parquet").code == 0
    again = place(tmp_path / "data", "parquet") / "manifest.json"
    first = place(every_format, "parquet") / "manifest.json"
    assert again.read_bytes() == first.read_bytes()


def test_documents_fit_the_manifest_when_a_format_is_added(tmp_path: Path) -> None:
    archives = few_archives(tmp_path / "archives")
    data_dir = tmp_path / "data"
    directory = place(data_dir, "tfrecord")
    assert build(archives, data_dir, *SIZES_DECIDE).code == 0
    assert problems_of(directory) == []
    before = read_manifest(directory).documents
    added = ("--format", "array_record", *SIZES_DECIDE)
    assert build(archives, data_dir, *added).code == 0
    assert problems_of(directory) == []
    after = read_manifest(directory).documents
    assert after["dataset_info.json"] != before["dataset_info.json"]
    assert after["features.json"] == before["features.json"]


def test_a_second_configuration_leaves_the_first_one_whole(tmp_path: Path) -> None:
    archives = few_archives(tmp_path / "archives")
    data_dir = tmp_path / "data"
    other = tmp_path / "other.yaml"
    other.write_text("base: demo\nconfig: other\nmax_examples_per_split: 1\n")
    formats = ("--format", "parquet,webdataset", *SIZES_DECIDE)
    roots = [place(data_dir, name).parent for name in ("parquet", "webdataset")]
    for config in ("demo", other):
        assert build(archives, data_dir, "--config", config, *formats).code == 0
        assert [problems_of(root) for root in roots] == [[], []]
    for root in roots:
        assert problems_of(root / "demo") == problems_of(root / "other") == []
    # The first one again: its README is the folder's now.
    one = ("n01440764_7.JPEG", image(7))
    write_archives(archives, train=nested_tar({"n01440764": [one]}), listed=[one[0]])
    assert build(archives, data_dir, "--overwrite", *formats).code == 0
    assert [problems_of(root) for root in roots] == [[], []]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_what_is_cut_off_or_gone_is_built_again(
    small_archives: Path, data_dir: Path
) -> None:
    directory = place(data_dir, "tfrecord")
    before = contents(directory)
    cut, gone = shards(directory, "tfrecord", "train")[:2]
    cut.write_bytes(cut.read_bytes()[:-1])
    gone.unlink()
    (directory / "card.html").write_bytes(b"")
    outcome = build(small_archives, data_dir, "--format", "tfrecord,array_record")
    assert outcome.code == 0
    # Both formats lack the card.
    assert outcome.out.splitlines()[:2] == [
        f"{directory}: 3 files are not as manifest.json says: {cut.name}, {gone.name}, "
        "card.html. tfrecord is built again.",
        f"{directory}: 1 files are not as manifest.json says: card.html. array_record "
        "is built again.",
    ]
    assert contents(directory) == before


def test_what_has_other_bytes_is_built_again_if_it_is_reread(
    small_archives: Path, data_dir: Path
) -> None:
    directory = place(data_dir, "tfrecord")
    before = contents(directory)
    damaged = shards(directory, "tfrecord", "train")[0]
    flip(damaged, 100)
    again = build(small_archives, data_dir)
    assert f"{directory} is complete as tfrecord and left as it is; " in again.out
    mended = build(small_archives, data_dir, "--repair")
    assert mended.code == 0
    assert mended.out.startswith(
        f"{directory}: 1 files are not as manifest.json says: {damaged.name}. tfrecord "
        "is built again.\n"
    )
    assert contents(directory) == before
    whole = build(small_archives, data_dir, "--repair").out
    assert whole == again.out.replace(
        "--repair rereads it and mends it",
        "every file was read and has the hash of manifest.json",
    )
    assert whole != again.out
