"""Builds of subsets by recipe, through the command line."""

import json
from collections import Counter
from pathlib import Path

import pytest

from beam_pipeline.verify import main as verify
from tests.helpers.archives import Outcome, dataset_dir, image, nested_tar, run, tar
from tests.helpers.datasets import shards
from transforms.formats.table import FORMATS

CLASSES = ("n01440764", "n01443537", "n01484850")
IMAGES = {
    name: [(f"{name}_{i}.JPEG", image(10 * number + i)) for i in range(4)]
    for number, name in enumerate(CLASSES)
}
# The classes of these are n01751748, n09193705 and n02105855.
FLAT = [(f"ILSVRC2012_val_{number:08d}.JPEG", image(number)) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives as they are published."""
    directory = tmp_path_factory.mktemp("tars")
    (directory / "train.tar").write_bytes(nested_tar(IMAGES))
    (directory / "val.tar").write_bytes(tar(FLAT))
    return directory


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images in folders, as on the hub they are called."""
    directory = tmp_path_factory.mktemp("folders")
    for name in reversed(CLASSES):
        (directory / "train" / name).mkdir(parents=True)
        for file, data in reversed(IMAGES[name]):
            path = directory / "train" / name / file.replace(".JPEG", f"_{name}.jpg")
            path.write_bytes(data)
    (directory / "val").mkdir()
    for file, data in FLAT:
        (directory / "val" / file).write_bytes(data)
    return directory


# In place of the demo's list, and of the numbers of its archives.
OF_ITS_OWN = (
    "splits.train.subset.file=null",
    *(f"splits.{split}.members=null" for split in ("train", "validation")),
    *(f"splits.{split}.examples=null" for split in ("train", "validation")),
    "num_shards={}",
)


def build(manual_dir: Path, data_dir: Path, *recipe: str) -> Outcome:
    """Builds the demo's configuration, but without its list and its numbers."""
    return run(
        *("--config", "demo", "--manual_dir", manual_dir, "--data_dir", data_dir),
        *("--direct_num_workers=1", "--set", *OF_ITS_OWN, *recipe),
    )


def verified(data_dir: Path, *flags: str) -> int:
    """Returns the exit code of a verification; flags end with what is set."""
    return verify([str(dataset_dir(data_dir)), "--config", "demo", *flags])


def records(data_dir: Path, split: str) -> dict[str, int]:
    """Returns the names of a split's records, with their labels."""
    directory = dataset_dir(data_dir)
    return {
        record.file_name: record.label
        for path in shards(directory, "tfrecord", split)
        for record in FORMATS["tfrecord"].codec.read(str(path))
    }


def listed(data_dir: Path, split: str) -> list[str]:
    return (dataset_dir(data_dir) / f"subset-{split}.txt").read_text().splitlines()


def shard_bytes(data_dir: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in dataset_dir(data_dir).glob("*tfrecord*")}


def test_two_forms_and_the_list_that_is_written_give_the_same_bytes(
    tars: Path, folders: Path, tmp_path: Path
) -> None:
    recipe = ("splits.train.subset.per_class=2", "splits.train.subset.seed=5")
    for name, archives in (("a", tars), ("b", folders)):
        assert build(archives, tmp_path / name, *recipe).code == 0
    one = tmp_path / "a"
    counted = Counter(name[:9] for name in records(one, "train"))
    assert counted == dict.fromkeys(CLASSES, 2)
    assert listed(one, "train") == sorted(records(one, "train"))
    assert shard_bytes(one) == shard_bytes(tmp_path / "b")
    info = json.loads((dataset_dir(one) / "dataset_info.json").read_text())
    assert (
        "The train split has 2 images of each class, drawn with seed 5."
        in (info["description"])
    )
    file = dataset_dir(one) / "subset-train.txt"
    again = build(tars, tmp_path / "c", f"splits.train.subset.file={file}")
    assert again.code == 0
    assert shard_bytes(one) == shard_bytes(tmp_path / "c")
    assert not (dataset_dir(tmp_path / "c") / "subset-train.txt").exists()


def test_a_drawn_dataset_is_known_again_and_verified(
    tars: Path, folders: Path, tmp_path: Path
) -> None:
    recipe = ["splits.train.subset.fraction=0.5", "val_from_train.per_class=1"]
    assert build(tars, tmp_path, *recipe).code == 0
    assert "is complete as tfrecord" in build(tars, tmp_path, *recipe).out
    other = build(tars, tmp_path, recipe[0], "val_from_train.per_class=2")
    assert other.code == 1
    assert (
        "subset.tune.from_train was 1 image of each class, drawn with seed 0, now 2 "
        "images of each class, drawn with seed 0"
    ) in other.err
    where = ("--manual_dir", str(folders))
    assert verified(tmp_path, *where, "--set", *OF_ITS_OWN, *recipe) == 0


def test_images_that_are_held_out_are_in_no_training_split(
    tars: Path, tmp_path: Path
) -> None:
    outcome = build(tars, tmp_path, "val_from_train.per_class=1")
    assert outcome.code == 0
    train, tune = records(tmp_path, "train"), records(tmp_path, "tune")
    assert {**train, **tune} == {
        file: label for label, name in enumerate(CLASSES) for file, _ in IMAGES[name]
    }
    assert sorted(tune.values()) == [0, 1, 2]
    assert len(train) == 9


def test_classes_are_kept_and_renumbered_in_all_splits(
    tars: Path, tmp_path: Path
) -> None:
    classes = "subset.classes=[n09193705,n02105855,n01484850]"
    outcome = build(
        tars, tmp_path, classes, "subset.labels=renumber", "allow_missing=true"
    )
    assert outcome.code == 0
    names = (dataset_dir(tmp_path) / "label.labels.txt").read_text().split()
    assert names == ["n01484850", "n02105855", "n09193705"]
    files = [file for file, _ in IMAGES["n01484850"]]
    assert records(tmp_path, "train") == dict.fromkeys(files, 0)
    assert records(tmp_path, "validation") == {FLAT[1][0]: 2, FLAT[2][0]: 1}
    said = (*OF_ITS_OWN, classes, "subset.labels=renumber")
    assert verified(tmp_path, "--allow_missing", "--set", *said) == 0


def test_excluded_images_are_left_out(tars: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("train/n01440764/n01440764_1.JPEG\nn01443537_2_n01443537.jpeg\n")
    recipe = f"splits.train.subset.exclude={bad}"
    assert build(tars, tmp_path / "a", recipe).code == 0
    every = {file for of in IMAGES.values() for file, _ in of}
    left = every - {"n01440764_1.JPEG", "n01443537_2.JPEG"}
    assert set(records(tmp_path / "a", "train")) == left

    bad.write_text("n01440764_1.JPEG\nn01440764_7.JPEG\n")
    outcome = build(tars, tmp_path / "b", recipe)
    assert outcome.code == 1
    assert (
        f"{bad} excludes 2 images from the train split, and 1 of them are not in its "
        "archives: n01440764_7.JPEG."
    ) in outcome.err


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            "splits.train.subset.per_class=5",
            "The train split is to have 5 images of each class, drawn with seed 0, and "
            "3 classes have fewer: n01440764 has 4 of 5, ",
        ),
        (
            "splits.train.subset.classes=imagenet100",
            "imagenet100. These are shipped: imagenet100-cmc, imagenet100-sorted, ",
        ),
        (
            "splits.train.subset.classes=[n01440764,n00000000]",
            "splits.train.subset.classes names 1 classes that are none of the 1,000 ",
        ),
        (
            "splits.train.subset.classes=[n01440764,n01440764]",
            "splits.train.subset.classes names classes twice: n01440764.",
        ),
        (
            "splits.train.subset={classes: imagenette, labels: renumber}",
            "Labels would mean one class in train and another in validation: ",
        ),
        ("val_from_train.fraction=1", "The train split would be empty: all of its "),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    recipe: str, message: str, tars: Path, tmp_path: Path
) -> None:
    outcome = build(tars, tmp_path, recipe)
    assert outcome.code in (1, 2)
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("listed", [False, True])
def test_what_classes_lack_is_recorded(
    tars: Path, tmp_path: Path, *, listed: bool
) -> None:
    recipe = [
        *("splits.train.subset.per_class=5", "num_shards.train=1"),
        f"splits.train.subset.classes=[{','.join(CLASSES)},n01491361]",
    ]
    if listed:
        names = [file for files in IMAGES.values() for file, _ in files]
        (tmp_path / "all.txt").write_text("\n".join(names))
        recipe.append(f"splits.train.subset.file={tmp_path / 'all.txt'}")
    first = build(tars, tmp_path, *recipe, "allow_missing=true")
    assert first.code == 0
    assert "train: 8 images that its subset should have are missing." in first.out
    manifest = json.loads((dataset_dir(tmp_path) / "manifest.json").read_text())
    assert manifest["counts"]["train"]["missing"] == 3 * 1 + 5
    again = build(tars, tmp_path, *recipe)
    assert again.code == 1
    said = "have fewer: n01440764 has 4 of 5, " if listed else "allowed to lack 8 "
    assert said in again.err
    assert "is complete" in build(tars, tmp_path, *recipe, "allow_missing=true").out
