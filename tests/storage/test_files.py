"""Reading ranges, and files that appear whole or not at all."""

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.suites.storage.contract import *  # noqa: F403
from transforms import storage
from transforms.errors import StorageError
from transforms.extras import install_line
from transforms.storage.backend import FileInfo, Part
from transforms.storage.hashes import Checksum
from transforms.storage.local import LocalReader


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Returns where the contract is tried: a local directory."""
    return str(tmp_path)


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# --- Publishing -----------------------------------------------------------------------


def test_a_file_that_is_not_whole_has_a_hidden_name(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    with storage.publish(str(path)) as file:
        file.write(b"whole" * 1_000_000)  # more than is kept in memory
        (hidden,) = names_in(tmp_path)
        assert hidden.startswith(".shard.")
        assert storage.is_unfinished(hidden)
    assert names_in(tmp_path) == ["shard"]
    assert path.read_bytes() == b"whole" * 1_000_000


@pytest.mark.parametrize(
    ("name", "unfinished"),
    [
        (".shard.0a1b2c3d.unfinished", True),
        ("shard.unfinished", False),
        (".config", False),
        ("shard", False),
    ],
)
def test_is_unfinished(name: str, unfinished: bool) -> None:
    assert storage.is_unfinished(name) is unfinished


HASHES = {"blake3": blake3, "sha256": hashlib.sha256}


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [5], [(4 << 20) - 1, 1, 1], [4 << 20], [9 << 20], [110_000] * 120],
    ids=["none", "empty", "few", "one-more", "a-block", "blocks", "images"],
)
@pytest.mark.parametrize(("checksum", "oracle"), HASHES.items())
def test_a_publication_knows_the_hash_of_what_is_written(
    sizes: list[int], tmp_path: Path, checksum: Checksum, oracle: Callable[[bytes], Any]
) -> None:
    path = tmp_path / "file"
    with storage.publish(str(path), checksum) as file:
        for number, size in enumerate(sizes):
            reused = bytearray([number + 1]) * size
            file.write(reused)
            reused[:] = bytes(size)
            assert file.tell() == sum(sizes[: number + 1])
    written = path.read_bytes()
    expected_digest = f"{checksum}:{oracle(written).hexdigest()}"
    assert file.digest() == file.digest() == expected_digest
    assert storage.file_digest(str(path), checksum) == expected_digest
    expected = (bytes([number + 1]) * size for number, size in enumerate(sizes))
    assert written == b"".join(expected)


# --- Reading --------------------------------------------------------------------------


def test_a_file_modified_since_is_noticed(digits: FileInfo) -> None:
    later = int(digits.generation) + 1
    os.utime(digits.uri, ns=(later, later))
    assert storage.file_info(digits.uri) == replace(digits, generation=str(later))
    with pytest.raises(StorageError, match=r"has changed since the build began"):
        storage.open_reader(digits)


def test_a_file_is_named_by_its_absolute_path(
    digits: FileInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Path(digits.uri).parent
    monkeypatch.chdir(directory)
    assert storage.file_info("digits") == digits
    monkeypatch.setenv("HOME", str(directory))
    assert storage.file_info("~/digits") == digits
    assert (digits.uri, digits.size) == (str(directory / "digits"), 10)


# --- Directories ----------------------------------------------------------------------


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "directory")
    storage.remove(str(tmp_path / "link"))
    assert names_in(tmp_path) == ["directory"]


def test_links_are_followed_and_what_is_no_file_has_no_state(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_bytes(b"12345")
    below = tmp_path / "below"
    below.mkdir()
    (below / "a-file").symlink_to(tmp_path / "file")
    (below / "b-directory").symlink_to(tmp_path / "there")
    (below / "c-nowhere").symlink_to(tmp_path / "none")
    (below / "d-itself").symlink_to("d-itself")
    os.mkfifo(below / "e-pipe")
    generation = storage.file_info(str(tmp_path / "file")).generation
    assert list(storage.list_entries(str(below))) == [
        ("a-file", 5, generation),
        ("b-directory", None, ""),
        ("c-nowhere", 0, ""),
        ("d-itself", 0, ""),
        ("e-pipe", 0, ""),
    ]
    assert storage.list_folders(str(below)) == ["b-directory"]
    reader = storage.open_files(str(below))
    file = FileInfo(f"{below}/a-file", 5, generation)
    assert reader.read(Part(file, 0, 5)) == b"12345"
    for name in ("c-nowhere", "e-pipe"):
        with pytest.raises(StorageError, match=r"has changed|Can't read"):
            reader.read(Part(FileInfo(f"{below}/{name}", 0, ""), 0, 0))


def test_a_file_that_is_removed_while_its_directory_is_listed_is_left_out(
    tmp_path: Path,
) -> None:
    for name in "abc":
        (tmp_path / name).touch()
    entries = storage.list_entries(str(tmp_path))
    assert next(entries).name == "a"
    (tmp_path / "b").unlink()
    assert [entry.name for entry in entries] == ["c"]


def test_a_file_that_is_written_over_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = storage.file_info(str(path))
    reader = storage.open_files(str(tmp_path))
    path.write_bytes(b"01234")  # in place
    os.utime(path, ns=(0, int(file.generation)))
    with pytest.raises(StorageError) as caught:
        reader.read(Part(file, 0, 10))
    assert str(caught.value) == (
        f"{path} has changed since the build began: it had 10 bytes, now 5, or was "
        "modified. Rerun when nothing writes to it."
    )


def test_join_takes_one_slash() -> None:
    assert storage.join("/data/", "a", "b.json") == "/data/a/b.json"
    assert storage.join("data", "a") == "data/a"


# --- What is said ---------------------------------------------------------------------

MISSING = "There is no such file or directory."
NO_DIRECTORY = "A file stands where a directory is needed."
NO_FILE = "A directory stands where a file is needed."


ACTIONS: dict[str, Callable[[str], object]] = {
    "find": storage.file_info,
    "open": LocalReader,
    "read": storage.read_bytes,
    "write": lambda uri: storage.publish_bytes(uri, b"x"),
    "list": storage.list_names,
    "list_entries": lambda uri: list(storage.list_entries(uri)),
    "list_folders": storage.list_folders,
    "make the directory": storage.make_directory,
    "remove": storage.remove,
    "remove_tree": storage.remove_tree,
}


def fail(action: str, path: Path) -> str:
    with pytest.raises(StorageError) as caught:
        ACTIONS[action](str(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("action", "name", "advice"),
    [
        ("find", "none", MISSING),
        ("open", "none", MISSING),
        ("read", "none", MISSING),
        ("write", "none/a", MISSING),
        ("find", "file/a", NO_DIRECTORY),
        ("write", "file/a", NO_DIRECTORY),
        ("list", "file", NO_DIRECTORY),
        ("list_entries", "file", NO_DIRECTORY),
        ("list_folders", "file", NO_DIRECTORY),
        ("make the directory", "file", NO_DIRECTORY),
        ("make the directory", "file/a", NO_DIRECTORY),
        ("read", ".", NO_FILE),
        ("write", "directory", NO_FILE),
        ("remove", "directory", NO_FILE),
        ("remove_tree", "file", NO_DIRECTORY),
    ],
)
def test_messages_name_the_file_and_the_way_out(
    action: str, name: str, advice: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "directory").mkdir()
    path = tmp_path / name
    said = f"Can't {action.partition('_')[0]} {path}. {advice}"
    assert fail(action, path) == said
    assert names_in(tmp_path) == ["directory", "file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
@pytest.mark.parametrize("action", ["open", "read", "write", "list", "remove"])
def test_missing_permissions_are_told(action: str, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "file").touch(0)
    closed.chmod(0o500 if action in ("open", "read", "write", "remove") else 0)
    path = closed if action == "list" else closed / "file"
    message = fail(action, path)
    closed.chmod(0o700)
    assert message == (
        f"Can't {action} {path}. Check the permissions, or choose another directory."
    )


@pytest.mark.parametrize("uri", ["gs:///a.tar", "gs://bucket", "gs://bucket/"])
def test_a_uri_without_bucket_or_name_is_refused(uri: str) -> None:
    with pytest.raises(StorageError) as caught:
        storage.exists(uri)
    assert str(caught.value) == f"{uri} names no file: expected gs://bucket/name."


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(StorageError) as caught:
        storage.exists("ftp://host/a.tar")
    assert str(caught.value) == (
        "Can't reach ftp://host/. There are gs://, s3:// and what Arrow can open, such "
        "as hdfs:// and abfs://. It says: Unrecognized filesystem type in URI: ftp://host/"
    )


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which is always out of space")
    (tmp_path / "full").symlink_to("/dev/full")
    with (
        pytest.raises(StorageError) as caught,
        storage.publish(str(tmp_path / "shard")),
        open(tmp_path / "full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert str(caught.value) == (
        f"Can't write {tmp_path / 'shard'}. No space is left there. Free some, or "
        "choose another --data_dir."
    )
    assert names_in(tmp_path) == ["full"]


def test_a_scheme_whose_client_is_not_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "transforms.storage.remote.gcs", raising=False)
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(StorageError) as caught:
        storage.exists("gs://bucket/name")
    assert str(caught.value) == (
        "gs:// needs a package that is not installed (google.auth). Install it: "
        f"{install_line('gcp')}"
    )
