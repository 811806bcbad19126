"""Where the images lie in tars, and what is said of wrong ones."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from shlex import quote

import pytest

from tests.archives.tar.test_walk import FIRST, pack
from tests.helpers.archives import tar
from transforms import storage
from transforms.archives import recognise
from transforms.archives.containers import (
    Archive,
    Container,
    ContainerBatch,
    MemberTable,
    Skipped,
    batch_containers,
)
from transforms.archives.forms import find_containers, walk_containers
from transforms.archives.tar.end import TarEnd
from transforms.archives.tar.form import refuse_compressed
from transforms.errors import ArchiveError, StorageError

MakeArchive = Callable[[bytes], Archive]


@pytest.fixture
def make(tmp_path: Path) -> MakeArchive:
    """Returns a function that writes an archive."""

    def make_archive(data: bytes) -> Archive:
        path = tmp_path / "images.tar"
        path.write_bytes(data)
        return Archive("train", storage.file_info(str(path)), "tar")

    return make_archive


def list_members(archive: Archive) -> list[MemberTable]:
    containers = find_containers(archive)
    return [
        table
        for batch in batch_containers(archive, containers, None)
        for table in walk_containers(batch)
    ]


def places(table: MemberTable) -> list[dict]:
    """Returns the members without what only other forms have."""
    rows = table.members.to_pylist()
    for row in rows:
        assert (row.pop("class_name"), row.pop("file"), row.pop("detail")) == ("",) * 3
    return rows


def refusal(archive: Archive) -> str:
    with pytest.raises(ArchiveError) as caught:
        list_members(archive)
    return str(caught.value)


# --- What is found --------------------------------------------------------------------


def test_every_image_of_a_nested_archive_is_found_in_place(make: MakeArchive) -> None:
    images = {
        "n02": [("n02_1.JPEG", b"a" * 700), ("n02_2.JPEG", b"b")],
        "n01": [("n01_9.JPEG", b"c" * 512), ("n01_3.JPEG", b"")],
        "n03": [],
    }
    data = tar((f"{wnid}.tar", tar(members)) for wnid, members in images.items())
    archive = make(data)
    containers = find_containers(archive)
    assert containers == (
        Container("n02", 512, 10240, 0, 3),
        Container("n01", 11264, 10240, 1, 3),
        Container("n03", 22016, 10240, 2, 3),
    )
    tables = walk_containers(ContainerBatch(archive, 0, containers))
    assert [table.container for table in tables] == list(containers)
    for table, members in zip(tables, images.values(), strict=True):
        assert table.archive == archive
        assert table.skipped == Skipped()
        assert [
            (row["name"], data[row["offset"] : row["offset"] + row["size"]])
            for row in table.members.to_pylist()
        ] == members


def test_a_flat_archive_is_its_own_container(make: MakeArchive) -> None:
    members = [("ILSVRC2012_val_00000002.JPEG", b"22"), ("c.JPEG", b"3")]
    data = tar(members)
    archive = make(data)
    (table,) = list_members(archive)
    assert table.container == Container("", 0, len(data), 0, 1)
    assert places(table) == [
        {"name": "ILSVRC2012_val_00000002.JPEG", "offset": 512, "size": 2},
        {"name": "c.JPEG", "offset": 1536, "size": 1},
    ]


def test_the_folders_of_a_tree_are_its_containers(make: MakeArchive) -> None:
    members = [
        ("ILSVRC/Data/CLS-LOC/train/n02/n02_1.JPEG", b"1"),
        ("ILSVRC/Data/CLS-LOC/train/n01/n01_1.jpg", b"22"),
        ("ILSVRC/Annotations/n01/n01_1.xml", b"<a/>"),
        ("ILSVRC/Data/CLS-LOC/train/n02/n02_7.JPEG", b"333"),
        ("ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG", b"4"),
    ]
    data = tar(members)
    tables = list_members(make(data))
    assert [table.container for table in tables] == [
        Container("n02", 0, len(data), 0, 3, folder="ILSVRC/Data/CLS-LOC/train/n02"),
        Container("n01", 0, len(data), 1, 3, folder="ILSVRC/Data/CLS-LOC/train/n01"),
        Container("val", 0, len(data), 2, 3, folder="ILSVRC/Data/CLS-LOC/val"),
    ]
    assert [places(table) for table in tables] == [
        [
            {"name": "n02_1.JPEG", "offset": 512, "size": 1},
            {"name": "n02_7.JPEG", "offset": 3584, "size": 3},
        ],
        [{"name": "n01_1.jpg", "offset": 1536, "size": 2}],
        [{"name": "ILSVRC2012_val_00000001.JPEG", "offset": 4608, "size": 1}],
    ]
    assert [table.skipped for table in tables] == [
        Skipped(others=1),
        Skipped(),
        Skipped(),
    ]


def test_an_empty_flat_archive_has_no_images(make: MakeArchive) -> None:
    (table,) = list_members(make(tar([])))
    assert table.members.num_rows == 0


@pytest.mark.parametrize("prefix", ["", "./", "train/", "./train/"])
def test_prefixes_of_archives_packed_anew_are_cut_off(
    prefix: str, make: MakeArchive
) -> None:
    inner = pack(
        [
            (f"{prefix}n01/", None),
            (f"{prefix}n01/n01_1.JPEG", b"1"),
            (f"{prefix}n01_2.JPEG", b"2"),
        ]
    )
    outer: list[tuple[str, bytes | None]] = [(f"{prefix}n01.tar", inner)]
    if prefix:
        outer.insert(0, (prefix, None))
    (table,) = list_members(make(pack(outer)))
    assert table.container.name == "n01"
    assert table.members["name"].to_pylist() == ["n01_1.JPEG", "n01_2.JPEG"]
    assert table.skipped == Skipped(directories=1)


def test_what_is_no_image_is_skipped_and_counted(
    make: MakeArchive, tmp_path: Path
) -> None:
    path = tmp_path / "odd.tar"
    kinds = [
        ("d", tarfile.DIRTYPE),
        ("d/symlink.JPEG~", tarfile.SYMTYPE),
        ("._hardlink.JPEG", tarfile.LNKTYPE),
        ("pipe", tarfile.FIFOTYPE),
        ("a.JPEG", tarfile.REGTYPE),
        ("._a.JPEG", tarfile.REGTYPE),  # AppleDouble
        (".DS_Store", tarfile.REGTYPE),
        ("a.JPEG~", tarfile.REGTYPE),
        ("__MACOSX/a.JPEG", tarfile.REGTYPE),
    ]
    with tarfile.open(path, "w") as odd:
        for name, kind in kinds:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "nothing.JPEG"
            odd.addfile(info)
    (table,) = list_members(make(path.read_bytes()))
    assert table.members["name"].to_pylist() == ["a.JPEG"]
    assert table.skipped == Skipped(directories=1, links=1, leftovers=6)


def test_what_is_no_tar_in_a_nested_archive_is_passed_over(make: MakeArchive) -> None:
    inner = tar([("n01_1.JPEG", b"1")])
    outer = tar([("README", b"x"), ("._n01.tar", b"junk"), ("n01.tar", inner)])
    containers = find_containers(make(outer))
    assert [(c.name, c.position, c.total) for c in containers] == [("n01", 0, 1)]


def test_containers_are_batched_in_order(make: MakeArchive) -> None:
    archive = make(tar([]))
    containers = tuple(Container(f"n{i}", 512 * i, 512, i, 1000) for i in range(1000))
    batches = batch_containers(archive, containers, "saved")
    assert len(batches) > 8  # enough for every core of most machines
    taken = 0
    for batch in batches:
        assert (batch.archive, batch.index, batch.first) == (archive, "saved", taken)
        taken += len(batch.containers)
    assert sum((batch.containers for batch in batches), ()) == containers


# --- What is refused ------------------------------------------------------------------


def test_images_beside_class_tars_are_refused(make: MakeArchive) -> None:
    inner = tar([("n01_1.JPEG", b"1")])
    images = [(f"d/{i}.jpg", b"") for i in range(5)]
    archive = make(tar([("README", b""), ("n01.tar", inner), *images]))
    assert refusal(archive) == (
        f"{archive.file.uri} holds tars and, beside them, 5 images: d/0.jpg, d/1.jpg, "
        "d/2.jpg and 2 more. Images are taken from class tars or from folders, not "
        "from both; take one kind out."
    )


@pytest.mark.parametrize(
    ("name", "unpack", "compress"),
    [
        ("bzip2", "bzip2 -dc", bz2.compress),
        ("xz", "xz -dc", lzma.compress),
        ("zstd", "zstd -dc", lambda data: b"\x28\xb5\x2f\xfd" + data),
    ],
    ids=["bzip2", "xz", "zstd"],
)
def test_compressed_archive_is_refused(
    name: str, unpack: str, compress: Callable[[bytes], bytes], make: MakeArchive
) -> None:
    archive = make(compress(tar([("n01.tar", tar([]))])))
    with pytest.raises(ArchiveError) as caught:
        recognise(archive.file.uri)
    assert str(caught.value) == (
        f"{archive.file.uri} is compressed with {name}, of which no part can be read "
        f"by itself. Unpack it ({unpack} images.tar > images.unpacked.tar) and rerun."
    )


@pytest.mark.parametrize(
    ("packed", "unpacked"),
    [
        ("train.tar.zst", "train.tar"),
        ("train.tzst", "train.tar"),
        ("a b.tar.zst", "'a b.tar'"),
        ("train.tar", "train.unpacked.tar"),
        ("train", "train.tar"),
    ],
)
def test_what_is_unpacked_has_a_name_of_its_own(packed: str, unpacked: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        refuse_compressed(f"/data/{packed}", b"\x28\xb5\x2f\xfd")
    assert str(caught.value).endswith(f"{quote(packed)} > {unpacked}) and rerun.")


def test_compressed_inner_tar_is_refused(make: MakeArchive) -> None:
    inner = gzip.compress(tar([("a.JPEG", b"1")]) + bytes(20_000), mtime=0)
    archive = make(tar([("n01.tar", inner.ljust(600, b"\0"))]))
    assert refusal(archive) == (
        f"{archive.file.uri} (in n01.tar) is damaged at byte 512: it is compressed "
        "with gzip. Compare its size and checksum with the published ones and get it "
        "again."
    )


WHOLE = tar([("a.JPEG", b"1")])


@pytest.mark.parametrize(
    ("inner", "where"),
    [
        pytest.param(
            FIRST + b"\1" * 512,
            "damaged at byte 12,288 after first: the header's checksum is wrong",
            id="corrupt",
        ),
        pytest.param(
            FIRST[:513],
            "damaged at byte 11,264: first needs 3 bytes and only 1 are there",
            id="within-a-member",
        ),
        pytest.param(
            FIRST[:100],
            "damaged at byte 11,264: it ends without an end-of-archive block",
            id="within-a-header",
        ),
        pytest.param(
            FIRST[:600],  # all of the member is there, but not all of its padding
            "damaged at byte 11,864 after first: it ends without an end-of-archive "
            "block",
            id="within-padding",
        ),
        pytest.param(
            b"",
            "damaged at byte 11,264: it ends without an end-of-archive block",
            id="empty",
        ),
    ],
)
def test_damaged_inner_tar_is_named_with_the_place(
    inner: bytes, where: str, make: MakeArchive
) -> None:
    # n00 fills bytes 512 to 10,752; n01 begins at 11,264.
    members = [("n00.tar", WHOLE), ("n01.tar", inner), ("n02.tar", WHOLE)]
    archive = make(tar(members))
    assert refusal(archive) == (
        f"{archive.file.uri} (in n01.tar) is {where}. Compare its size and checksum "
        "with the published ones and get it again."
    )


def test_truncated_archive_is_refused(make: MakeArchive) -> None:
    archive = make(tar([("n00.tar", WHOLE), ("n01.tar", WHOLE)])[:12_000])
    assert refusal(archive).startswith(
        f"{archive.file.uri} is damaged at byte 10,752 after n00.tar: n01.tar needs "
        "10,240 bytes and only 736 are there."
    )


def test_empty_file_is_refused(make: MakeArchive) -> None:
    archive = make(b"")
    assert refusal(archive).startswith(f"{archive.file.uri} is damaged at byte 0: ")


def test_archive_that_changed_since_is_refused(make: MakeArchive) -> None:
    archive = make(tar([("n00.tar", WHOLE)]))
    containers = find_containers(archive)
    changed = make(tar([("n00.tar", WHOLE), ("n01.tar", WHOLE)]) + bytes(512))
    with pytest.raises(StorageError) as caught:
        walk_containers(ContainerBatch(archive, 0, containers))
    assert str(caught.value) == (
        f"{archive.file.uri} has changed since the build began: it had "
        f"{archive.file.size:,} bytes, now {changed.file.size:,}, or was modified. "
        "Rerun when nothing writes to it."
    )


# --- Links ----------------------------------------------------------------------------


def linked_tar(members: Iterable[tuple[str, bytes | str]], kind: bytes) -> bytes:
    """Returns a tar of files and, where the content is text, of links to that name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname, content = kind, content, b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


KINDS = pytest.mark.parametrize(
    "kind", [tarfile.LNKTYPE, tarfile.SYMTYPE], ids=["hard", "symbolic"]
)


@KINDS
def test_links_are_images_with_the_bytes_they_lead_to(
    kind: bytes, make: MakeArchive
) -> None:
    data = linked_tar(
        [("a.JPEG", b"11"), ("./b.JPEG", b"2"), ("c.JPEG", "a.JPEG")], kind
    )
    (table,) = list_members(make(data))
    assert places(table) == [
        {"name": "a.JPEG", "offset": 512, "size": 2},
        {"name": "b.JPEG", "offset": 1536, "size": 1},
        {"name": "c.JPEG", "offset": 512, "size": 2},
    ]
    assert table.skipped == Skipped()


@KINDS
def test_a_class_may_be_a_link_to_another(kind: bytes, make: MakeArchive) -> None:
    inner = tar([("x.JPEG", b"1")])
    data = linked_tar(
        [("n01.tar", inner), ("n02.tar", "n01.tar"), ("README", "nothing")], kind
    )
    first, second = list_members(make(data))
    assert first.container == Container("n01", 512, 10_240, 0, 2)
    assert second.container == Container("n02", 512, 10_240, 1, 2)
    assert first.members == second.members


@KINDS
def test_a_link_that_leads_nowhere_is_refused(kind: bytes, make: MakeArchive) -> None:
    inner = linked_tar([("a.JPEG", b"1"), ("b.JPEG", "../n02/c\n.JPEG")], kind)
    archive = make(tar([("n01.tar", inner)]))
    name = {b"1": "hard", b"2": "symbolic"}[kind]
    assert refusal(archive) == (
        f"{archive.file.uri} (in n01.tar): b.JPEG is a {name} link to "
        r"../n02/c\n.JPEG, which lies outside of the tar. Pack the archive again with "
        "the files themselves (tar --dereference --hard-dereference), or take the link "
        "out."
    )


def test_a_link_to_a_directory_is_skipped_and_counted(make: MakeArchive) -> None:
    data = linked_tar([("d/a.JPEG", b"1"), ("latest", "d")], tarfile.SYMTYPE)
    (table,) = list_members(make(data))
    assert table.members["name"].to_pylist() == ["a.JPEG"]
    assert table.skipped == Skipped(links=1)


# --- Ends -----------------------------------------------------------------------------


def test_two_tars_in_one_file_are_refused(make: MakeArchive) -> None:
    archive = make(WHOLE + tar([("b.JPEG", b"2")]))
    assert refusal(archive) == (
        f"{archive.file.uri} is damaged at byte 10,240 after a.JPEG: a second tar "
        "begins after its end, with b.JPEG, and readers of tars stop before it. tar "
        "--concatenate makes one of both. Compare its size and checksum with the "
        "published ones and get it again."
    )


def test_two_tars_as_one_class_are_refused(make: MakeArchive) -> None:
    archive = make(tar([("n00.tar", WHOLE), ("n01.tar", WHOLE + WHOLE)]))
    assert refusal(archive).startswith(
        f"{archive.file.uri} (in n01.tar) is damaged at byte 21,504 after a.JPEG: a "
        "second tar begins after its end, with a.JPEG, "
    )


@pytest.mark.parametrize("nested", [True, False])
def test_a_hole_over_headers_is_refused(nested: bool, make: MakeArchive) -> None:
    images = [(f"n01_{number}.JPEG", b"\xff" * 20_000) for number in range(40)]
    data = bytearray(tar(images))
    data[400_000:465_536] = bytes(65_536)  # 64 KiB
    if nested:
        data[:0] = tar([("n01.tar", bytes(data))])[:512]
        data += bytes(1024)
    archive = make(bytes(data))
    start = 512 if nested else 0
    inner = " (in n01.tar)" if nested else ""
    # The header at 419,840 is gone, the bytes from 400,000 are an image's.
    assert refusal(archive).startswith(
        f"{archive.file.uri}{inner} is damaged at byte {465_536 + start:,} after "
        "n01_19.JPEG: after 45,696 zero bytes, where a member or the end of the tar "
        "should be, there are others again. It looks like a hole: "
    )


def test_a_hole_over_the_header_of_a_class_is_refused(make: MakeArchive) -> None:
    inner = tar([("a.JPEG", b"\xff" * 90_000)])
    data = bytearray(tar((f"n{number:02d}.tar", inner) for number in range(4)))
    second = 512 + len(inner)
    data[second : second + 65_536] = bytes(65_536)
    archive = make(bytes(data))
    assert refusal(archive).startswith(
        f"{archive.file.uri} is damaged at byte {second + 65_536:,} after n00.tar: "
        "after 65,536 zero bytes, "
    )


def test_a_stopped_download_is_told_from_padding(make: MakeArchive) -> None:
    images = [(f"{number}.JPEG", b"\xff" * 20_000) for number in range(30)]
    data = tar(images)
    whole, half = len(data), 15 * 20_992 + 100  # within a member's header
    (table,) = list_members(make(data))
    assert (table.members.num_rows, table.end) == (30, TarEnd())
    stopped = data[:half] + bytes(whole - half)
    with pytest.raises(ArchiveError, match="the header's checksum is wrong"):
        list_members(make(stopped))
    half -= 100 + 9000  # within a member's body
    (table,) = list_members(make(data[:half] + bytes(whole - half)))
    zeros = whole - 15 * 20_992
    assert (table.members.num_rows, table.end) == (15, TarEnd(zeros=zeros))
    (table,) = list_members(make(data[: 15 * 20_992]))
    assert (table.members.num_rows, table.end) == (15, TarEnd(unmarked=1))
