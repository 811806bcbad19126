"""Zips as archives: folders, names, images by range, and what is said of wrong ones."""

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.helpers.zips import Part, deflate, pack
from transforms import storage
from transforms.archives import Archive, Place, open_members
from transforms.archives.containers import Container, MemberBatch, Skipped
from transforms.archives.forms import FORMS, find_containers
from transforms.archives.index import encode_index, open_index, read_index, write_index
from transforms.archives.index_proof import HeaderDraw
from transforms.archives.recognition import recognise
from transforms.errors import ArchiveError

MakeArchive = Callable[[list[Part]], Archive]

TREE = "ILSVRC/Data/CLS-LOC"
PARTS = [
    Part(f"{TREE}/".encode(), b""),
    Part(f"{TREE}/train/n01/n01440764_1.JPEG".encode(), b"first " * 9, method=8),
    Part(f"{TREE}/val/ILSVRC2012_val_00000002.JPEG".encode(), b"second"),
    Part(f"{TREE}/train/n01/n01440764_3_n01440764.jpeg".encode(), b"third"),
    Part(f"{TREE}/train/n01/._n01440764_3.JPEG".encode(), b"left"),
    Part(b"LOC_val_solution.csv", b"other"),
    Part(b"../n01440764_9.JPEG", b"outside"),
    Part(f"{TREE}/test/ILSVRC2012_test_00000004.JPEG".encode(), b"fourth"),
]


@pytest.fixture
def make(tmp_path: Path) -> MakeArchive:
    """Returns a function that writes an archive, whatever its name says."""

    def make_archive(parts: list[Part]) -> Archive:
        path = tmp_path / "images.tar"
        path.write_bytes(pack(parts))
        return Archive("train", storage.file_info(str(path)), "zip")

    return make_archive


def refusal(archive: Archive) -> str:
    with pytest.raises(ArchiveError) as caught:
        FORMS["zip"].walk(archive, find_containers(archive))
    return str(caught.value)


def local_offset(number: int) -> int:
    return sum(len(part.local_record()) for part in PARTS[:number])


def row(number: int, name: str, class_name: str = "") -> dict[str, object]:
    part = PARTS[number]
    span, compressed = len(part.local_record()), len(part.body())
    crc, name_crc = zlib.crc32(part.content), zlib.crc32(part.name)
    return {
        "name": name,
        "class_name": class_name,
        "file": "",
        "offset": local_offset(number),
        "size": len(part.content),
        "detail": f"{part.method} {span} {compressed} {crc:08x} {name_crc:08x}",
    }


def test_containers_are_the_folders_that_images_lie_in(make: MakeArchive) -> None:
    archive = make(PARTS)
    size = archive.file.size
    assert find_containers(archive) == (Container("", 0, size, 0, 1),)
    tables = FORMS["zip"].walk(archive, find_containers(archive))
    assert [(t.container, t.skipped, t.members.to_pylist()) for t in tables] == [
        (
            Container("n01", 0, size, 0, 3, folder="ILSVRC/Data/CLS-LOC/train/n01"),
            Skipped(directories=1, leftovers=2, others=1),
            [
                row(1, "n01440764_1.JPEG"),
                row(3, "n01440764_3.JPEG", class_name="n01440764"),
            ],
        ),
        (
            Container("val", 0, size, 1, 3, folder="ILSVRC/Data/CLS-LOC/val"),
            Skipped(),
            [row(2, "ILSVRC2012_val_00000002.JPEG")],
        ),
        (
            Container("test", 0, size, 2, 3, folder="ILSVRC/Data/CLS-LOC/test"),
            Skipped(),
            [row(7, "ILSVRC2012_test_00000004.JPEG")],
        ),
    ]
    places = [
        Place(0, r["file"], r["offset"], r["size"], r["detail"])
        for table in tables
        for r in table.members.to_pylist()
    ]
    with open_members([archive]) as reader:
        assert list(reader.read_all(places)) == [
            *(b"first " * 9, b"third", b"second", b"fourth"),
        ]
        assert reader.read(places[1]) == b"third"


def test_images_are_announced_as_they_are_read(
    make: MakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make([Part(b"a.JPEG"), Part(b"b.JPEG", method=8)])
    (table,) = FORMS["zip"].walk(archive, find_containers(archive))
    rows = table.members.select(["file", "offset", "size", "detail"]).to_pylist()
    places = [Place(0, *each.values()) for each in rows]
    asked: list[tuple[str, int, int]] = []

    class Recorder:
        ahead = 16

        def prefetch(self, ranges: Sequence[tuple[int, int]]) -> None:
            asked.extend(("prefetch", *each) for each in ranges)

        def read(self, offset: int, size: int) -> bytes:
            asked.append(("read", offset, size))
            return Path(archive.file.uri).read_bytes()[offset : offset + size]

        def close(self) -> None:
            asked.append(("close", 0, 0))

    monkeypatch.setattr(storage, "open_reader", lambda file: Recorder())
    with open_members([archive]) as reader:
        assert list(reader.read_all(places)) == [b"bytes", b"bytes"]
    ranges = [(0, 41), (41, 36 + len(deflate(b"bytes")))]
    assert asked == [
        *(("prefetch", *each) for each in ranges),
        *(("read", *each) for each in ranges),
        ("close", 0, 0),
    ]


def test_a_zip_without_images_has_one_empty_container(make: MakeArchive) -> None:
    archive = make([Part(b"a.xml"), Part(b"b/", b"")])
    (table,) = FORMS["zip"].walk(archive, find_containers(archive))
    assert table.container == Container("", 0, archive.file.size, 0, 1)
    assert table.members.num_rows == 0
    assert table.skipped == Skipped(directories=1, others=1)


def test_a_zip_is_recognised_by_its_first_bytes(make: MakeArchive) -> None:
    found = recognise(make(PARTS).file.uri)
    assert found is not None
    assert (found.form, found.noun) == ("zip", "a zip")
    assert found.names == (
        *("n01440764_1.JPEG", "ILSVRC2012_val_00000002.JPEG", "n01440764_3.JPEG"),
        "ILSVRC2012_test_00000004.JPEG",
    )


def test_one_image_of_each_kind_is_sampled(make: MakeArchive) -> None:
    names = [
        *("n01/n01_1.JPEG", "n01/n01_2.JPEG", "a/x.png", "a/y.png", "n02/n02_1.xml"),
        *("ILSVRC2012_val_1.JPEG", "ILSVRC2012_val_2.JPEG", "ILSVRC2012_test_1.JPEG"),
    ]
    archive = make([Part(name.encode()) for name in names])
    assert FORMS["zip"].sample(archive) == [
        *("n01/n01_1.JPEG", "a/x.png", "ILSVRC2012_val_1.JPEG"),
        "ILSVRC2012_test_1.JPEG",
    ]


def test_a_refusal_names_the_file_the_member_and_the_remedy(make: MakeArchive) -> None:
    archive = make([Part(b"a\x1b.JPEG", entry=(("flags", 1),))])
    assert refusal(archive) == (
        f"{archive.file.uri}, a\\x1b.JPEG, can't be read at byte 42: it is encrypted. "
        "Unpack it with its password and pack it again without one."
    )
    archive = make([])
    Path(archive.file.uri).write_bytes(pack([Part(b"a")])[:-5])
    changed = Archive("train", storage.file_info(archive.file.uri), "zip")
    assert refusal(changed) == (
        f"{archive.file.uri} can't be read at byte 83: its end record is cut off. "
        "Compare its size and checksum with the published ones and get it again."
    )


def test_an_image_that_is_too_large(make: MakeArchive) -> None:
    size = (1 << 28) + 1
    bomb = Part(b"bomb.JPEG", method=8, data=bytes(300_000), entry=(("size", size),))
    archive = make([Part(b"a.JPEG"), bomb])
    assert refusal(archive) == (
        f"{archive.file.uri}: bomb.JPEG at byte 41 states 268,435,457 bytes. An image "
        "in a zip may have up to 268,435,456; take it out of the zip."
    )
    # What is no image may be of any size.
    assert FORMS["zip"].sample(make([Part(b"a.xml", **_but_name(bomb))])) == []


def _but_name(part: Part) -> dict:
    return {"method": part.method, "data": part.data, "entry": part.entry}


def test_an_image_that_is_damaged(make: MakeArchive) -> None:
    archive = make([Part(b"a.JPEG", method=8, data=deflate(b"other"))])
    (table,) = FORMS["zip"].walk(archive, find_containers(archive))
    (place,) = [
        Place(0, *r.values())
        for r in table.members.select(["file", "offset", "size", "detail"]).to_pylist()
    ]
    with open_members([archive]) as reader, pytest.raises(ArchiveError) as caught:
        reader.read(place)
    assert str(caught.value) == (
        f"{archive.file.uri}, a.JPEG, can't be read at byte 0: the CRC-32 of its bytes "
        f"is {zlib.crc32(b'other'):08x}, and should be {zlib.crc32(b'bytes'):08x}. "
        "Compare its size and checksum with the published ones and get it again."
    )


def test_the_headers_that_a_zip_is_known_by(make: MakeArchive) -> None:
    parts = [Part(b"%d.JPEG" % number, bytes(500)) for number in range(4)]
    archive = make(parts)
    draw = HeaderDraw(archive.file.size)
    for table in FORMS["zip"].walk(archive, find_containers(archive)):
        draw.add(table)
    assert draw.places() == [0, 536, 1072, 1608]
    # A file shorter than a block is known by all of it.
    draw = HeaderDraw(100)
    draw.add(table)
    assert draw.places() == [0]


def test_a_saved_index_knows_its_zip_again(make: MakeArchive, tmp_path: Path) -> None:
    archive = make(PARTS)
    path = str(tmp_path / "index" / "zip.parquet")
    tables = FORMS["zip"].walk(archive, find_containers(archive))
    write_index(path, archive, tables)
    assert open_index(path, archive) == tuple(table.container for table in tables)
    assert read_index(path, archive, range(3)) == MemberBatch.of(archive, tables)
    assert encode_index(archive, tables, prove=True) == Path(path).read_bytes()
    # Of the same length and time, with one other byte in a name.
    data = Path(archive.file.uri).read_bytes()
    Path(archive.file.uri).write_bytes(data.replace(b"n01440764_1", b"n01440764_2"))
    modified = int(archive.file.generation)
    os.utime(archive.file.uri, ns=(modified, modified))
    assert open_index(path, archive) is None
