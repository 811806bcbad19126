"""File systems that lack operations, paths that are not text, closed directories."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline import verify
from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.helpers.archives import (
    SIZES_DECIDE,
    Outcome,
    build,
    dataset_dir,
    few_archives,
    run,
)
from transforms import storage
from transforms.errors import StorageError
from transforms.storage.claims import exclusive, sweep

LACKING = pytest.mark.parametrize(
    "number", [errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK]
)
NOT_TEXT = os.fsdecode(b"im\xff\xfeages")
SHOWN = r"im\udcff\udcfeages"


def refusing(number: int) -> Callable[..., Any]:
    def refuse(*_: object) -> Any:
        raise OSError(number, os.strerror(number))

    return refuse


# --- Operations that a file system does not offer -------------------------------------


@LACKING
def test_a_file_is_written_where_nothing_can_be_synced_or_locked(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", refusing(number))
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    monkeypatch.setattr(os, "posix_fadvise", refusing(number))
    set_flags = fcntl.fcntl

    def refuse_direct(descriptor: int, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags & os.O_DIRECT:
            raise OSError(number, os.strerror(number))
        return set_flags(descriptor, command, flags)

    monkeypatch.setattr(fcntl, "fcntl", refuse_direct)
    data = bytes(range(256)) * 40_000
    with exclusive(str(tmp_path)):
        storage.publish_bytes(str(tmp_path / "file"), data)
        with storage.publish_staged(str(tmp_path / "staged")) as (path, _):
            Path(path).write_bytes(data)
    assert sorted(os.listdir(tmp_path)) == ["file", "staged"]
    for name in ("file", "staged"):
        reader = storage.open_reader(storage.file_info(str(tmp_path / name)))
        assert reader.read_many([(0, len(data) - 1), (5, 3)]) == [data[:-1], data[5:8]]
        reader.close()


@pytest.mark.parametrize("lacking", ["fsync", "flock"])
def test_an_operation_that_fails_ends_the_write(
    lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os if lacking == "fsync" else fcntl, lacking, refusing(errno.EIO)
    )
    with pytest.raises(StorageError) as caught:
        storage.publish_bytes(str(tmp_path / "file"), b"x")
    assert str(caught.value) == (
        f"Can't write {tmp_path / 'file'}. The system says: Input/output error."
    )
    assert os.listdir(tmp_path) == []


def test_a_directory_that_can_not_be_synced_fails_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def fail_for_directories(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_directories)
    with pytest.raises(StorageError, match=r"Input/output error"):
        storage.publish_bytes(str(tmp_path / "file"), b"x")


def test_a_lock_that_fails_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(errno.EIO))
    with pytest.raises(StorageError) as caught, exclusive(str(tmp_path)):
        pass
    assert str(caught.value) == (
        f"Can't lock {tmp_path}. The system says: Input/output error."
    )


@LACKING
def test_without_locks_nobody_sweeps_what_another_may_be_writing(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ".file.0a1b2c3d.unfinished"
    (tmp_path / name).touch()
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refusing(number))
        sweep(str(tmp_path))
        assert os.listdir(tmp_path) == [name]
        sweep(str(tmp_path), ours=True)
        assert os.listdir(tmp_path) == []
    (tmp_path / name).touch()
    sweep(str(tmp_path))
    assert os.listdir(tmp_path) == []


@LACKING
def test_a_file_system_that_can_not_rename_is_told(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", refusing(number))
    with pytest.raises(StorageError) as caught:
        storage.publish_bytes(str(tmp_path / "file"), b"x")
    assert str(caught.value) == (
        f"Can't write {tmp_path / 'file'}. The file system there can't rename a file, "
        "so that none could appear whole. Choose another directory. If it is a mounted "
        "bucket, name the bucket itself (gs://, s3://)."
    )
    assert os.listdir(tmp_path) == []


# --- Paths that are not UTF-8 ---------------------------------------------------------


def refused(path: str) -> str:
    return (
        f"error: The path {path} is not UTF-8. Rename it, or make a link to it with "
        "another name and use that.\n"
    )


@pytest.mark.parametrize("flag", ["--manual_dir", "--data_dir", "--index_dir"])
def test_a_directory_whose_name_is_not_text_is_refused(
    flag: str, tmp_path: Path
) -> None:
    few_archives(tmp_path / NOT_TEXT)
    places = {
        "--manual_dir": few_archives(tmp_path / "manual"),
        "--data_dir": tmp_path / "data",
        flag: tmp_path / NOT_TEXT,
    }
    flags = [part for place in places.items() for part in place]
    assert run("--config", "demo", *flags) == Outcome(
        1, "", refused(f"{tmp_path}/{SHOWN}")
    )
    assert not (tmp_path / "data").exists()


def test_a_dataset_whose_path_is_not_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(tmp_path / NOT_TEXT)]) == 1
    assert capsys.readouterr() == ("", refused(f"{tmp_path}/{SHOWN}"))


def test_a_stranger_whose_name_is_not_text_is_named_and_replaced(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manual_dir, data_dir = few_archives(tmp_path / "manual"), tmp_path / "data"
    assert build(manual_dir, data_dir, *SIZES_DECIDE).code == 0
    directory = dataset_dir(data_dir)
    whole = sorted(os.listdir(directory))
    (directory / f"imagenet2012_subset-train.tfrecord-{NOT_TEXT}").write_bytes(b"x")
    capfd.readouterr()
    assert verify.main([str(directory)]) == 1
    said = f"imagenet2012_subset-train.tfrecord-{SHOWN} (file): No document lists it"
    assert said in capfd.readouterr().out
    assert build(manual_dir, data_dir, *SIZES_DECIDE, "--overwrite").code == 0
    assert sorted(os.listdir(directory)) == whole


# --- Directories that may not be looked into ------------------------------------------


def test_archives_in_a_closed_directory_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual_dir = few_archives(tmp_path / "manual")
    archive = manual_dir / TRAIN_ARCHIVE
    stat = Path.stat

    def refuse_within(path: Path, **flags: bool) -> os.stat_result:
        if path.parent == manual_dir:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, **flags)

    monkeypatch.setattr(Path, "stat", refuse_within)
    assert build(manual_dir, tmp_path / "data") == Outcome(
        1,
        "",
        f"error: Can't find {archive}. Check the permissions, or choose another "
        "directory.\n",
    )


# --- Archives in several directories --------------------------------------------------


def test_archives_may_lie_anywhere(tmp_path: Path) -> None:
    manual_dir = few_archives(tmp_path / "manual")
    assert build(manual_dir, tmp_path / "expected", *SIZES_DECIDE).code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (manual_dir / VALIDATION_ARCHIVE).rename(elsewhere / VALIDATION_ARCHIVE)
    (manual_dir / "train").mkdir()
    (manual_dir / TRAIN_ARCHIVE).rename(manual_dir / "train" / TRAIN_ARCHIVE)
    outcome = build(
        *(manual_dir, tmp_path / "data", *SIZES_DECIDE),
        "splits.train.archives=[train/*_train.tar]",
        f"splits.validation.archives=['file://{elsewhere}/{VALIDATION_ARCHIVE}']",
    )
    assert outcome.code == 0, outcome.err
    names = sorted(os.listdir(dataset_dir(tmp_path / "expected")))
    assert sorted(os.listdir(dataset_dir(tmp_path / "data"))) == names
    for name in names:
        expected = (dataset_dir(tmp_path / "expected") / name).read_bytes()
        assert (dataset_dir(tmp_path / "data") / name).read_bytes() == expected, name
    absolute = f"splits.validation.archives=[{elsewhere / VALIDATION_ARCHIVE}]"
    flags = (*SIZES_DECIDE, f"splits.train.archives=[train/{TRAIN_ARCHIVE}]", absolute)
    assert build(manual_dir, tmp_path / "again", *flags).code == 0
    shard = f"imagenet2012_subset-validation.tfrecord-{0:05}-of-{1:05}"
    assert (dataset_dir(tmp_path / "again") / shard).read_bytes() == (
        dataset_dir(tmp_path / "expected") / shard
    ).read_bytes()


def test_archives_of_this_machine_are_refused_for_workers_on_others(
    tmp_path: Path,
) -> None:
    few_archives(tmp_path)
    path = tmp_path / VALIDATION_ARCHIVE
    outcome = run(
        *("--config", "demo", "--engine", "dataflow", "--project=p", "--region=r"),
        *("--temp_location=gs://b/tmp", "--manual_dir=gs://b/m", "--data_dir=gs://b/d"),
        *("--set", f"splits.validation.archives=[{path}]"),
    )
    assert outcome == Outcome(
        2,
        "",
        f"error: --set splits.validation.archives={path}: {path} is on this machine, "
        "and Dataflow's workers run on others. Give a directory in a bucket, "
        "gs://BUCKET/...\n",
    )


@pytest.mark.parametrize("name", ["x.tar", "/none/y.tar", "*.zip"])
def test_a_named_archive_that_is_missing_is_told(name: str, tmp_path: Path) -> None:
    manual_dir = few_archives(tmp_path / "manual")
    archives = f"splits.train.archives=[{TRAIN_ARCHIVE}, '{name}']"
    outcome = build(manual_dir, tmp_path / "data", "--set", archives)
    assert outcome.code == 1
    path = name if name.startswith("/") else manual_dir / name
    assert outcome.err == (
        f"error: The archive of the train split is missing: there is no {path}. Say "
        "with --manual_dir where it is.\n"
    )
