"""Disks that fill up, directories that lock, files that change under a build."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.suites.faults.builds import (
    FORMATS,
    MANY_SHARDS,
    Build,
    Ended,
    build,
    hashes,
    reports,
)

MARKS = ("dataset_info.json", "manifest.json")


def dataset_dir(data_dir: Path) -> Path:
    return data_dir / "imagenet2012_subset" / "demo" / "5.0.0"


def error_of(ended: Ended, data_dir: Path) -> str:
    """Returns the one message of a build that failed, and left nothing complete."""
    assert ended.code == 1
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert not [path for path in data_dir.rglob("*") if path.name in MARKS]
    assert not list(data_dir.rglob("*.unfinished"))
    return ended.err.rpartition("error: ")[2].strip()


def only_tfrecord(undisturbed: dict[str, str]) -> dict[str, str]:
    """Returns the shards of a build in all formats that are TFRecords."""
    return {
        name: digest for name, digest in undisturbed.items() if ".tfrecord-" in name
    }


def tfrecords(data_dir: Path) -> dict[str, str]:
    return only_tfrecord(hashes(data_dir))


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_full_disk_is_told_and_what_fits_is_kept(
    archives: Path,
    small_disk: Path,
    undisturbed: dict[str, str],
    format_name: str,
    tmp_path: Path,
) -> None:
    flags = ("--format", format_name, *MANY_SHARDS, "--index_dir", str(tmp_path / "i"))
    refused = error_of(build(archives, small_disk, *flags), small_disk)
    assert refused.startswith(f"{small_disk} has ")
    assert not reports(small_disk)
    flags += ("--ignore_free_space",)
    message = error_of(build(archives, small_disk, *flags), small_disk)
    assert message.startswith(f"Can't write {small_disk}/")
    assert message.endswith(
        "No space is left there. Free some, or choose another --data_dir."
    )
    assert reports(small_disk)
    # Where there is room, the same command goes on from there.
    larger = ["mount", "-o", "remount,size=200m", str(small_disk)]
    subprocess.run(larger, check=True)
    ended = build(archives, small_disk, *flags)
    assert ended.code == 0
    assert "continuing an earlier run" in ended.err
    built = {n: d for n, d in hashes(small_disk).items() if "-of-" in n or ".tar" in n}
    assert built
    assert built.items() <= undisturbed.items()


@pytest.fixture
def lock(as_root: None) -> Iterator[list[Path]]:
    """Directories that a test has locked, to be freed behind it."""
    locked: list[Path] = []
    yield locked
    for directory in locked:
        subprocess.run(["chattr", "-i", str(directory)], check=True)


def test_a_directory_that_becomes_read_only_is_told(
    archives: Path, tmp_path: Path, undisturbed: dict[str, str], lock: list[Path]
) -> None:
    running = Build(archives, tmp_path, *MANY_SHARDS)
    running.wait_for_a_shard()
    directory = dataset_dir(tmp_path)
    # Root may write anywhere, but not here.
    subprocess.run(["chattr", "+i", str(directory)], check=True)
    lock.append(directory)
    ended = running.end()
    assert ended.code == 1
    message = ended.err.rpartition("error: ")[2].strip()
    assert message.startswith(f"Can't write {directory}/")
    assert message.endswith("Check the permissions, or choose another directory.")
    assert not (directory / "dataset_info.json").exists()
    subprocess.run(["chattr", "-i", str(lock.pop())], check=True)
    assert build(archives, tmp_path, *MANY_SHARDS).code == 0
    assert tfrecords(tmp_path) == only_tfrecord(undisturbed)
    assert not list(tmp_path.rglob("*.unfinished"))


@pytest.fixture
def own_archives(archives: Path, tmp_path: Path) -> Path:
    """Archives that a test may spoil."""
    directory = tmp_path / "archives"
    shutil.copytree(archives, directory)
    return directory


def test_an_archive_that_is_cut_off_meanwhile_is_told(
    own_archives: Path, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    running = Build(own_archives, data_dir, *MANY_SHARDS)
    running.wait_for_a_shard()
    archive = own_archives / TRAIN_ARCHIVE
    os.truncate(archive, 1 << 20)
    message = error_of(running.end(), data_dir)
    assert message.startswith(str(archive))
    # A shard may be reading it, or about to open it.
    assert "is truncated or has changed" in message or (
        "has changed since the build began" in message
    )
    # The next run does not believe the saved index, nor shards of the old archive.
    again = error_of(build(own_archives, data_dir, *MANY_SHARDS), data_dir)
    assert "is damaged at byte" in again


@pytest.mark.parametrize("name", [TRAIN_ARCHIVE, VALIDATION_ARCHIVE])
def test_an_archive_that_is_replaced_meanwhile_is_told(
    archives: Path,
    own_archives: Path,
    tmp_path: Path,
    undisturbed: dict[str, str],
    name: str,
) -> None:
    data_dir = tmp_path / "data"
    archive = own_archives / name
    other = tmp_path / "other"
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    other.write_bytes(data)
    running = Build(own_archives, data_dir, *MANY_SHARDS)
    running.wait_for_a_shard()
    os.replace(other, archive)
    message = error_of(running.end(), data_dir)
    assert message.startswith(f"{archive} has changed since the build began")
    # With the right one again, all of it is built again: it is another file.
    shutil.copy(archives / name, archive)
    ended = build(own_archives, data_dir, *MANY_SHARDS)
    assert ended.code == 0, ended.err
    assert f"{name} was " in ended.err
    assert tfrecords(data_dir) == only_tfrecord(undisturbed)


def test_a_damaged_index_is_told_and_built_anew(
    archives: Path, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    assert build(archives, tmp_path, *MANY_SHARDS).code == 0
    (index,) = tmp_path.rglob(f"{TRAIN_ARCHIVE}-*.parquet")
    whole = index.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    index.write_bytes(damaged)
    ended = build(archives, tmp_path, *MANY_SHARDS, "--overwrite")
    assert ended.code == 0
    assert (
        f"Index {index} is not used, but made again: its checksum is wrong\n"
    ) in ended.err
    assert index.read_bytes() == whole
    assert tfrecords(tmp_path) == only_tfrecord(undisturbed)


@pytest.mark.parametrize("spoil", ["flip", "delete", "cut"])
def test_a_spoilt_shard_is_told_and_built_anew(
    archives: Path, tmp_path: Path, undisturbed: dict[str, str], spoil: str
) -> None:
    running = Build(archives, tmp_path, *MANY_SHARDS)
    running.wait_for(lambda: len(reports(tmp_path)) >= 3)
    running.kill()
    report = sorted(reports(tmp_path))[0]
    split, index = report.name.split("-")[:2]
    (shard,) = dataset_dir(tmp_path).glob(f"*-{split}.tfrecord-{index}-of-*")
    if spoil == "delete":
        shard.unlink()
    elif spoil == "cut":
        os.truncate(shard, shard.stat().st_size // 2)
    else:
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(data)
    ended = build(archives, tmp_path, *MANY_SHARDS)
    assert ended.code == 0
    what = "has disappeared" if spoil == "delete" else "is not as it was written"
    assert f"{shard} {what}: it is built again.\n" in ended.err
    assert tfrecords(tmp_path) == only_tfrecord(undisturbed)
