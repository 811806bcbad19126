"""What directories say they hold, and how their documents contradict each other."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from blake3 import blake3

from tests.helpers.datasets import (
    copy,
    edit_json,
    flip,
    forge_hashes,
    place,
    problems_of,
    read_manifest,
    rewrite,
    shards,
)
from transforms.documents.manifest import Manifest, encode_manifest
from transforms.errors import StorageError
from transforms.formats.listing import SplitFacts
from transforms.verification.directory import differences
from transforms.verification.findings import Problem
from transforms.verification.reading import take_inventory


@pytest.fixture
def data_dir(every_format: Path, tmp_path: Path) -> Path:
    """A copy of all datasets, to be changed."""
    return copy(every_format, tmp_path / "data")


def unhashed(data_dir: Path) -> Path:
    """Returns a directory as TFDS writes it: two formats, and no manifest."""
    directory = place(data_dir, "tfrecord")
    for name in ("manifest.json", "statistics.json", "report.html", "card.html"):
        (directory / name).unlink()
    return directory


# --- What is held ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tfrecord", "parquet", "webdataset"])
def test_a_manifest_is_believed(every_format: Path, name: str) -> None:
    directory = place(every_format, name)
    (holding,) = take_inventory(str(directory)).holdings
    manifest = read_manifest(directory)
    assert (holding.dataset, holding.config, holding.version) == (
        manifest.dataset,
        "demo",
        "5.0.0",
    )
    assert (holding.class_names, holding.hashed) == (manifest.class_names, True)
    found = {
        format_name: tuple(
            SplitFacts(
                split.name,
                split.examples,
                split.example_bytes,
                tuple(
                    next(
                        facts
                        for facts in manifest.formats[format_name][index].files
                        if (facts.name, facts.size, facts.examples, facts.digest)
                        == (file.path, file.size, file.examples, file.digest)
                    )
                    for file in split.files
                ),
            )
            for index, split in enumerate(
                split for split in holding.splits if split.format == format_name
            )
        )
        for format_name in manifest.formats
    }
    assert found == manifest.formats
    for split in holding.splits:
        for index, file in enumerate(split.files):
            assert file.uri == str(directory / file.path)
            assert (file.config, file.format) == ("demo", split.format)
            assert (file.split, file.index) == (split.name, index)
            assert file.images == manifest.images[split.name]
        assert split.statistics["examples"] == split.examples


def test_what_tfds_built_is_held_without_hashes(data_dir: Path) -> None:
    (holding,) = take_inventory(str(place(data_dir, "tfrecord"))).holdings
    (found,) = take_inventory(str(unhashed(data_dir))).holdings
    assert not found.hashed
    assert found.class_names == holding.class_names
    assert [(s.format, s.name, s.examples, s.example_bytes) for s in found.splits] == [
        (s.format, s.name, s.examples, s.example_bytes) for s in holding.splits
    ]
    for split, other in zip(found.splits, holding.splits, strict=True):
        assert [(f.path, f.examples, f.images) for f in split.files] == [
            (f.path, f.examples, f.images) for f in other.files
        ]
        assert {(file.size, file.digest) for file in split.files} == {(None, None)}
    assert problems_of(place(data_dir, "tfrecord")) == []


def test_a_hub_folder_holds_all_its_configurations(data_dir: Path) -> None:
    root = place(data_dir, "parquet").parent
    make_second(root)
    inventory = take_inventory(str(root))
    assert [holding.config for holding in inventory.holdings] == ["demo", "other"]
    assert {f.path for h in inventory.holdings for s in h.splits for f in s.files} == {
        f"{config}/{path.name}"
        for config in ("demo", "other")
        for path in (root / "demo").glob("*.parquet")
    }
    assert inventory.findings.total == 0
    assert problems_of(root) == []


def make_second(root: Path) -> None:
    """Adds a configuration to a hub folder, as a second build would."""
    shutil.copytree(root / "demo", root / "other")
    edit_json(root / "other" / "manifest.json", lambda m: m.update(config="other"))
    readme = root / "README.md"
    _, head, rest = readme.read_text().split("---\n", 2)
    document = yaml.safe_load(head)
    for key in ("configs", "dataset_info"):
        (entry,) = document[key]
        document[key].append(json.loads(json.dumps(entry).replace("demo", "other")))
    readme.write_text(f"---\n{yaml.safe_dump(document)}---\n{rest}")

    def add_record_set(croissant: dict[str, Any]) -> None:
        last = croissant["recordSet"][-1]
        text = json.dumps(last).replace("demo", "other")
        croissant["recordSet"].append(json.loads(text))

    edit_json(root / "croissant.json", add_record_set)
    forge_hashes(root / "other")


def test_each_configuration_of_a_folder_is_verified(data_dir: Path) -> None:
    root = place(data_dir, "parquet").parent
    make_second(root)
    (path, *_) = shards(root / "other", "parquet", "train")
    rewrite(root / "other", "parquet", path, lambda records: records[1:])
    assert {problem.file for problem in problems_of(root)} == {
        f"other/{path.name}",
        "other/manifest.json",
        "other/statistics.json",
    }


@pytest.mark.parametrize("kind", ["shards alone", "a hub folder's shards"])
def test_a_directory_without_its_mark_is_not_complete(
    data_dir: Path, kind: str
) -> None:
    if kind == "shards alone":
        directory = place(data_dir, "tfrecord")
        (directory / "dataset_info.json").unlink()
        (directory / "manifest.json").unlink()
    else:
        directory = place(data_dir, "webdataset").parent
        (directory / "demo" / "manifest.json").unlink()
    with pytest.raises(StorageError) as caught:
        take_inventory(str(directory))
    assert str(caught.value).startswith(f"{directory} is not complete: it has no ")


def test_a_manifest_without_tfds_metadata_is_not_complete(data_dir: Path) -> None:
    directory = place(data_dir, "tfrecord")
    (directory / "dataset_info.json").unlink()
    assert problems_of(directory) == [
        Problem(
            "manifest.json",
            "document",
            "It lists [tfrecord, array_record] as formats, expected parquet or "
            "webdataset. Others are not complete without dataset_info.json.",
        )
    ]


# --- Files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tfrecord", "array_record", "parquet", "webdataset"])
def test_missing_and_further_shards_are_named(data_dir: Path, name: str) -> None:
    directory = place(data_dir, name)
    one, *_, last = shards(directory, name, "train")
    further = one.with_name(one.name.replace("train", "test"))
    one.rename(further)
    (directory / f".{last.name}.0123.unfinished").write_bytes(b"")
    (directory / "notes.txt").write_text("mine")
    assert {(p.file, p.check) for p in problems_of(directory)} == {
        (one.name, "file"),
        (further.name, "file"),
    }
    last.unlink()
    assert {p.file for p in problems_of(directory)} == {
        one.name,
        further.name,
        last.name,
    }


def test_further_shards_are_named_without_a_manifest(data_dir: Path) -> None:
    directory = unhashed(data_dir)
    (directory / "imagenet2012_subset-test.tfrecord-00000-of-00001").write_bytes(b"")
    (problem,) = problems_of(directory)
    assert problem.file == "imagenet2012_subset-test.tfrecord-00000-of-00001"
    assert problem.message.startswith("No document lists it")


# --- Documents ------------------------------------------------------------------------

TFDS_DOCUMENTS = (
    *("dataset_info.json", "manifest.json", "features.json", "label.labels.txt"),
    *("statistics.json", "report.html", "card.html"),
)
DOCUMENTS = [
    *(("tfrecord", name) for name in TFDS_DOCUMENTS),
    *(
        ("parquet", name)
        for name in ("manifest.json", "statistics.json", "report.html", "figure.png")
    ),
    ("parquet", "../README.md"),
    ("parquet", "../croissant.json"),
    ("webdataset", "_info.json"),
    ("webdataset", "train-index.json"),
    ("webdataset", "../README.md"),
]


@pytest.mark.parametrize("damage", ["cut", "binary", "empty"])
@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
def test_a_damaged_document_is_named(
    data_dir: Path, name: str, document: str, damage: str
) -> None:
    directory = place(data_dir, name)
    path = directory / document
    data = path.read_bytes()
    # A README has its numbers at its beginning; behind that is prose.
    end = 300 if document.endswith(".md") else len(data) // 2
    path.write_bytes(
        {"cut": data[:end], "binary": b"\xff\xfe" + data[:end], "empty": b""}[damage]
    )
    found = problems_of(directory)
    assert document in {p.file for p in found if p.check == "document"}
    assert {p.file for p in found} == {document}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        *(
            ("tfrecord", name)
            for name in TFDS_DOCUMENTS
            if name not in ("dataset_info.json", "manifest.json")
        ),
        ("parquet", "statistics.json"),
        ("parquet", "report.html"),
        ("parquet", "../croissant.json"),
        ("webdataset", "_info.json"),
        ("webdataset", "validation-index.json"),
    ],
)
def test_a_missing_document_is_named(data_dir: Path, name: str, document: str) -> None:
    directory = place(data_dir, name)
    (directory / document).unlink()
    assert problems_of(directory) == [Problem(document, "document", "It is missing.")]


def hash_problem(
    directory: Path, name: str, manifest: Manifest, path: str = ""
) -> Problem:
    """Returns what is said of a document that is not as it was built."""
    data = (directory / name).read_bytes()
    was = manifest.documents[path or f"../{name}"]
    return Problem(
        name,
        "document",
        f"It has {len(data):,} bytes, blake3:{blake3(data).hexdigest()}, and "
        f"manifest.json says {was.size:,} bytes, {was.digest}: it was changed "
        "since it was built.",
    )


@pytest.mark.parametrize(
    ("name", "document"),
    [each for each in DOCUMENTS if each[1] != "manifest.json"],
)
def test_a_flipped_bit_of_a_document_is_found_wherever_it_is(
    data_dir: Path, name: str, document: str
) -> None:
    directory = place(data_dir, name)
    path = directory / document
    data = path.read_bytes()
    manifest = read_manifest(directory)
    rng = random.Random(document)
    by_hash = 0
    for offset in (0, len(data) - 1, *rng.sample(range(len(data)), 6)):
        flip(path, offset, rng.randrange(8))
        problems = take_inventory(str(directory)).findings.listed
        assert {problem.file for problem in problems} == {document}
        expected = hash_problem(directory, document, manifest, document)
        by_hash += problems == (expected,)
        path.write_bytes(data)
    assert by_hash or document in (
        *("_info.json", "train-index.json", "label.labels.txt", "features.json"),
        # All of these counts.
    )
    assert take_inventory(str(directory)).findings.total == 0


def test_every_document_is_in_the_manifest(data_dir: Path) -> None:
    for name in ("tfrecord", "parquet", "webdataset"):
        directory = place(data_dir, name)
        manifest = read_manifest(directory)
        data = {f.name for s in manifest.formats.values() for x in s for f in x.files}
        data |= {path.name for path in shards(directory, name, "train")}
        here = {path.name for path in directory.iterdir() if path.is_file()}
        above = {
            f"../{path.name}"
            for path in directory.parent.iterdir()
            if name != "tfrecord" and path.is_file()
        }
        assert {*manifest.documents} == (here | above) - data - {"manifest.json"}


def test_what_configurations_share_is_as_the_last_one_built_it(data_dir: Path) -> None:
    root = place(data_dir, "parquet").parent
    first = (root / "README.md").read_bytes()
    make_second(root)
    for config in ("demo", "other"):
        assert problems_of(root / config) == []
    readme = root / "README.md"
    flip(readme, readme.stat().st_size - 9)
    for config in ("demo", "other"):
        (problem,) = problems_of(root / config)
        assert problem.file == "../README.md"
    # With the manifest of an earlier version beside it nobody can tell.
    edit_json(root / "other" / "manifest.json", lambda found: found.pop("documents"))
    assert problems_of(root / "demo") == []
    # What the first one wrote lacks the second.
    readme.write_bytes(first)
    assert {p.file for p in problems_of(root)} == {"README.md"}


def set_path(document: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    item: Any = document
    for parent in parents:
        item = item[int(parent) if isinstance(item, list) else parent]
    item[int(last) if isinstance(item, list) else last] = value


@pytest.mark.parametrize(
    ("name", "document", "path", "value"),
    [
        ("tfrecord", "dataset_info.json", "splits.0.shardLengths.1", "7"),
        ("tfrecord", "dataset_info.json", "splits.1.numBytes", "7"),
        ("tfrecord", "dataset_info.json", "splits.0.name", "test"),
        ("tfrecord", "dataset_info.json", "fileFormat", "riegeli"),
        ("tfrecord", "dataset_info.json", "configName", "1pct"),
        (
            *("tfrecord", "features.json"),
            *("featuresDict.features.label.classLabel.numClasses", "999"),
        ),
        ("webdataset", "_info.json", "splits.train.shard_lengths.0", 7),
        ("webdataset", "_info.json", "splits.train.filenames.0", "x.tar"),
        ("webdataset", "_info.json", "splits.validation.num_samples", 7),
        ("webdataset", "train-index.json", "shardlist.0.filesize", 7),
        ("webdataset", "train-index.json", "shardlist.1.nsamples", 7),
        ("parquet", "../croissant.json", "recordSet.1.data.7.classes/name", "x"),
    ],
)
def test_a_wrong_number_in_a_document_is_named(
    data_dir: Path, name: str, document: str, path: str, value: object
) -> None:
    directory = place(data_dir, name)
    edit_json(directory / document, lambda found: set_path(found, path, value))
    (problem,) = problems_of(directory)
    assert (problem.file, problem.check) == (document, "document")
    assert problem.message.endswith(f"found {value!r}.")
    where = path.removeprefix("recordSet.1.")
    assert where in problem.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dataset_info.0.splits.0.num_examples", 7),
        ("dataset_info.0.splits.1.num_bytes", 7),
        ("dataset_info.0.download_size", 7),
        ("configs.0.data_files.0.path", "demo/x-*.parquet"),
    ],
)
def test_a_wrong_number_in_the_readme_is_named(
    data_dir: Path, path: str, value: object
) -> None:
    directory = place(data_dir, "parquet")
    readme = directory.parent / "README.md"
    _, head, rest = readme.read_text().split("---\n", 2)
    document = yaml.safe_load(head)
    set_path(document, path, value)
    readme.write_text(f"---\n{yaml.safe_dump(document)}---\n{rest}")
    (problem,) = problems_of(directory)
    assert (problem.file, problem.check) == ("../README.md", "document")
    assert problem.message.endswith(f"found {value!r}.")


def test_a_configuration_that_the_readme_lists_and_is_not_there_is_named(
    data_dir: Path,
) -> None:
    root = place(data_dir, "parquet").parent
    make_second(root)
    (root / "other" / "manifest.json").unlink()
    assert problems_of(root) == [
        Problem(
            "README.md",
            "document",
            "It lists other, which has no manifest in its folder.",
        ),
        hash_problem(root, "croissant.json", read_manifest(root / "demo")),
    ]


def test_a_folder_that_was_moved_alone_is_verified_alone(
    data_dir: Path, tmp_path: Path
) -> None:
    shutil.move(place(data_dir, "parquet"), tmp_path / "alone")
    assert problems_of(tmp_path / "alone") == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (
            *("formats.tfrecord.0.files.0.examples", 99),
            "train as tfrecord does not add up: its files have ",
        ),
        (
            *("formats.array_record.0.example_bytes", 99),
            "tfrecord and array_record differ in splits.0.numBytes: expected ",
        ),
        ("formats", {}, "It lists [] as formats, expected array_record or tfrecord."),
        (
            *("formats", {"parquet": []}),
            "It lists [parquet] as formats, expected array_record or tfrecord.",
        ),
    ],
)
def test_a_manifest_that_makes_no_sense_is_named(
    data_dir: Path, path: str, value: object, told: str
) -> None:
    directory = place(data_dir, "tfrecord")
    edit_json(directory / "manifest.json", lambda found: set_path(found, path, value))
    messages = [p.message for p in problems_of(directory) if p.file == "manifest.json"]
    assert any(message.startswith(told) for message in messages)


def test_a_class_name_that_is_another_is_named(data_dir: Path) -> None:
    directory = place(data_dir, "tfrecord")
    labels = directory / "label.labels.txt"
    labels.write_text(labels.read_text().replace("n01443537", "n01443538"))
    assert problems_of(directory) == [
        Problem(
            "label.labels.txt",
            "document",
            "It differs in 1: expected 'n01443537', found 'n01443538'.",
        )
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"splits": None}, "It is not as TFDS writes it: TypeError"),
        ({"splits": [{"name": "train"}]}, "It is not as TFDS writes it: KeyError"),
        ({"splits": [[]]}, "It is not as TFDS writes it: TypeError"),
        ({"fileFormat": "riegeli"}, "It lists the format riegeli, which can't be ver"),
        ({"fileFormat": "parquet"}, "It lists the format parquet, which can't be ver"),
    ],
)
def test_tfds_metadata_that_makes_no_sense_is_named(
    data_dir: Path, change: dict[str, object], told: str
) -> None:
    directory = unhashed(data_dir)
    edit_json(directory / "dataset_info.json", lambda found: found.update(change))
    (problem,) = problems_of(directory)
    assert (problem.file, problem.check) == ("dataset_info.json", "document")
    assert problem.message.startswith(told)


@pytest.mark.parametrize("path", ["splits.0.shardLengths.0", "splits.1.numBytes"])
def test_a_wrong_number_is_found_in_what_tfds_built(data_dir: Path, path: str) -> None:
    directory = unhashed(data_dir)
    edit_json(directory / "dataset_info.json", lambda found: set_path(found, path, "7"))
    found = problems_of(directory)
    assert found
    assert {problem.check for problem in found} == {"count"}


def test_an_encoded_manifest_is_whole(data_dir: Path) -> None:
    # What other tests forge is what a build writes.
    directory = place(data_dir, "parquet")
    data = (directory / "manifest.json").read_bytes()
    assert encode_manifest(read_manifest(directory)) == data


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2, "d": 3}]}}, []),
        ({"a": 1}, {}, ["a: expected 1, found None"]),
        ({"a": None}, {}, []),
        ({"a": {"b": 1}}, {"a": 5}, ["a: expected {'b': 1}, found 5"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a: expected 2 entries, found 1"]),
        ((1, 2), [1, 3], ["1: expected 2, found 3"]),
        ((1, 2), [1], ["all: expected 2 entries, found 1"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a: expected 1 entries, found 2"]),
        (
            {"a": [1, 2, 3]},
            {"a": [0, 2, 4]},
            ["a.0: expected 1, found 0", "a.2: expected 3, found 4"],
        ),
        ({"a": "1"}, {"a": 1}, ["a: expected '1', found 1"]),
    ],
)
def test_differences(expected: object, found: object, told: list[str]) -> None:
    assert list(differences(expected, found)) == told
