"""The documents of a finished dataset: exact, and written last."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from blake3 import blake3

from beam_pipeline.config.loading import load_config
from tests.helpers.archives import image
from transforms.documents.facts import DatasetFacts
from transforms.documents.finish import finish_dataset
from transforms.documents.manifest import decode_manifest
from transforms.errors import StorageError
from transforms.formats.listing import FileFacts
from transforms.formats.places import Places
from transforms.formats.records import Example, Schema
from transforms.formats.table import FORMATS
from transforms.images.policy import ImagePolicy
from transforms.planning.labels import read_class_names
from transforms.shards.output import ShardOutput
from transforms.shards.report import ShardReport
from transforms.statistics.counting import StatisticsBuilder

FEATURES_SHA256 = "083d2a9848a7d679caf79b3ab293444772f9275a822240b548c2ed6c044334d2"
LABELS_SHA256 = "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15"
CONFIG_SHA256 = "8fc17a60399bea4ea467c9053392d21b990ac63822b72db5be2583f33bfe07ff"

TRAIN = [f"imagenet2012_subset-train.tfrecord-{i:05d}-of-00003" for i in range(3)]
VALIDATION = ["imagenet2012_subset-validation.tfrecord-00000-of-00001"]
DOCUMENTS = [
    *("card.html", "dataset_info.json", "features.json", "label.labels.txt"),
    *("manifest.json", "report.html", "statistics.json"),
]


def report(split: str, index: int, count: int, examples: int) -> ShardReport:
    name = f"imagenet2012_subset-{split}.tfrecord-{index:05d}-of-{count:05d}"
    file = FileFacts(name, 1016 * examples + index, examples, f"blake3:{'ab' * 32}")
    return ShardReport(
        split=split,
        index=index,
        count=count,
        wanted=examples,
        archives=(),
        files={"tfrecord": (file,)},
        statistics=replace(
            StatisticsBuilder().result(),
            examples=examples,
            example_bytes=1000 * examples + index,
        ),
        rejected=(),
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
        about=replace(
            config.about, description="Some images.\nOf two lines — and a dash."
        ),
        citation="@article{a}",
        schema=Schema(read_class_names(config.class_names)),
        download_size=260323,
        splits=("train", "validation"),
    )


@pytest.fixture
def output(tmp_path: Path, facts: DatasetFacts) -> ShardOutput:
    output = ShardOutput(
        places=Places(str(tmp_path), "imagenet2012_subset", "1pct", "5.0.0"),
        formats=("tfrecord",),
        schema=facts.schema,
        images={"train": ImagePolicy(), "validation": ImagePolicy(policy="keep")},
    )
    reports = directory(output) / ".tfrecord.reports"
    reports.mkdir(parents=True)
    (reports / "train-00000-of-00003.json").write_text("{}")
    for name in TRAIN + VALIDATION:
        write_shard(output, "tfrecord", name)
    return output


def write_shard(output: ShardOutput, format_name: str, name: str) -> None:
    """Writes a shard of one record, for the figure; no matter what is reported."""
    path = Path(output.places.directory(format_name), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FORMATS[format_name].codec.publish(str(path), output.schema) as file:
        file.writer.write(Example("n01440764_1.JPEG", image(1), 0))


def directory(output: ShardOutput) -> Path:
    return Path(output.places.directory("tfrecord"))


def is_complete(output: ShardOutput) -> bool:
    return "tfrecord" in output.places.finished_formats("tfrecord")


def write_all(
    facts: DatasetFacts, output: ShardOutput, reports: list[ShardReport]
) -> None:
    finish_dataset(facts, output, reports, max_rejects=0)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_documents_that_do_not_depend_on_the_build_are_those_of_tfds(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_all(facts, output, REPORTS)
    place = directory(output)
    assert sha256(place / "features.json") == FEATURES_SHA256
    assert sha256(place / "label.labels.txt") == LABELS_SHA256
    config_file = place.parents[1] / ".config" / "metadata.json"
    assert sha256(config_file) == CONFIG_SHA256


def test_dataset_info_is_exact(facts: DatasetFacts, output: ShardOutput) -> None:
    write_all(facts, output, REPORTS)
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
    written = (directory(output) / "dataset_info.json").read_bytes()
    assert written == text.encode("ascii")  # no newline at its end, as TFDS has it
    assert is_complete(output)


def test_facts_that_are_empty_are_left_out(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    about = replace(facts.about, release_notes={})
    bare = replace(facts, about=about, download_size=0, citation="")
    write_all(bare, output, REPORTS)
    document = json.loads((directory(output) / "dataset_info.json").read_bytes())
    assert "downloadSize" not in document
    assert "citation" not in document
    assert "releaseNotes" not in document


def test_splits_are_listed_in_the_order_of_the_facts(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_all(replace(facts, splits=("validation", "train")), output, REPORTS)
    document = json.loads((directory(output) / "dataset_info.json").read_bytes())
    assert [split["name"] for split in document["splits"]] == ["validation", "train"]


@pytest.mark.parametrize("blocked", ["features.json", "label.labels.txt"])
def test_dataset_info_is_written_after_all_else(
    facts: DatasetFacts, output: ShardOutput, blocked: str
) -> None:
    place = directory(output)
    (place / blocked).mkdir()  # where a place stands no file can be published
    with pytest.raises(StorageError):
        write_all(facts, output, REPORTS)
    assert not is_complete(output)
    # What proves the shards is kept for the next run.
    assert (place / ".tfrecord.reports").is_dir()
    assert not list(place.glob(".*.unfinished"))

    (place / blocked).rmdir()
    write_all(facts, output, REPORTS)
    assert is_complete(output)


def test_strangers_and_reports_are_removed_and_nothing_else(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    place = directory(output)
    strangers = [
        "imagenet2012_subset-train.tfrecord-00000-of-00016",  # another plan's
        "imagenet2012_subset-test.tfrecord-00000-of-00001",  # a split of another run
        "imagenet2012_subset-train.array_record-00000-of-00003",  # another format
        f".{TRAIN[0]}.0123abcd.unfinished",
        ".features.json.0123abcd.unfinished",
    ]
    for name in strangers:
        (place / name).write_bytes(b"left over")
    # The user's own files are none of our business.
    for name in ("NOTES.txt", ".hidden", "other-train.tfrecord-00000-of-00001"):
        (place / name).write_bytes(b"mine")
    write_all(facts, output, REPORTS)
    assert sorted(path.name for path in place.iterdir()) == sorted(
        [
            *DOCUMENTS,
            *TRAIN,
            *VALIDATION,
            "NOTES.txt",
            ".hidden",
            "other-train.tfrecord-00000-of-00001",
        ]
    )
    assert len({(place / name).read_bytes() for name in TRAIN}) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda reports: reports[:-1],
            "The train split is not complete: of "
            "3 shards, [0, 2] were reported. "
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
            "The validation split is not complete: of "
            "an unknown number of shards, "
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
    before = sorted(directory(output).rglob("*"))
    with pytest.raises(StorageError) as caught:
        write_all(facts, output, change(REPORTS))
    assert str(caught.value).startswith(message)
    # Nothing was written, and nothing removed.
    assert sorted(directory(output).rglob("*")) == before


def test_a_directory_without_dataset_info_is_not_complete(output: ShardOutput) -> None:
    assert not is_complete(output)
    assert not is_complete(
        replace(output, places=replace(output.places, version="9.9.9"))
    )
    (directory(output) / "features.json").write_text("{}")
    assert not is_complete(output)
    (directory(output) / "dataset_info.json").mkdir()  # a document, not a directory
    assert not is_complete(output)


def as_formats(reports: list[ShardReport], *formats: str) -> list[ShardReport]:
    """Returns the reports as other formats of TFDS's would have them."""
    return [
        replace(
            report,
            files={
                name: tuple(
                    replace(file, name=file.name.replace("tfrecord", name))
                    for file in report.files["tfrecord"]
                )
                for name in formats
            },
        )
        for report in reports
    ]


def info(output: ShardOutput) -> dict[str, Any]:
    return dict(json.loads((directory(output) / "dataset_info.json").read_bytes()))


def test_formats_of_one_run_share_a_directory(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    both = replace(output, formats=("array_record", "tfrecord"))
    for name in TRAIN + VALIDATION:
        write_shard(both, "array_record", name.replace("tfrecord", "array_record"))
    write_all(facts, both, as_formats(REPORTS, "tfrecord", "array_record"))
    # tfds.load takes the first, and can't read the other.
    assert info(both)["fileFormat"] == "tfrecord"
    assert info(both)["alternativeFileFormats"] == ["array_record"]
    assert len(list(directory(output).glob("*-of-*"))) == 8


def test_a_format_that_comes_later_is_listed_behind_those_that_are_there(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_all(facts, output, REPORTS)
    before = info(output)
    later = replace(output, formats=("array_record",))
    for name in TRAIN + VALIDATION:
        write_shard(later, "array_record", name.replace("tfrecord", "array_record"))
    write_all(facts, later, as_formats(REPORTS, "array_record"))
    assert info(output) == {**before, "alternativeFileFormats": ["array_record"]}
    assert len(list(directory(output).glob("*-of-*"))) == 8
    card = (directory(output) / "card.html").read_text()
    assert "tfds.load(" in card
    assert "tfds.data_source(" in card


def test_the_manifest_lists_every_file_of_every_format(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_all(facts, output, REPORTS)
    place = directory(output)
    manifest = decode_manifest((place / "manifest.json").read_bytes(), "")
    assert (manifest.dataset, manifest.config, manifest.version) == (
        "imagenet2012_subset",
        "1pct",
        "5.0.0",
    )
    assert manifest.images == output.images
    assert manifest.class_names == facts.schema.class_names
    assert {
        name: [(split.name, split.files) for split in splits]
        for name, splits in manifest.formats.items()
    } == {
        "tfrecord": [
            (
                "train",
                tuple(
                    r.files["tfrecord"][0] for r in (REPORTS[2], REPORTS[3], REPORTS[1])
                ),
            ),
            ("validation", REPORTS[0].files["tfrecord"]),
        ]
    }

    later = replace(output, formats=("array_record",))
    for name in TRAIN + VALIDATION:
        write_shard(later, "array_record", name.replace("tfrecord", "array_record"))
    write_all(facts, later, as_formats(REPORTS, "array_record"))
    after = decode_manifest((place / "manifest.json").read_bytes(), "")
    assert list(after.formats) == ["tfrecord", "array_record"]
    assert after.formats["tfrecord"] == manifest.formats["tfrecord"]


def test_files_that_tfds_built_are_hashed_for_the_manifest(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_all(facts, output, REPORTS)
    (directory(output) / "manifest.json").unlink()  # TFDS writes none
    later = replace(output, formats=("array_record",))
    for name in TRAIN + VALIDATION:
        write_shard(later, "array_record", name.replace("tfrecord", "array_record"))
    write_all(facts, later, as_formats(REPORTS, "array_record"))
    manifest = decode_manifest((directory(output) / "manifest.json").read_bytes(), "")
    train, validation = manifest.formats["tfrecord"]
    assert train.files == tuple(
        FileFacts(
            name,
            (directory(output) / name).stat().st_size,
            examples,
            f"blake3:{blake3((directory(output) / name).read_bytes()).hexdigest()}",
        )
        for name, examples in zip(TRAIN, (4, 6, 5), strict=True)
    )
    assert [file.name for file in validation.files] == VALIDATION


def test_a_format_with_other_shards_than_those_there_is_refused(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_all(facts, output, REPORTS)
    later = replace(output, formats=("array_record",))
    write_shard(later, "array_record", TRAIN[0].replace("tfrecord", "array_record"))
    others = [r for r in as_formats(REPORTS, "array_record") if r.split == "validation"]
    one = replace(facts, splits=("validation",))
    write_shard(later, "array_record", others[0].files["array_record"][0].name)
    before = info(output)
    with pytest.raises(StorageError) as caught:
        write_all(one, later, others)
    assert str(caught.value) == (
        f"{directory(output)} holds the dataset as tfrecord too, with other shards or "
        "other examples. Rerun with the flags it was built with, or with --overwrite "
        "to replace it."
    )
    assert info(output) == before


def test_a_format_that_is_not_known_is_not_lost(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    write_all(facts, output, REPORTS)
    changed = {**info(output), "fileFormat": "riegeli"}
    (directory(output) / "dataset_info.json").write_text(json.dumps(changed))
    with pytest.raises(StorageError, match="holds the dataset as riegeli too"):
        write_all(facts, output, REPORTS)


# --- A folder as the hub has it -------------------------------------------------------


def hub_report(format_name: str, split: str, name: str) -> ShardReport:
    return replace(
        report(split, 0, 1, 1),
        files={format_name: (FileFacts(name, 1234, 1, f"blake3:{'cd' * 32}"),)},
    )


def build_hub(
    facts: DatasetFacts, output: ShardOutput, format_name: str, extension: str
) -> Path:
    """Writes one file a split and the documents; returns the folder."""
    places = replace(output.places, config=facts.config)
    output = replace(output, places=places, formats=(format_name,))
    reports = []
    for split in facts.splits:
        name = f"{split}-0{extension}"
        write_shard(output, format_name, name)
        reports.append(hub_report(format_name, split, name))
    assert format_name not in output.places.finished_formats(format_name)
    write_all(facts, output, reports)
    assert format_name in output.places.finished_formats(format_name)
    return Path(output.places.root(format_name))


def names(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


def test_a_parquet_folder_has_all_that_the_hub_wants(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    folder = build_hub(facts, output, "parquet", ".parquet")
    assert folder == Path(
        output.places.data_dir, "parquet", "imagenet2012_subset", "5.0.0"
    )
    assert names(folder) == [
        "1pct/figure.png",
        "1pct/manifest.json",
        "1pct/report.html",
        "1pct/statistics.json",
        "1pct/train-0.parquet",
        "1pct/validation-0.parquet",
        "README.md",
        "croissant.json",
    ]
    readme = (folder / "README.md").read_text()
    _, head, card = readme.split("---\n", 2)
    assert yaml.safe_load(head)["configs"] == [
        {
            "config_name": "1pct",
            "default": True,
            "data_files": [
                {"split": "train", "path": "1pct/train-*.parquet"},
                {"split": "validation", "path": "1pct/validation-*.parquet"},
            ],
        }
    ]
    assert "1pct/figure.png" in card
    assert 'datasets.load_dataset("PATH_OF_THIS_FOLDER", "1pct")' in card


def test_a_webdataset_folder_has_its_indexes(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    folder = build_hub(facts, output, "webdataset", ".tar")
    assert names(folder) == [
        "1pct/_info.json",
        "1pct/figure.png",
        "1pct/manifest.json",
        "1pct/report.html",
        "1pct/statistics.json",
        "1pct/train-0.tar",
        "1pct/train-index.json",
        "1pct/validation-0.tar",
        "1pct/validation-index.json",
        "README.md",
    ]


def test_the_readme_covers_the_configurations_built_before(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    about = replace(facts.about, config_description="A tenth.")
    ten = replace(facts, config="10pct", about=about)
    folder = build_hub(ten, output, "parquet", ".parquet")
    alone = (folder / "README.md").read_text()
    build_hub(facts, output, "parquet", ".parquet")
    both = (folder / "README.md").read_text()
    configs = yaml.safe_load(both.split("---\n")[1])["configs"]
    assert [config["config_name"] for config in configs] == ["1pct", "10pct"]
    assert [config.get("default") for config in configs] == [True, None]
    assert "A tenth." in alone
    assert "A tenth." in both
    # In whichever order they are built, the documents are the same.
    (folder / "10pct" / "manifest.json").unlink()
    build_hub(ten, output, "parquet", ".parquet")
    assert (folder / "README.md").read_text() == both


def test_strangers_in_a_folder_are_removed(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    place = Path(
        output.places.data_dir, "parquet", "imagenet2012_subset", "5.0.0", "1pct"
    )
    place.mkdir(parents=True)
    for name in ("train-00000-of-00009.parquet", ".x.0123abcd.unfinished", "mine.txt"):
        (place / name).write_bytes(b"left over")
    folder = build_hub(facts, output, "parquet", ".parquet")
    assert "1pct/mine.txt" in names(folder)
    assert len(names(folder)) == 9


def test_a_manifest_that_is_none_is_named(
    facts: DatasetFacts, output: ShardOutput
) -> None:
    folder = Path(output.places.data_dir, "parquet", "imagenet2012_subset", "5.0.0")
    (folder / "10pct").mkdir(parents=True)
    (folder / "10pct" / "manifest.json").write_text("{}")
    with pytest.raises(StorageError, match=r"10pct/manifest\.json is not a manifest"):
        build_hub(facts, output, "parquet", ".parquet")
