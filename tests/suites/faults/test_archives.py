"""Archives that lost bytes, got others, or are not the ones that were indexed."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.suites.faults.builds import MANY_SHARDS, build, hashes
from tests.suites.faults.test_disks import error_of


@pytest.fixture
def own_archives(archives: Path, tmp_path: Path) -> Path:
    return shutil.copytree(archives, tmp_path / "archives")


def headers(archive: Path) -> list[int]:
    """Returns where the headers of an archive's members lie."""
    with tarfile.open(archive) as tar:
        return [member.offset for member in tar]


@pytest.mark.parametrize("name", [TRAIN_ARCHIVE, VALIDATION_ARCHIVE])
def test_a_hole_over_headers_is_told(
    name: str, own_archives: Path, tmp_path: Path
) -> None:
    archive = own_archives / name
    places = headers(archive)
    start = places[len(places) // 2] - 100
    with archive.open("r+b") as file:
        file.seek(start)
        file.write(bytes(4096))
    ended = build(own_archives, tmp_path / "data", *MANY_SHARDS)
    message = error_of(ended, tmp_path / "data")
    assert message.startswith(f"{archive} is damaged at byte ")
    assert "It looks like a hole: these bytes were lost" in message
    assert not list((tmp_path / "data").rglob("*.tfrecord-*"))


def test_an_archive_with_another_one_appended_is_told(
    archives: Path, own_archives: Path, tmp_path: Path
) -> None:
    archive = own_archives / VALIDATION_ARCHIVE
    size = archive.stat().st_size
    with archive.open("ab") as file:
        file.write((archives / VALIDATION_ARCHIVE).read_bytes())
    ended = build(own_archives, tmp_path / "data", *MANY_SHARDS)
    message = error_of(ended, tmp_path / "data")
    assert message.startswith(f"{archive} is damaged at byte {size:,} after ")
    assert ": a second tar begins after its end, with " in message


@pytest.mark.parametrize("name", [TRAIN_ARCHIVE, VALIDATION_ARCHIVE])
def test_a_stopped_download_of_the_full_length_is_told_whatever_else_is(
    name: str, own_archives: Path, tmp_path: Path
) -> None:
    archive = own_archives / name
    size = archive.stat().st_size
    os.truncate(archive, size * 2 // 3)
    os.truncate(archive, size)
    for _ in range(2):  # from headers, and from the saved index
        ended = build(own_archives, tmp_path / "data", "--quiet", "--overwrite")
        assert (
            f"{archive}: more zero bytes at its end than padding takes: " in ended.err
        )


def test_an_archive_replaced_by_one_of_its_length_and_time_is_read_anew(
    own_archives: Path, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    data_dir = tmp_path / "data"
    assert build(own_archives, data_dir, *MANY_SHARDS).code == 0
    archive = own_archives / TRAIN_ARCHIVE
    before = archive.stat()
    archive.write_bytes(turned_around(archive.read_bytes()))
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert archive.stat().st_size == before.st_size
    ended = build(own_archives, data_dir, *MANY_SHARDS, "--overwrite")
    assert ended.code == 0, ended.err
    assert (
        "is not used, but made again: the archive is another one of the same length "
        "and time, by its headers\n"
    ) in ended.err
    found = {k: v for k, v in hashes(data_dir).items() if ".tfrecord-" in k}
    assert found
    assert found.items() <= undisturbed.items()


def turned_around(data: bytes) -> bytes:
    """Returns a tar, and the tars in it, with the last member first."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as source,
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as target,
    ):
        for member in reversed(source.getmembers()):
            file = source.extractfile(member)
            content = file.read() if file else b""
            if member.name.endswith(".tar"):
                content = turned_around(content)
            target.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
