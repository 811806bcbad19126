"""Tars in gzip files give what the same tars give as they are."""

import gzip
import io
import random
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.archives import nested_tar, tar
from transforms import storage
from transforms.archives.containers import Archive, MemberTable, Place
from transforms.archives.forms import FORMS
from transforms.archives.gzip import saved
from transforms.archives.gzip.form import is_gzip, open_gzip, sample_gzip
from transforms.archives.gzip.reader import GzipReader
from transforms.errors import ArchiveError

RANDOM = random.Random(4)


def photos(count: int, name: str) -> list[tuple[str, bytes]]:
    return [
        (name.format(number), RANDOM.randbytes(RANDOM.randrange(60_000)))
        for number in range(count)
    ]


FLAT = tar(photos(30, "ILSVRC2012_val_{:08d}.JPEG"))
CLASSES = ("n01440764", "n01443537", "n01484850")
NESTED = nested_tar({name: photos(9, name + "_{}.JPEG") for name in CLASSES})
TREE = tar(
    [
        each
        for name in CLASSES
        for each in photos(5, f"ILSVRC/Data/CLS-LOC/train/{name}/{name}_{{}}.JPEG")
    ]
)
LONG = tar(photos(5, "a/" * 90 + "n01440764/n01440764_{}.JPEG"))
TARS = {"flat": FLAT, "nested": NESTED, "tree": TREE, "long": LONG, "empty": tar([])}


def write(
    tmp_path: Path, data: bytes, form: str = "tar.gz", with_points: bool = True
) -> Archive:
    path = tmp_path / f"images.{form}"
    path.write_bytes(data)
    file = storage.file_info(str(path))
    archive = Archive("train", file, form, index_dir=str(tmp_path / "index"))
    if not with_points:
        return archive
    # For smaller pieces than it would make itself, if it can be read.
    with suppress(ArchiveError), closing(storage.open_reader(file)) as reader:
        points = saved.make_points(file, reader, 64 << 10)
        saved.save_points(saved.points_path(archive), file, points)
    return archive


def tables_of(archive: Archive) -> list[MemberTable]:
    form = FORMS[archive.form]
    return form.walk(archive, form.find(archive))


def rows_of(tables: Sequence[MemberTable]) -> list[dict[str, object]]:
    return [row for table in tables for row in table.members.to_pylist()]


def places_of(tables: Sequence[MemberTable]) -> list[Place]:
    return [
        Place(0, row["file"], row["offset"], row["size"], row["detail"])
        for table in tables
        for row in table.members.to_pylist()
    ]


@pytest.mark.parametrize("kind", TARS)
def test_the_members_of_the_tar_itself(tmp_path: Path, kind: str) -> None:
    data = TARS[kind]
    plain = tables_of(write(tmp_path, data, "tar"))
    packed = tables_of(write(tmp_path, gzip.compress(data, 1)))
    assert rows_of(packed) == rows_of(plain)
    assert [(t.container, t.skipped, t.end) for t in packed] == [
        (t.container, t.skipped, t.end) for t in plain
    ]


@pytest.mark.parametrize("kind", ["flat", "nested"])
def test_the_bytes_of_members(tmp_path: Path, kind: str) -> None:
    archive = write(tmp_path, gzip.compress(TARS[kind], 6))
    places = places_of(tables_of(archive))
    assert len(places) in (27, 30)
    RANDOM.shuffle(places)
    source = open_gzip(archive)
    source.prefetch(places[: source.ahead])
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(source.read, places))
    source.close()
    assert found == [
        TARS[kind][place.offset : place.offset + place.size] for place in places
    ]


def test_the_bytes_of_a_v7_tar_without_marks(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        info = tarfile.TarInfo("n01440764_1.JPEG")
        info.size = 5
        file.addfile(info, io.BytesIO(b"photo"))
    data = bytearray(buffer.getvalue())
    data[257:265] = bytes(8)
    header = data[:148] + b" " * 8 + data[156:512]
    data[148:156] = b"%06o\0 " % sum(header)
    archive = write(tmp_path, gzip.compress(bytes(data)))
    (place,) = places_of(tables_of(archive))
    source = open_gzip(archive)
    assert source.read(place) == b"photo"
    source.close()


def test_listing_needs_the_data_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(tmp_path, gzip.compress(NESTED, 1))
    saved.open_points(archive)
    opened = []
    monkeypatch.setattr(
        "transforms.archives.gzip.form.GzipReader",
        lambda *args: opened.append(GzipReader(*args)) or opened[-1],
    )
    assert len(rows_of(tables_of(archive))) == 27
    # What follows the last member of each tar is read, and headers are not.
    assert sum(reader.inflated for reader in opened) <= len(NESTED)


def test_what_it_begins_with_is_shown(tmp_path: Path) -> None:
    assert sample_gzip(write(tmp_path, gzip.compress(FLAT), with_points=False)) == [
        f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(8)
    ]
    assert sample_gzip(write(tmp_path, gzip.compress(NESTED), with_points=False)) == [
        f"n01440764_{number}.JPEG" for number in range(8)
    ]
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("data", [b"", b"a list\n" * 900, tar([])])
def test_a_gzip_file_of_no_images(tmp_path: Path, data: bytes) -> None:
    assert sample_gzip(write(tmp_path, gzip.compress(data))) == []


def test_a_gzip_file_is_known_by_its_mark() -> None:
    assert is_gzip(gzip.compress(b"")[:512])
    assert not is_gzip(FLAT[:512])
    assert not is_gzip(b"")


def test_a_gzip_file_of_no_tar(tmp_path: Path) -> None:
    archive = write(tmp_path, gzip.compress(b"a list\n" * 900))
    with pytest.raises(ArchiveError) as caught:
        tables_of(archive)
    assert "is damaged at byte 0: the header's checksum is wrong" in str(caught.value)


def test_a_tar_that_is_damaged_within(tmp_path: Path) -> None:
    data = bytearray(FLAT)
    data[0] ^= 1
    archive = write(tmp_path, gzip.compress(bytes(data)))
    with pytest.raises(ArchiveError, match="the header's checksum is wrong"):
        tables_of(archive)


def test_members_of_an_archive_without_points(tmp_path: Path) -> None:
    archive = write(tmp_path, gzip.compress(FLAT, 1))
    (first, *_) = places_of(tables_of(archive))
    elsewhere = replace(archive, index_dir=str(tmp_path / "elsewhere"))
    source = open_gzip(elsewhere)
    assert source.read(first) == FLAT[first.offset : first.offset + first.size]
    source.close()
    assert storage.exists(saved.points_path(elsewhere))


def test_annotations_before_the_images_are_passed_over(tmp_path: Path) -> None:
    notes = [(f"ILSVRC/Annotations/n01440764_{i}.xml", bytes(9000)) for i in range(300)]
    images = [("ILSVRC/Data/", b""), ("ILSVRC/Data/n01440764_18.JPEG", b"1")]
    archive = write(tmp_path, gzip.compress(tar(notes + images)))
    assert sample_gzip(archive) == ["ILSVRC/Data/n01440764_18.JPEG"]
