"""Free space: what a build needs, and what happens where there is less."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tests.helpers.archives import SIZES_DECIDE, build, dataset_dir, few_archives
from transforms import storage
from transforms.errors import StorageError
from transforms.formats import Places, Schema
from transforms.images import ImagePolicy
from transforms.planning import ShardSpec
from transforms.planning.spec import SHARD_SCHEMA
from transforms.shards import ShardOutput
from transforms.shards.space import planned_bytes, require_space


@pytest.fixture
def output(tmp_path: Path) -> ShardOutput:
    return ShardOutput(
        Places(str(tmp_path), "ds", "demo", "1.0.0"),
        ("tfrecord", "parquet"),
        Schema(("a",)),
        {"train": ImagePolicy()},
    )


def test_images_are_planned_once_for_each_format(output: ShardOutput) -> None:
    sizes = pa.array([300, 30], pa.int64())
    empty = SHARD_SCHEMA.empty_table()
    columns = {
        field.name: sizes if field.name == "size" else pa.nulls(2, field.type)
        for field in empty.schema
    }
    members = pa.table(columns)
    spec = ShardSpec("train", 0, 1, (), members)
    assert planned_bytes(spec, output) == 660
    resized = {"train": ImagePolicy(policy="resize", longest_side=8)}
    assert planned_bytes(spec, replace(output, images=resized)) == 0


@pytest.mark.parametrize(
    ("free", "written", "needed"),
    [
        (1119, 0, 1120),
        (1120, 0, None),
        (669, 500, None),
        (619, 500, None),
        (618, 500, None),
        (609, 500, 610),
        (0, 1000, None),
        (None, 0, None),
    ],
)
def test_a_disk_has_room_for_what_is_not_written_yet(
    output: ShardOutput,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: int | None,
    written: int,
    needed: int | None,
) -> None:
    directory = tmp_path / "ds" / "demo" / "1.0.0"
    directory.mkdir(parents=True)
    (directory / "ds-train.tfrecord-00000-of-00001").write_bytes(bytes(written))
    (directory / "card.html").write_bytes(bytes(7777))
    monkeypatch.setattr(storage, "free_bytes", lambda _: free)
    if needed is None:
        require_space(1000, output, share=0.02, most=100)
        return
    with pytest.raises(StorageError) as caught:
        require_space(1000, output, share=0.02, most=100)
    assert str(caught.value) == (
        f"{tmp_path} has {free:,} bytes free, and the build needs about {needed:,}. "
        "Make room, name another --data_dir, or build in spite of it with "
        "--ignore_free_space."
    )


def test_free_space_is_that_of_the_nearest_directory(tmp_path: Path) -> None:
    there = storage.free_bytes(str(tmp_path))
    beneath = storage.free_bytes(str(tmp_path / "not" / "there"))
    assert there is not None
    assert beneath is not None
    assert abs(there - beneath) < 1 << 30
    assert storage.free_bytes("gs://bucket/there") is None


def test_a_build_asks_for_room_before_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = few_archives(tmp_path / "archives")
    monkeypatch.setattr(storage, "free_bytes", lambda _: 10)
    outcome = build(archives, tmp_path / "data", *SIZES_DECIDE)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"error: {tmp_path / 'data'} has 10 bytes free, and " in outcome.err
    assert not list(dataset_dir(tmp_path / "data").glob("*.tfrecord-*"))
    assert (
        build(archives, tmp_path / "data", "--ignore_free_space", *SIZES_DECIDE).code
        == 0
    )
