"""Whole datasets, reread without an engine: what only several files show together."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tests.helpers.datasets import (
    copy,
    edit_json,
    findings_of,
    forge_documents,
    forge_hashes,
    forge_manifest,
    place,
    problems_of,
    read_manifest,
    rewrite,
    shards,
)
from transforms.errors import BuildError
from transforms.formats.records import Example
from transforms.formats.table import FORMATS
from transforms.planning.labels import LabelByName, Unlabelled
from transforms.verification.conclusion import conclude_split
from transforms.verification.expectations import Expectations
from transforms.verification.files import FileCheck, check_file
from transforms.verification.findings import Problem
from transforms.verification.reading import take_inventory


@pytest.mark.parametrize("images", ["none", "header", "decode"])
@pytest.mark.parametrize("name", FORMATS)
def test_an_untouched_dataset_is_whole(
    every_format: Path, name: str, images: str
) -> None:
    assert problems_of(place(every_format, name), images) == []


# --- Records that were changed, in files that are well framed -------------------------


@pytest.mark.parametrize("name", ["tfrecord", "parquet", "webdataset"])
def test_a_dropped_record_is_found_by_what_counts_it(
    every_format: Path, tmp_path: Path, name: str
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), name)
    path = shards(directory, name, "train")[1]
    dropped: list[Example] = []

    def drop(records: list[Example]) -> list[Example]:
        dropped.append(records.pop(1))
        return records

    rewrite(directory, name, path, drop)
    assert {(p.file, p.check) for p in problems_of(directory)} >= {
        (path.name, "hash"),
        (path.name, "count"),
        ("manifest.json", "count"),
        ("statistics.json", "count"),
    }
    forge_manifest(directory)
    found = problems_of(directory)
    (record,) = dropped
    assert (
        Problem(
            "statistics.json",
            "count",
            "Of train it has another number than the records: examples: expected 17, "
            "found 18.",
        )
        in found
    )
    assert (
        Problem(
            "statistics.json",
            "count",
            "Of train it has another number than the records: "
            f"labels.{record.label}: expected 5, found 6.",
        )
        in found
    )


def test_a_dropped_record_is_found_by_another_format(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "array_record")
    path = shards(directory, "array_record", "train")[1]
    rewrite(directory, "array_record", path, lambda records: records[1:])
    forge_manifest(directory)
    found = {(p.file, p.check) for p in problems_of(directory)}
    assert found == {("manifest.json", "document"), (path.name, "format")}


@pytest.mark.parametrize("name", FORMATS)
def test_a_repeated_record_is_found_by_its_name(
    every_format: Path, tmp_path: Path, name: str
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), name)
    path = shards(directory, name, "validation")[0]
    if name == "webdataset":  # whose tars can't hold a record twice
        one, other = shards(directory, name, "validation")[:2]
        rewrite(
            directory,
            name,
            other,
            lambda records: [list(FORMATS[name].codec.read(str(one)))[-1], *records],
        )
        path, record = other, 0
    else:
        rewrite(directory, name, path, lambda records: [*records[:3], *records[2:]])
        record = 3
    forge_manifest(directory)
    told = [p for p in problems_of(directory) if p.check == "order"]
    assert [(p.file, p.record) for p in told] == [(path.name, record)]
    assert told[0].message.endswith(" is there twice.")


@pytest.mark.parametrize("name", FORMATS)
def test_swapped_records_are_found_by_the_order(
    every_format: Path, tmp_path: Path, name: str
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), name)
    path = shards(directory, name, "train")[0]
    rewrite(
        directory, name, path, lambda records: [records[1], records[0], *records[2:]]
    )
    forge_manifest(directory)
    found = problems_of(directory)
    (told,) = [p for p in found if p.check == "order"]
    assert (told.file, told.record) == (path.name, 1)
    # Nothing else is wrong, but that the README tells the length of Parquet files.
    assert {p.check for p in found} - {"order"} <= {"format", "document"}


def test_swapped_files_are_found_where_they_meet(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    one, other = shards(directory, "tfrecord", "train")[:2]
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    found = problems_of(directory)
    assert {(p.file, p.check) for p in found} >= {
        (one.name, "hash"),
        (other.name, "hash"),
        (other.name, "order"),
    }
    assert (other.name, 0) in {(p.file, p.record) for p in found if p.check == "order"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_label_is_found_by_the_name(
    every_format: Path, tmp_path: Path, name: str
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), name)
    path = shards(directory, name, "train")[0]
    labels: list[int] = []

    def relabel(records: list[Example]) -> list[Example]:
        labels.append(records[2].label)
        records[2] = replace(records[2], label=records[2].label ^ 1)
        return records

    rewrite(directory, name, path, relabel)
    forge_manifest(directory)
    (label,) = labels
    names = read_manifest(directory).class_names
    told = [p for p in problems_of(directory) if p.check == "label"]
    assert [(p.file, p.record) for p in told] == [(path.name, 2)]
    assert told[0].message.endswith(
        f" has label {label ^ 1} ({names[label ^ 1]}), and by its name it has label "
        f"{label} ({names[label]})."
    )


def test_formats_of_a_directory_are_held_against_each_other(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    path = shards(directory, "array_record", "train")[1]
    other = shards(directory, "tfrecord", "train")[1]

    def exchange(records: list[Example]) -> list[Example]:
        one, two = records[0], records[3]
        records[0] = replace(one, image=two.image)
        records[3] = replace(two, image=one.image)
        return records

    rewrite(directory, "array_record", path, exchange)
    forge_manifest(directory)
    forge_documents(directory)
    found = problems_of(directory)
    told = [p for p in found if p.check == "format"]
    assert [(p.file, p.record) for p in told] == [(path.name, 0), (path.name, 3)]
    assert f"is not what {other.name} has there" in told[0].message
    assert told[0].message.endswith(": they differ in digest.")


def test_a_forged_dataset_is_found_by_the_archives_alone(
    every_format: Path, tmp_path: Path
) -> None:
    # What is forged well is whole by itself; test_verify holds it against archives.
    directory = place(copy(every_format, tmp_path / "data"), "tfrecord")
    for name in ("tfrecord", "array_record"):
        path = shards(directory, name, "train")[0]
        rewrite(directory, name, path, lambda records: records[1:])
    forge_manifest(directory)
    forge_documents(directory)
    assert problems_of(directory) == []


# --- Labels ---------------------------------------------------------------------------


def conclude(
    directory: Path, split: str, demands: Expectations, changes: Mapping[str, int]
) -> list[str]:
    """Returns what is wrong with labels, once those of some names are others."""
    (holding,) = take_inventory(str(directory)).holdings
    held = [each for each in holding.splits if each.name == split][:1]
    checks = [relabelled(check_file(f, "none"), changes) for f in held[0].files]
    conclusion = conclude_split(held, checks, [], holding.class_names, demands)
    return [p.message for p in conclusion.findings.listed if p.check == "label"]


def relabelled(check: FileCheck, changes: Mapping[str, int]) -> FileCheck:
    rows = check.records.to_pylist()
    for row in rows:
        row["label"] = changes.get(row["name"], row["label"])
    return replace(
        check, records=type(check.records).from_pylist(rows, check.records.schema)
    )


def names_and_labels(directory: Path, split: str) -> dict[str, int]:
    return {
        record.file_name: record.label
        for path in shards(directory, "tfrecord", split)
        for record in FORMATS["tfrecord"].codec.read(str(path))
    }


def test_labels_are_held_against_a_list_by_name(every_format: Path) -> None:
    directory = place(every_format, "tfrecord")
    labels = names_and_labels(directory, "validation")
    (wrong, right), (unlisted, other), *rest = labels.items()
    listed = pa.table(
        {"name": [wrong, *dict(rest)], "label": [right, *dict(rest).values()]}
    )
    demands = Expectations(
        {"validation": LabelByName(listed, "list.txt")}, {}, archived=False
    )
    names = read_manifest(directory).class_names
    in_words = {label: f"label {label} ({names[label]})" for label in (7, right, other)}
    assert set(conclude(directory, "validation", demands, {wrong: 7})) == {
        f"{wrong} has {in_words[7]}, and by list.txt it has {in_words[right]}.",
        f"{unlisted} has {in_words[other]}, and list.txt does not name it.",
    }


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (-2, "has label -2, and labels end at 999."),
        (1000, "has label 1,000, and labels end at 999."),
        (-1, "has no label, and other records of the split have one."),
    ],
)
def test_labels_that_nothing_tells_have_a_range(
    every_format: Path, label: int, told: str
) -> None:
    directory = place(every_format, "tfrecord")
    name, *_ = names_and_labels(directory, "validation")
    demands = Expectations({}, {}, archived=False)
    assert conclude(directory, "validation", demands, {name: label}) == [
        f"{name} {told}"
    ]


def test_a_split_without_labels_is_whole(every_format: Path) -> None:
    directory = place(every_format, "tfrecord")
    none = dict.fromkeys(names_and_labels(directory, "validation"), -1)
    demands = Expectations({}, {}, archived=False)
    assert conclude(directory, "validation", demands, none) == []
    unlabelled = Expectations({"validation": Unlabelled()}, {}, archived=False)
    assert conclude(directory, "validation", unlabelled, none) == []
    name, *_ = none
    (told,) = conclude(directory, "validation", unlabelled, none | {name: 3})
    assert told.endswith(", and by the configuration it has no label.")


# --- What else is said, and what is not said twice ------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("examples", 19, "examples: expected 18, found 19"),
        ("image_bytes", 1, "found 1"),
        ("example_bytes", 2, "found 2"),
        ("labels", {}, "expected 6, found None"),
        ("labels", None, "found None"),
        ("encodings", {"jpeg": 17}, "encodings.jpeg: expected 18, found 17"),
    ],
)
def test_wrong_statistics_are_found(
    every_format: Path, tmp_path: Path, key: str, value: object, told: str
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "parquet")
    edit_json(
        directory / "statistics.json",
        lambda document: document["splits"]["train"].update({key: value}),
    )
    forge_hashes(directory)
    found = problems_of(directory)
    assert found
    for problem in found:
        assert (problem.file, problem.check) == ("statistics.json", "count")
        assert problem.message.startswith(
            "Of train it has another number than the records: "
        )
        assert problem.message.endswith(f"{told}.")


def test_totals_do_not_repeat_what_is_told_of_damaged_files(
    every_format: Path, tmp_path: Path
) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "parquet")
    path = shards(directory, "parquet", "train")[0]
    path.unlink()
    (problem,) = problems_of(directory)
    assert (problem.file, problem.check) == (path.name, "file")


def test_a_file_that_an_engine_lost_is_an_error(every_format: Path) -> None:
    directory = place(every_format, "parquet")
    (holding,) = take_inventory(str(directory)).holdings
    held = holding.splits[0]
    checks = [check_file(file, "none") for file in held.files]
    demands = Expectations({}, {}, archived=False)
    for arrived in (checks[1:], [checks[0], *checks]):
        with pytest.raises(BuildError, match=r"checked \d times\. The engine lost or"):
            conclude_split([held], arrived, [], holding.class_names, demands)


def test_findings_are_counted_by_file(every_format: Path, tmp_path: Path) -> None:
    directory = place(copy(every_format, tmp_path / "data"), "webdataset")
    paths = shards(directory, "webdataset", "train")
    for path in paths:
        path.unlink()
    found = findings_of(directory)
    assert found.by_file() == {path.name: 1 for path in paths}
