"""What people get wrong with the siblings of ImageNet, and the shards of all of it."""

from pathlib import Path

import pytest

from tests.helpers.archives import Outcome, image, run, tar
from transforms.planning.counts import shard_count

UNSTATED = ("--set", "splits.test.members=null", "splits.test.examples=null")
V2 = "imagenetv2-matched-frequency"


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
