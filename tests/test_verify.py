"""Datasets verified through the command line, with and without their archives."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from beam_pipeline import verify
from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.helpers.archives import (
    CLASSES,
    FLAT,
    LISTED,
    SIZES_DECIDE,
    Outcome,
    build,
    image,
    nested_tar,
    stated,
    tar,
    write_archives,
)
from tests.helpers.datasets import (
    NAME,
    copy,
    edit_json,
    flip,
    forge_documents,
    forge_manifest,
    place,
    problems_of,
    rewrite,
    shards,
)
from transforms.formats.records import Example
from transforms.formats.table import FORMATS

WNID = "n01440764"


# Those of the small archives, which most datasets here are built from.
NUMBERS = (
    *("--set", "splits.train.members=36", "splits.train.examples=18"),
    *("splits.validation.members=20", "splits.validation.examples=20"),
)


def run(*argv: object) -> Outcome:
    """Runs ``beam_pipeline.verify`` in this process, on one worker thread."""
    out, err = io.StringIO(), io.StringIO()
    flags = [*NUMBERS, "--direct_num_workers=1"]
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = verify.main([*flags, *map(str, argv)])
        except SystemExit as stop:  # argparse's way to refuse a command line
            code = int(stop.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


def document_of(*argv: object) -> Mapping[str, Any]:
    """Runs it with ``--json``; returns the document, whose exit code fits."""
    outcome = run(*argv, "--json")
    document: Mapping[str, Any] = json.loads(outcome.out)
    assert outcome.code == (0 if document["whole"] else 1), outcome.err
    assert document["whole"] == (not document["problems"])
    return document


def told(*argv: object) -> list[tuple[str, str, int | None]]:
    """Returns the file, the check and the record of each problem."""
    problems = document_of(*argv)["problems"]
    return [(p["file"], p["check"], p["record"]) for p in problems]


# --- Whole datasets -------------------------------------------------------------------


@pytest.mark.parametrize(
    "formats", [["tfrecord", "array_record"], ["parquet"], ["webdataset"]]
)
def test_an_untouched_dataset_is_whole(
    every_format: Path, small_archives: Path, formats: list[str]
) -> None:
    directory = place(every_format, formats[0])
    outcome = run(directory, "--images=decode", "--manual_dir", small_archives)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[-1] == f"{directory} is whole."
    rows = [
        re.split(r"  +", line.strip()) for line in lines if line.startswith(" demo ")
    ]
    sizes = {
        (split, name): [path.stat().st_size for path in shards(directory, name, split)]
        for split in ("train", "validation")
        for name in formats
    }
    examples = {"train": "18", "validation": "20"}
    assert rows == [
        ["demo", name, split, f"{len(s)}", examples[split], f"{sum(s):,}", "0"]
        for (split, name), s in sizes.items()
    ]


def test_a_hub_folder_is_whole(every_format: Path) -> None:
    document = document_of(place(every_format, "webdataset").parent)
    assert [(t["config"], t["split"], t["examples"]) for t in document["totals"]] == [
        ("demo", "train", 18),
        ("demo", "validation", 20),
    ]


def test_processes_and_threads_tell_the_same(
    every_format: Path, small_archives: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    (path, *_) = shards(directory, "tfrecord", "validation")
    flip(path, path.stat().st_size // 2)
    archives = ("--manual_dir", str(small_archives))
    arguments = (str(directory), "--json", *archives, *NUMBERS)
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    command = (sys.executable, "-m", "beam_pipeline.verify", *arguments)
    found = subprocess.run(
        [*command, *flags], capture_output=True, text=True, check=False
    )
    threads = run(*arguments)
    assert (found.returncode, found.stderr) == (1, "")
    assert found.stdout == threads.out
    assert {p["file"] for p in json.loads(found.stdout)["problems"]} == {path.name}


# --- Damage ---------------------------------------------------------------------------


def test_every_problem_is_named(every_format: Path, tmp_path: Path) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    one, two, *_ = shards(directory, "tfrecord", "train")
    (other, *_) = shards(directory, "array_record", "train")
    flip(one, 200)
    two.unlink()
    flip(other, other.stat().st_size - 1)
    edit_json(directory / "features.json", lambda found: found.clear())
    outcome = run(directory)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert f"{one.name} (hash): Its digest is blake3:" in outcome.out
    assert f"{one.name}, record 0 (framing): The record at byte 0 fails " in outcome.out
    assert f"{two.name} (file): Can't find {two}. There is no such " in outcome.out
    assert f"{other.name} (hash): Its digest is blake3:" in outcome.out
    assert "features.json (document): It differs in featuresDict: " in outcome.out
    assert lines[-1] == f"{directory} has 5 problems."
    rows = [line for line in lines if " train " in line]
    assert [row.split()[-1] for row in rows] == ["3", "1"]


def test_a_dataset_that_tfds_built_is_verified_without_hashes(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    for name in ("manifest.json", "statistics.json", "report.html", "card.html"):
        (directory / name).unlink()
    document = document_of(directory)
    assert document["whole"]
    assert document["remarks"] == [
        "demo: there is no manifest.json, so no hash of a file is known.",
        "Images were not held against archives; --manual_dir does that.",
    ]
    (path, *_) = shards(place(every_format, "tfrecord"), "tfrecord", "train")
    flip(directory / path.name, 200)
    assert told(directory) == [(path.name, "framing", 0)]


def test_validation_labels_are_held_against_the_published_ones(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "parquet")
    path = shards(directory, "parquet", "validation")[1]

    def relabel(records: list[Example]) -> list[Example]:
        records[4] = replace(records[4], label=(records[4].label + 1) % 1000)
        return records

    rewrite(directory, "parquet", path, relabel)
    forge_manifest(directory)
    assert (path.name, "label", 4) in told(directory)


def test_a_configuration_that_is_not_known_is_said(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "parquet")
    edit_json(directory / "manifest.json", lambda found: found.update(config="mine"))
    (directory.parent / "README.md").unlink()
    document = document_of(directory, "--images=none")
    assert document["remarks"] == [
        "mine: labels are held against file names alone, for no configuration of the "
        "dataset is known; --config names it.",
        "No image was looked at.",
        "Images were not held against archives; --manual_dir does that.",
    ]


# --- Numbers --------------------------------------------------------------------------


def test_numbers_are_held_against_those_of_the_configuration(
    every_format: Path, small_archives: Path
) -> None:
    directory = place(every_format, "webdataset")
    numbers = ("--set", "splits.train.members=37", "splits.validation.examples=21")
    for given in ((), ("--manual_dir", small_archives)):
        problems = document_of(directory, *given, *numbers)["problems"]
        assert [(p["file"], p["check"], p["message"]) for p in problems] == [
            (
                "manifest.json",
                "count",
                "The archive of train had 36 images, and splits.train.members of the "
                "configuration states 37.",
            ),
            (
                "manifest.json",
                "count",
                "validation as webdataset has 20 examples, and splits.validation of "
                "the configuration states 21.",
            ),
        ]


def test_documents_of_an_earlier_version_have_no_hashes(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "parquet")

    def make_older(manifest: dict[str, Any]) -> None:
        for name in ("counts", "settings", "documents"):
            del manifest[name]

    edit_json(directory / "manifest.json", make_older)
    document = document_of(directory)
    assert document["whole"]
    assert document["remarks"] == [
        "demo: manifest.json is of an earlier version, so no hash of a document is "
        "known.",
        "Images were not held against archives; --manual_dir does that.",
    ]
    (directory / "figure.png").unlink()
    assert document_of(directory)["whole"]


def test_numbers_of_what_tfds_built_are_held_against_the_configurations(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    (directory / "manifest.json").unlink()
    shipped = ("--set", "splits.train.examples=300", "splits.validation.examples=200")
    problems = document_of(directory, *shipped)["problems"]
    # Each format has them.
    assert [p["message"] for p in problems] == [
        f"{split} as {name} has {found} examples, and splits.{split} of the "
        f"configuration states {stated}."
        for name in ("tfrecord", "array_record")
        for split, found, stated in (("train", 18, 300), ("validation", 20, 200))
    ]
    assert document_of(directory, *shipped, "--allow_missing")["whole"]


def test_a_build_from_a_short_archive_is_whole_for_what_it_was_allowed(
    small_archives: Path, tmp_path: Path
) -> None:
    short = ("--set", "splits.validation.members=50", "splits.validation.examples=50")
    assert build(small_archives, tmp_path, "--allow_missing", *short).code == 0
    directory = place(tmp_path, "tfrecord")
    document = document_of(directory, *short)
    assert document["whole"]
    assert document["remarks"] == [
        "demo: validation lacks 30 of 50 images, which its build was allowed.",
        "Images were not held against archives; --manual_dir does that.",
    ]
    # Against other numbers than it was built with it is not.
    assert told(directory) == [("manifest.json", "count", None)] * 2


# --- Archives -------------------------------------------------------------------------


def exchange_images(records: list[Example]) -> list[Example]:
    one, two, *others = records
    return [replace(one, image=two.image), replace(two, image=one.image), *others]


def add_stranger(records: list[Example]) -> list[Example]:
    # A name that comes first in the order is a nuisance to find; the last will do.
    return [*records, Example("n01440764_0.JPEG", image(3), 0)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda records: records[1:], {None}),  # the first is missing
        (exchange_images, {0, 1}),
        (add_stranger, {6}),
    ],
    ids=["dropped", "exchanged", "added"],
)
def test_what_is_forged_well_is_found_by_the_archives(
    every_format: Path,
    small_archives: Path,
    tmp_path: Path,
    change: Any,
    expected: set[int | None],
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    for name in ("tfrecord", "array_record"):
        path = shards(directory, name, "train")[-1]
        before = list(FORMATS[name].codec.read(str(path)))
        rewrite(directory, name, path, change)
    forge_manifest(directory)
    forge_documents(directory)
    problems = document_of(directory, "--manual_dir", small_archives)["problems"]
    found = [p for p in problems if p["check"] == "archive"]
    assert {p["record"] for p in found} == {
        len(before) if number == 6 else number for number in expected
    }
    # Without them nothing shows, but for the name that has no place in the order.
    assert {problem.check for problem in problems_of(directory)} <= {"order"}


def test_what_the_archives_find_is_said_in_full(
    every_format: Path, small_archives: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "parquet")
    path = shards(directory, "parquet", "train")[0]
    records = list(FORMATS["parquet"].codec.read(str(path)))
    rewrite(directory, "parquet", path, lambda records: exchange_images(records)[:-1])
    problems = document_of(directory, "--manual_dir", small_archives)["problems"]
    archive = (small_archives / TRAIN_ARCHIVE).read_bytes()
    messages = [p["message"] for p in problems if p["check"] == "archive"]
    sizes = [len(record.image) for record in records[:2]]
    places = [archive.index(record.image) for record in (*records[:2], records[-1])]
    assert messages == [
        f"{records[-1].file_name} is missing, the image at byte {places[2]:,} of "
        f"{small_archives / TRAIN_ARCHIVE}.",
        *(
            f"The image of {records[i].file_name} is not what images.policy=repair "
            f"makes of the image at byte {places[i]:,} of "
            f"{small_archives / TRAIN_ARCHIVE}: it has "
            f"{sizes[1 - i]:,} bytes, expected {sizes[i]:,}."
            for i in (0, 1)
        ),
    ]


def test_images_under_another_policy_are_held_against_it(
    small_archives: Path, tmp_path: Path
) -> None:
    own = "splits.validation.images={policy: reencode, encoding: jpeg, quality: 70}"
    flags = ("images.policy=resize", "images.shortest_side=48", own)
    assert build(small_archives, tmp_path, "--set", *flags).code == 0
    directory = place(tmp_path, "tfrecord")
    archives = ("--manual_dir", small_archives)
    assert document_of(directory, *archives, "--images=decode")["whole"]

    def other_policy(manifest: dict[str, Any]) -> None:
        manifest["images"]["validation"]["quality"] = 71

    edit_json(directory / "manifest.json", other_policy)
    found = told(directory, *archives)
    assert len(found) == 20
    assert {check for _, check, _ in found} == {"archive"}
    assert all("-validation." in file for file, _, _ in found)


def jpeg(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=95)
    return encoded.getvalue()


def test_images_in_quarantine_are_not_missed(tmp_path: Path) -> None:
    whole = {f"{WNID}_{i}.JPEG": jpeg(i) for i in range(6)}
    bad = {f"{WNID}_7.JPEG": b"<html>", f"{WNID}_8.JPEG": jpeg(8)[:5000]}
    archives = write_archives(
        tmp_path / "archives",
        train=nested_tar({WNID: [*whole.items(), *bad.items()]}),
        validation=tar(FLAT),
        listed=[*whole, *bad],
    )
    flags = ("--max_rejects=2", "--verify_images=decode", *SIZES_DECIDE)
    assert build(archives, tmp_path / "data", *flags).code == 0
    quarantined = tmp_path / "data" / "quarantine" / NAME / "demo" / "5.0.0"
    assert pq.read_table(quarantined / "rejected.parquet").num_rows == 2
    directory = place(tmp_path / "data", "tfrecord")
    given = ("--manual_dir", archives, *stated(archives))
    assert document_of(directory, *given)["whole"]

    # One that is there, though the policy rejects it, is a problem.
    (path,) = shards(directory, "tfrecord", "train")

    def put_in(records: list[Example]) -> list[Example]:
        return [*records, Example(f"{WNID}_7.JPEG", b"<html>", 0)]

    rewrite(directory, "tfrecord", path, put_in)
    problems = document_of(directory, *given)["problems"]
    (problem,) = [p for p in problems if p["check"] == "archive"]
    assert problem["record"] == 6
    assert problem["message"].startswith(
        f"{WNID}_7.JPEG is here, and should have been left out: images.policy=repair "
        "rejects the image at byte "
    )


def test_a_test_split_without_labels_is_whole(tmp_path: Path) -> None:
    archives = write_archives(
        tmp_path / "archives",
        train=nested_tar(CLASSES),
        validation=tar(FLAT),
        listed=LISTED,
    )
    (archives / "ILSVRC2012_img_test.tar").write_bytes(
        tar((f"test/ILSVRC2012_test_{i:08d}.JPEG", image(i)) for i in range(1, 9))
    )
    (archives / "patch_images.tar").write_bytes(
        tar([("ILSVRC2012_test_00000003.JPEG", image(50))])
    )
    flags = ("--version=5.1.0", *SIZES_DECIDE)
    formats = ("--format", "webdataset")
    assert build(archives, tmp_path / "data", *flags, *formats).code == 0
    directory = place(tmp_path / "data", "webdataset", "5.1.0")
    document = document_of(directory, "--manual_dir", archives, *stated(archives))
    assert document["whole"]
    splits = [total["split"] for total in document["totals"]]
    assert splits == ["train", "validation", "test"]
    # Without labels is the whole split or none of it.
    (path,) = shards(directory, "webdataset", "test")
    rewrite(
        directory,
        "webdataset",
        path,
        lambda records: [replace(records[0], label=3), *records[1:]],
    )
    forge_manifest(directory)
    found = {(p.file, p.check, p.record) for p in problems_of(directory)}
    assert (path.name, "label", 1) in found


def test_what_a_list_names_and_nobody_has_is_missing(tmp_path: Path) -> None:
    archives = write_archives(
        tmp_path / "archives",
        train=nested_tar(CLASSES),
        validation=tar(FLAT),
        listed=[*LISTED, f"{WNID}_99.JPEG"],
    )
    flags = ("--allow_missing", *SIZES_DECIDE)
    assert build(archives, tmp_path / "data", *flags).code == 0
    directory = place(tmp_path / "data", "tfrecord")
    given = ("--manual_dir", archives, *stated(archives))
    # Its own manifest says what its build was allowed to lack.
    document = document_of(directory, *given)
    assert document["whole"]
    assert document["remarks"] == [
        "demo: train lacks 1 of 3 images, which its build was allowed."
    ]
    (directory / "manifest.json").unlink()
    messages = [p["message"] for p in document_of(directory, *given)["problems"]]
    assert messages == [
        "train as tfrecord has 2 examples, and splits.train of the configuration "
        "states 3.",
        f"{WNID}_99.JPEG is missing, from the archives too, and the list names it.",
    ]
    assert document_of(directory, *given, "--allow_missing")["whole"]


def test_a_part_of_a_split_is_compared_as_it_was_built(
    small_archives: Path, tmp_path: Path
) -> None:
    flags = ("--max_examples_per_split=4", *SIZES_DECIDE)
    assert build(small_archives, tmp_path, *flags).code == 0
    directory = place(tmp_path, "tfrecord")
    archives = ("--manual_dir", small_archives)
    document = document_of(directory, *archives)
    assert document["whole"]
    assert document["remarks"] == [
        "demo: train was limited to 4 of 18 images.",
        "demo: validation was limited to 4 of 20 images.",
    ]
    (directory / "manifest.json").unlink()
    assert document_of(directory, *archives, "--max_examples_per_split=4")["whole"]
    problems = document_of(directory, *archives)["problems"]
    missing = [p for p in problems if p["check"] == "archive"]
    assert len(missing) == 14 + 16
    assert all(" is missing, the image at byte " in p["message"] for p in missing)
    assert [p["message"] for p in problems if p["check"] == "count"] == [
        f"{split} as tfrecord has 4 examples, and splits.{split} of the configuration "
        f"states {number}."
        for split, number in (("train", 18), ("validation", 20))
    ]


def test_a_configuration_of_ones_own_is_named(
    small_archives: Path, tmp_path: Path
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("base: demo\nconfig: mine\n")
    archives = ("--manual_dir", small_archives)
    data = ("--data_dir", tmp_path / "data")
    outcome = build(small_archives, tmp_path / "data", "--config", config, *data)
    assert outcome.code == 0
    directory = tmp_path / "data" / NAME / "mine" / "5.0.0"
    assert document_of(directory, *archives, "--config", config)["whole"]
    for flags, message in (
        ((), "There is no shipped configuration mine: name with --config the one "),
        (("--config", "demo"), "demo describes imagenet2012_subset/demo, and "),
    ):
        outcome = run(directory, *archives, *flags)
        assert outcome.code == 2
        assert outcome.err.startswith(f"error: {message}")


def test_a_saved_index_is_used(every_format: Path, small_archives: Path) -> None:
    index = every_format / "downloads" / NAME / "index"
    before = {path: path.stat().st_mtime_ns for path in index.glob("*.parquet*")}
    assert len(before) == 4  # of two archives, each with its checksum
    directory = place(every_format, "parquet")
    assert run(directory, "--manual_dir", small_archives).code == 0
    assert before == {
        path: path.stat().st_mtime_ns for path in index.glob("*.parquet*")
    }


# --- The command line -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--imags=none"], "Unknown flag --imags. Did you mean images?"),
        (["--data_dir=x"], "--data_dir has no effect without --manual_dir."),
        (["--index_dir=x"], "--index_dir has no effect without --manual_dir."),
        (["--set", "x"], "--set x: expected key=value."),
        (["--config=12pct"], "There is no configuration 12pct"),
        (["--config=1pct"], "1pct describes imagenet2012_subset/1pct, and "),
    ],
)
def test_a_wrong_command_line_is_told(
    every_format: Path, flags: list[str], message: str
) -> None:
    outcome = run(place(every_format, "tfrecord"), *flags)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}")
    assert "Traceback" not in outcome.err


def test_a_directory_is_wanted() -> None:
    assert run().code == 2


def test_a_directory_that_is_not_complete_is_told(tmp_path: Path) -> None:
    (tmp_path / "train-00000-of-00001.parquet").touch()
    outcome = run(tmp_path)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"error: {tmp_path} is not complete: it has no ")


def test_what_is_no_directory_of_a_dataset_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, told in (
        (
            tmp_path / "none",
            f"There is nothing to verify: {tmp_path / 'none'} does not exist or is "
            "empty. ",
        ),
        (tmp_path / "file", f"{tmp_path / 'file'} is a file. "),
    ):
        outcome = run(path)
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err == (
            f"error: {told}Name the directory of a version, such as "
            "imagenet2012_subset/1pct/5.0.0, or a folder for the hub.\n"
        )


def test_archives_that_are_not_there_are_told(
    every_format: Path, tmp_path: Path
) -> None:
    outcome = run(place(every_format, "tfrecord"), "--manual_dir", tmp_path)
    assert outcome.code == 1
    assert outcome.err.startswith(
        "error: The archive of the train split is missing: nothing in "
    )
    assert VALIDATION_ARCHIVE not in outcome.err
    assert SUBSET_LIST not in outcome.err
