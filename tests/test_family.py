"""What people get wrong with the siblings of ImageNet, and the shards of all of it."""

import gzip
import json
from pathlib import Path

import pytest

from tests.helpers.archives import Outcome, image, run, tar
from transforms.planning.counts import shard_count

UNSTATED = ("--set", "splits.test.members=null", "splits.test.examples=null")
V2 = "imagenetv2-matched-frequency"
NUMBERS = ("members", "examples")


def build(directory: Path, config: str, *flags: str) -> Outcome:
    return run(
        *("--config", config, "--manual_dir", directory, "--dry_run"),
        *("--data_dir", directory / "data", "--direct_num_workers=1", *flags),
    )


def test_another_variant_of_v2_is_told_by_its_length(tmp_path: Path) -> None:
    with open(tmp_path / f"{V2}.tar.gz", "wb") as file:
        file.write(tar([("imagenetv2-threshold0.7-format-val/0/a.jpeg", image(1))]))
        file.truncate(1_249_906_176)
    outcome = build(tmp_path, "imagenet_v2/matched-frequency")
    assert outcome.code == 1
    assert outcome.err.endswith(
        f"{V2}.tar.gz, which has 1,264,079,360 bytes: it has 1,249,906,176 bytes, as "
        "imagenetv2-threshold0.7.tar.gz has, the variant threshold-0.7. Get "
        f"{V2}.tar.gz.\n"
    )


def test_another_variant_of_v2_is_told_by_its_folder(tmp_path: Path) -> None:
    data = tar([("imagenetv2-threshold0.7-format-val/0/a.jpeg", image(1))])
    (tmp_path / f"{V2}.tar.gz").write_bytes(data)
    outcome = build(tmp_path, "imagenet_v2/matched-frequency", *UNSTATED)
    assert outcome.code == 1
    assert (
        f"{V2}.tar.gz holds no image for the test split beneath a folder "
        f"{V2}-format-val." in outcome.err
    )


@pytest.mark.parametrize(
    ("config", "path", "message"),
    [
        (
            "imagenet_v2/matched-frequency",
            f"{V2}.tar.gz:{V2}-format-val/1000/a.jpeg",
            "holds 1000/a.jpeg in folder 1000, expected folders 0 to 999, the numbers "
            "of classes.",
        ),
        (
            "imagenet_r",
            "imagenet-r.tar:imagenet-r/n99999999/a.jpg",
            "which is none of the 1,000 classes",
        ),
    ],
)
def test_a_folder_of_no_class_is_told(
    config: str, path: str, message: str, tmp_path: Path
) -> None:
    archive, _, member = path.partition(":")
    (tmp_path / archive).write_bytes(tar([(member, image(1))]))
    outcome = build(tmp_path, config, *UNSTATED)
    assert outcome.code == 1
    assert message in outcome.err


def unstated(*splits: str, but: str = "") -> tuple[str, ...]:
    keys = [f"splits.{split}.{key}" for split in splits for key in NUMBERS]
    return ("--set", *(f"{key}=null" for key in keys if key != but))


def pack_food(directory: Path, listed: dict[str, list[str]]) -> Path:
    members = [(f"food-101/images/churros/{n}.jpg", image(n)) for n in range(3)]
    lists = [
        ("food-101/meta/train.json", json.dumps(listed).encode()),
        ("food-101/meta/test.json", b'{"churros": ["churros/2"]}'),
    ]
    path = directory / "food-101.tar.gz"
    path.write_bytes(gzip.compress(tar([*members, *lists])))
    return path


def test_a_list_in_an_archive_that_names_other_images_is_told(tmp_path: Path) -> None:
    path = pack_food(tmp_path, {"churros": ["churros/0", "churros/7"]})
    outcome = build(tmp_path, "food101", *unstated("train", "validation"))
    assert outcome.code == 1
    assert (
        f"{path} lacks 1 of the 2 images that food-101/meta/train.json in {path} "
        "names: churros/7." in outcome.err
    )


def test_a_list_in_an_archive_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = pack_food(tmp_path, {"churros": ["churros/0", "churros/1"]})
    outcome = build(tmp_path, "food101")
    assert outcome.code == 1
    assert (
        f"food-101/meta/train.json in {path} names 2 images, and "
        "splits.train.examples of the configuration states 75,750." in outcome.err
    )


def pack_places(directory: Path, lines: str) -> Path:
    roots = {"train_256_places365standard": "data_256/a/airfield", "test_256": ""}
    for name, folder in {**roots, "val_256": ""}.items():
        members = [(f"{folder or name}/{n}.jpg", image(n)) for n in (1, 2)]
        (directory / f"{name}.tar").write_bytes(tar(members))
    lists = [
        ("places365_train_standard.txt", lines.encode()),
        ("places365_val.txt", b"1.jpg 5\n2.jpg 6\n"),
    ]
    path = directory / "filelist_places365-standard.tar"
    path.write_bytes(tar(lists))
    return path


PLACES = ("train", "test", "validation")


def test_a_list_of_paths_with_too_few_lines_is_told(tmp_path: Path) -> None:
    lists = pack_places(tmp_path, "/a/airfield/1.jpg 0\n")
    stated = unstated(*PLACES, but="splits.train.members")
    outcome = build(tmp_path, "places365_small", *stated)
    assert outcome.code == 1
    assert (
        f"places365_train_standard.txt in {lists} tells the class of 1 images, and "
        "there should be 1,803,460." in outcome.err
    )
    outcome = build(tmp_path, "places365_small", *unstated(*PLACES))
    assert outcome.code == 1
    assert (
        "holds 1 images that have no label in places365_train_standard.txt in "
        f"{lists}: data_256/a/airfield/2.jpg." in outcome.err
    )


def test_what_several_configurations_share_is_none(tmp_path: Path) -> None:
    outcome = build(tmp_path, "imagenet_v2")
    assert outcome.code == 2
    assert outcome.err.endswith(
        "There are imagenet_v2/matched-frequency, imagenet_v2/threshold-0.7, "
        "imagenet_v2/topimages.\n"
    )


@pytest.mark.parametrize(
    ("split_bytes", "examples", "shards"),
    [
        (147_300_000_000, 1_281_167, 1024),  # train
        (6_700_000_000, 50_000, 64),  # validation
        (13_600_000_000, 100_000, 128),  # test
    ],
)
def test_all_of_imagenet_has_the_shards_of_its_size(
    split_bytes: int, examples: int, shards: int
) -> None:
    assert shard_count(split_bytes, examples) == shards


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        (
            "imagenet_sketch",
            "there is no {}/ImageNet-Sketch*. Get it from "
            "https://github.com/HaohanWang/ImageNet-Sketch, or say",
        ),
        (
            "imagenet2012",
            "nothing in {} has images called n*_*. Get it from "
            "https://image-net.org/download-images (you need to register), or say",
        ),
    ],
)
def test_where_archives_can_be_got_is_said(
    config: str, missing: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    places = ("--manual_dir", tmp_path / "empty", "--data_dir", tmp_path / "data")
    outcome = run("--config", config, *places)
    assert outcome.code == 1
    said = missing.format(tmp_path / "empty")
    assert f"split is missing: {said} with --manual_dir where it is." in outcome.err
