"""Builds in several formats, at once and one after the other."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from tests.helpers.archives import Outcome, build, dataset_dir
from transforms.formats.records import Example
from transforms.formats.table import FORMATS

ALL = ",".join(FORMATS)
NAME = "imagenet2012_subset"


@dataclass(frozen=True)
class Built:
    """A build in all formats that several tests look at and none changes."""

    archives: Path
    data_dir: Path
    outcome: Outcome


@pytest.fixture(scope="module")
def built(small_archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    data_dir = tmp_path_factory.mktemp("built")
    return Built(
        small_archives,
        data_dir,
        build(small_archives, data_dir, "--format", ALL),
    )


def place(data_dir: Path, format_name: str) -> Path:
    """Returns where a format's files lie."""
    if FORMATS[format_name].layout == "tfds":
        return dataset_dir(data_dir)
    return data_dir / format_name / NAME / "5.0.0" / "demo"


def files(data_dir: Path, format_name: str, split: str) -> list[Path]:
    patterns = {
        "tfrecord": f"{NAME}-{split}.tfrecord-*",
        "array_record": f"{NAME}-{split}.array_record-*",
        "parquet": f"{split}-*.parquet",
        "webdataset": f"{split}-*.tar",
    }
    return sorted(place(data_dir, format_name).glob(patterns[format_name]))


def read(data_dir: Path, format_name: str, split: str) -> list[Example]:
    return [
        example
        for path in files(data_dir, format_name, split)
        for example in FORMATS[format_name].codec.read(str(path))
    ]


def contents(data_dir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(data_dir)): path.read_bytes()
        for path in sorted(data_dir.rglob("*"))
        if path.is_file() and "downloads" not in path.parts
    }


def states(paths: list[Path]) -> list[tuple[int, int]]:
    return [(path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_all_formats_hold_the_same_records_in_the_same_order(
    built: Built, split: str
) -> None:
    # TFRecord shards are held against the archives in test_run.
    expected = read(built.data_dir, "tfrecord", split)
    assert len(expected) == {"train": 18, "validation": 20}[split]
    for name in FORMATS:
        assert read(built.data_dir, name, split) == expected


def test_the_summary_tells_of_each_format(built: Built) -> None:
    assert built.outcome.code == 0
    lines = built.outcome.out.splitlines()
    root = built.data_dir
    tfds, hub = f"{NAME}/demo/5.0.0", f"{NAME}/5.0.0"
    look = f"Look at it: {root}/{tfds}/card.html and {root}/{tfds}/report.html"
    assert lines[-12:] == [
        f"tfrecord: {root}/{tfds}",
        look,
        f'Load it: tfds.load("{NAME}/demo:5.0.0", data_dir="{root}")'
        "  # pip install tensorflow tensorflow-datasets",
        f"array_record: {root}/{tfds}",
        look,
        f'Load it: tfds.data_source("{NAME}/demo:5.0.0", data_dir="{root}")'
        "  # pip install tensorflow-datasets array-record",
        f"parquet: {root}/parquet/{hub}/demo",
        f"Look at it: {root}/parquet/{hub}/README.md and "
        f"{root}/parquet/{hub}/demo/report.html",
        f'Load it: datasets.load_dataset("{root}/parquet/{hub}", "demo")'
        "  # pip install datasets",
        f"webdataset: {root}/webdataset/{hub}/demo",
        f"Look at it: {root}/webdataset/{hub}/README.md and "
        f"{root}/webdataset/{hub}/demo/report.html",
        "Load it: webdataset.WebDataset(sorted(glob.glob("
        f'"{root}/webdataset/{hub}/demo/train-*.tar")), shardshuffle=False)'
        "  # pip install webdataset",
    ]


def test_formats_built_one_after_the_other_are_those_of_one_run(
    built: Built, tmp_path: Path
) -> None:
    for name in ("parquet", "tfrecord", "webdataset"):
        assert build(built.archives, tmp_path, "--format", name).code == 0
    before = states(files(tmp_path, "tfrecord", "train"))
    # Only the format that is not there is built.
    outcome = build(built.archives, tmp_path, "--format", ALL)
    assert outcome.code == 0
    directory = dataset_dir(tmp_path)
    assert outcome.out.startswith(
        f"{directory} is complete as tfrecord and left as it is; --repair rereads it "
        "and mends it, --overwrite builds it again.\n"
    )
    assert states(files(tmp_path, "tfrecord", "train")) == before
    assert contents(tmp_path) == contents(built.data_dir)


def test_a_format_with_other_shards_beside_a_finished_one_is_refused(
    built: Built, tmp_path: Path
) -> None:
    build(built.archives, tmp_path, "--format", "tfrecord")
    flags = ("--format", "array_record", "--num_shards", "train=3", "validation=2")
    outcome = build(built.archives, tmp_path, *flags)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == (
        f"error: {dataset_dir(tmp_path)} holds the dataset as tfrecord, built with "
        "other settings: num_shards.train was 4, now 3. Rerun with the settings it was "
        "built with, or with --overwrite to replace it."
    )
    # The finished one is as it was, and --overwrite puts the other in its place.
    assert read(tmp_path, "tfrecord", "train") == read(
        built.data_dir, "tfrecord", "train"
    )
    assert build(built.archives, tmp_path, *flags, "--overwrite").code == 0
    assert files(tmp_path, "tfrecord", "train") == []
    assert len(files(tmp_path, "array_record", "train")) == 3


def test_parquet_and_tars_have_files_of_their_own_size(
    built: Built, tmp_path: Path
) -> None:
    images = sum(len(e.image) for e in read(built.data_dir, "tfrecord", "validation"))
    limit = FORMATS["parquet"].file_overhead + images // 4
    outcome = build(
        *(built.archives, tmp_path, "--format", "parquet,tfrecord,webdataset"),
        *("--set", f"max_file_bytes.parquet={limit}", "--num_shards", "validation=2"),
    )
    assert outcome.code == 0
    names = [path.name for path in files(tmp_path, "parquet", "validation")]
    count = len(names)
    assert count > 2
    assert names == [f"validation-{i:05d}-of-{count:05d}.parquet" for i in range(count)]
    assert all(
        path.stat().st_size <= limit for path in files(tmp_path, "parquet", "train")
    )
    assert len(files(tmp_path, "webdataset", "validation")) == 2
    expected = read(built.data_dir, "tfrecord", "validation")
    for name in ("parquet", "tfrecord", "webdataset"):
        assert read(tmp_path, name, "validation") == expected


def test_width_and_height_are_columns_where_asked_for(
    built: Built, tmp_path: Path
) -> None:
    outcome = build(
        *(built.archives, tmp_path, "--format", "parquet,webdataset,tfrecord"),
        *("--set", "dimensions=true"),
    )
    assert outcome.code == 0
    card = (dataset_dir(tmp_path) / "card.html").read_text()
    assert "Width of the stored image" not in card  # a tf.train.Example has none
    for path in files(tmp_path, "parquet", "train"):
        for row in pq.read_table(path).to_pylist():
            with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
                assert (row["width"], row["height"]) == image.size
    readme = tmp_path / "parquet" / NAME / "5.0.0" / "README.md"
    head = yaml.safe_load(readme.read_text().split("---\n")[1])
    names = [feature["name"] for feature in head["dataset_info"][0]["features"]]
    assert names[-2:] == ["width", "height"]


@pytest.mark.parametrize("format_name", ["array_record", "parquet", "webdataset"])
def test_a_build_goes_on_in_every_format(
    built: Built, tmp_path: Path, format_name: str
) -> None:
    # The build ends at its very last step: no file can be published over a directory.
    last = "dataset_info.json" if format_name == "array_record" else "manifest.json"
    blocker = place(tmp_path, format_name) / last / "blocked"
    blocker.mkdir(parents=True)
    assert build(built.archives, tmp_path, "--format", format_name).code == 1
    blocker.rmdir()
    blocker.parent.rmdir()
    first, second, *others = files(tmp_path, format_name, "train")
    before = states(others)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    assert build(built.archives, tmp_path, "--format", format_name).code == 0
    assert states(others) == before
    expected = {
        name: data
        for name, data in contents(built.data_dir).items()
        if str(place(built.data_dir, format_name)) in str(built.data_dir / name)
        and not ("tfrecord" in name or name.endswith((".json", ".html")))
    }
    found = contents(tmp_path)
    assert {name: found[name] for name in expected} == expected
    assert not list(place(tmp_path, format_name).glob(".*"))


def test_a_limit_that_holds_no_record_is_refused(built: Built, tmp_path: Path) -> None:
    outcome = build(
        *(built.archives, tmp_path, "--format", "webdataset"),
        *("--set", "max_file_bytes.webdataset=20000"),
    )
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith(
        "error: max_file_bytes webdataset=20,000 is too little: a file with no more "
        "than "
    )


def test_two_configurations_share_a_folder_for_the_hub(
    built: Built, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("base: demo\nconfig: other\nmax_examples_per_split: 3\n")
    data_dir = tmp_path / "data"
    for config in ("demo", other):
        flags = ("--config", config, "--format", "parquet", "--num_shards", "train=2")
        assert build(built.archives, data_dir, *flags).code == 0
    folder = data_dir / "parquet" / NAME / "5.0.0"
    head = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert [info["config_name"] for info in head["dataset_info"]] == ["demo", "other"]
    counts = [
        {split["name"]: split["num_examples"] for split in info["splits"]}
        for info in head["dataset_info"]
    ]
    assert counts == [{"train": 18, "validation": 20}, {"train": 3, "validation": 3}]
    croissant = json.loads((folder / "croissant.json").read_text())
    sets = [entry["includes"] for entry in croissant["distribution"]]
    assert len(sets) == 2
