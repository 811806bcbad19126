"""The documents of a finished dataset: exact, and written last."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from beam_pipeline.config import load_config
from transforms.errors import StorageError
from transforms.labels import read_class_names
from transforms.metadata import DatasetFacts, is_complete, write_metadata
from transforms.shards import ShardOutput, ShardReport

FEATURES_SHA256 = "083d2a9848a7d679caf79b3ab293444772f9275a822240b548c2ed6c044334d2"
LABELS_SHA256 = "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15"
CONFIG_SHA256 = "8fc17a60399bea4ea467c9053392d21b990ac63822b72db5be2583f33bfe07ff"

TRAIN = [f"imagenet2012_subset-train.tfrecord-{i:05d}-of-00003" for i in range(3)]
VALIDATION = ["imagenet2012_subset-validation.tfrecord-00000-of-00001"]
DOCUMENTS = ["dataset_info.json", "features.json", "label.labels.txt"]


def report(split: str, index: int, count: int, examples: int) -> ShardReport:
    return ShardReport(
        split=split,
        index=index,
        count=count,
        examples=examples,
        example_bytes=1000 * examples + index,
        file_bytes={"tfrecord": 1016 * examples + index},
        repaired={},
        fingerprint="0" * 64,
    )


# In no order: workers finish when they finish.
REPORTS = [
    report("validation", 0, 1, 7),
    report("train", 2, 3, 5),
    report("train", 0, 3, 4),
    report("train", 1, 3, 6),
]


@pytest.fixture
def facts() -> DatasetFacts:
    config = load_config("1pct", {}, {})
    return DatasetFacts(
        name=config.name,
        config=config.config,
        version=config.version,
        description="Some images.\nOf two lines — and a dash.",
        config_description=config.config_description,
        homepage=config.homepage,
        citation="@article{a}",
        release_notes=config.release_notes,
        module=config.module,
        default_config=config.default_config,
        class_names=read_class_names(config.class_names),
        download_size=260323,
        splits=("train", "validation"),
    )


@pytest.fixture
def output(tmp_path: Path) -> ShardOutput:
    directory = tmp_path / "imagenet2012_subset" / "1pct" / "5.0.0"
    (directory / ".reports").mkdir(parents=True)
    (directory / ".reports" / "train-00000-of-00003.json").write_text("{}")
    for name in TRAIN + VALIDATION:
        (directory / name).write_bytes(name.encode())
    return ShardOutput("imagenet2012_subset", str(directory), ("tfrecord",))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_documents_that_do_not_depend_on_the_build_are_those_of_tfds(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_metadata(facts, output, REPORTS)
    directory = Path(output.directory)
    assert sha256(directory / "features.json") == FEATURES_SHA256
    assert sha256(directory / "label.labels.txt") == LABELS_SHA256
    config_file = directory.parents[1] / ".config" / "metadata.json"
    assert sha256(config_file) == CONFIG_SHA256


def test_dataset_info_is_exact(facts: DatasetFacts, output: ShardOutput) -> None:
    write_metadata(facts, output, REPORTS)
    template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    document = {
        "citation": "@article{a}",
        "configDescription": "1pct of total ImageNet training set.",
        "configName": "1pct",
        "description": "Some images.\nOf two lines — and a dash.",
        "downloadSize": "260323",
        "fileFormat": "tfrecord",
        "location": {"urls": ["http://image-net.org/"]},
        "moduleName": (
            "tensorflow_datasets.datasets.imagenet2012_subset."
            "imagenet2012_subset_dataset_builder"
        ),
        "name": "imagenet2012_subset",
        "releaseNotes": {
            "2.0.0": "Fix validation labels.",
            "2.0.1": "Encoding fix. No changes from user point of view.",
            "3.0.0": (
                "\n      Fix colorization on ~12 images (CMYK -> RGB).\n"
                "      Fix format for consistency (convert the single png image to "
                "Jpeg).\n      Faster generation reading directly from the archive."
                "\n      "
            ),
            "4.0.0": "(unpublished)",
            "5.0.0": "New split API (https://tensorflow.org/datasets/splits)",
            "5.1.0": "Added test split.",
        },
        "splits": [
            {
                "filepathTemplate": template,
                "name": "train",
                "numBytes": "15003",
                "shardLengths": ["4", "6", "5"],
            },
            {
                "filepathTemplate": template,
                "name": "validation",
                "numBytes": "7000",
                "shardLengths": ["7"],
            },
        ],
        "supervisedKeys": {
            "tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}
        },
        "version": "5.0.0",
    }
    text = json.dumps(document, indent=2, sort_keys=True)
    written = Path(output.directory, "dataset_info.json").read_bytes()
    assert written == text.encode("ascii")  # no newline at its end, as TFDS has it
    assert is_complete(output.directory)


def test_facts_that_are_empty_are_left_out(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    bare = replace(facts, download_size=0, citation="", release_notes={})
    write_metadata(bare, output, REPORTS)
    document = json.loads(Path(output.directory, "dataset_info.json").read_bytes())
    # A number is text, so a size of nothing is one that is known.
    assert document["downloadSize"] == "0"
    assert "citation" not in document
    assert "releaseNotes" not in document


def test_splits_are_listed_in_the_order_of_the_facts(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_metadata(replace(facts, splits=("validation", "train")), output, REPORTS)
    document = json.loads(Path(output.directory, "dataset_info.json").read_bytes())
    assert [split["name"] for split in document["splits"]] == ["validation", "train"]


@pytest.mark.parametrize("blocked", ["features.json", "label.labels.txt"])
def test_dataset_info_is_written_after_all_else(
    facts: DatasetFacts, output: ShardOutput, blocked: str
) -> None:
    directory = Path(output.directory)
    (directory / blocked).mkdir()  # where a directory stands no file can be published
    with pytest.raises(StorageError):
        write_metadata(facts, output, REPORTS)
    assert not is_complete(output.directory)
    # What proves the shards is kept for the next run.
    assert (directory / ".reports").is_dir()
    assert not list(directory.glob(".*.unfinished"))

    (directory / blocked).rmdir()
    write_metadata(facts, output, REPORTS)
    assert is_complete(output.directory)


def test_strangers_and_reports_are_removed_and_nothing_else(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    directory = Path(output.directory)
    strangers = [
        "imagenet2012_subset-train.tfrecord-00000-of-00016",  # another plan's
        "imagenet2012_subset-test.tfrecord-00000-of-00001",  # a split of another run
        "imagenet2012_subset-train.array_record-00000-of-00003",  # another format
        f".{TRAIN[0]}.0123abcd.unfinished",
        ".features.json.0123abcd.unfinished",
    ]
    for name in strangers:
        (directory / name).write_bytes(b"left over")
    # The user's own files are none of our business.
    for name in ("NOTES.txt", ".hidden", "other-train.tfrecord-00000-of-00001"):
        (directory / name).write_bytes(b"mine")
    write_metadata(facts, output, REPORTS)
    assert sorted(path.name for path in directory.iterdir()) == sorted(
        [
            *DOCUMENTS,
            *TRAIN,
            *VALIDATION,
            "NOTES.txt",
            ".hidden",
            "other-train.tfrecord-00000-of-00001",
        ]
    )
    assert [(directory / name).read_bytes() for name in TRAIN] == [
        name.encode() for name in TRAIN
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda reports: reports[:-1],
            "The train split is not complete: of 3 shards, [0, 2] were reported. "
            "Rerun; the shards that are there are kept.",
        ),
        (
            # The last one: the others look whole without it.
            lambda reports: [r for r in reports if r.index < 2],
            "The train split is not complete: of 3 shards, [0, 1] were reported.",
        ),
        (
            lambda reports: [*reports, reports[1]],
            "The train split is not complete: of 3 shards, [0, 1, 2, 2] were reported.",
        ),
        (
            lambda reports: reports[1:],
            "The validation split is not complete: of an unknown number of shards, "
            "[] were reported.",
        ),
        (
            lambda _: [],
            "The train split is not complete: of an unknown number of shards, []",
        ),
    ],
    ids=["one in the middle", "the last", "one twice", "a whole split", "all"],
)
def test_a_shard_without_a_report_is_refused(
    facts: DatasetFacts,
    output: ShardOutput,
    change: Callable[[list[ShardReport]], list[ShardReport]],
    message: str,
) -> None:
    before = sorted(Path(output.directory).rglob("*"))
    with pytest.raises(StorageError) as caught:
        write_metadata(facts, output, change(REPORTS))
    assert str(caught.value).startswith(message)
    # Nothing was written, and nothing removed.
    assert sorted(Path(output.directory).rglob("*")) == before


def test_a_directory_without_dataset_info_is_not_complete(tmp_path: Path) -> None:
    assert not is_complete(str(tmp_path))
    assert not is_complete(str(tmp_path / "missing"))
    (tmp_path / "features.json").write_text("{}")
    assert not is_complete(str(tmp_path))
    (tmp_path / "dataset_info.json").mkdir()  # a document, not a directory
    assert not is_complete(str(tmp_path))
