"""Reading ranges, and files that appear whole or not at all."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from transforms import storage
from transforms.errors import StorageError
from transforms.storage import FileInfo


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# --- Publishing -----------------------------------------------------------------------


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    with storage.publish(str(path)) as file:
        file.write(b"whole" * 1_000_000)  # more than is kept in memory
        (hidden,) = names_in(tmp_path)
        assert hidden.startswith(".shard.")
        assert storage.is_unfinished(hidden)
    assert names_in(tmp_path) == ["shard"]
    assert path.read_bytes() == b"whole" * 1_000_000


def fail_halfway(path: Path) -> None:
    with storage.publish(str(path)) as file:
        file.write(b"half")
        raise KeyError("mine")


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"):
        fail_halfway(tmp_path / "shard")
    assert names_in(tmp_path) == []


def test_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.write_bytes(b"old")
    with pytest.raises(KeyError, match="mine"):
        fail_halfway(path)
    assert names_in(tmp_path) == ["shard"]
    assert path.read_bytes() == b"old"


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.write_bytes(b"old")
    with storage.publish(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_two_writers_of_a_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    with storage.publish(str(path)) as slow:
        slow.write(b"slow ")
        with storage.publish(str(path)) as quick:
            quick.write(b"quick")
        assert path.read_bytes() == b"quick"
        slow.write(b"one")
    assert path.read_bytes() == b"slow one"
    assert names_in(tmp_path) == ["shard"]


def test_publish_bytes_writes_a_file(tmp_path: Path) -> None:
    storage.publish_bytes(str(tmp_path / "a.json"), b"{}")
    assert (tmp_path / "a.json").read_bytes() == b"{}"
    assert names_in(tmp_path) == ["a.json"]


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


# --- Reading --------------------------------------------------------------------------


@pytest.fixture
def digits(tmp_path: Path) -> FileInfo:
    """Returns a file of ten bytes."""
    (tmp_path / "digits").write_bytes(b"0123456789")
    return storage.file_info(str(tmp_path / "digits"))


def test_ranges_are_read_exactly(digits: FileInfo) -> None:
    reader = storage.open_reader(digits)
    reader.prefetch([(0, 10)])
    assert reader.read(0, 10) == b"0123456789"
    assert reader.read(3, 4) == b"3456"
    assert reader.read(9, 1) == b"9"
    assert reader.read(10, 0) == b""
    assert reader.read_many([(8, 2), (0, 1), (4, 3)]) == [b"89", b"0", b"456"]
    assert reader.read_many([(5, 1)]) == [b"5"]
    assert reader.read_many([]) == []
    reader.close()


@pytest.mark.parametrize(
    ("offset", "size", "end"), [(7, 4, 10), (0, 11, 10), (10, 1, 10), (30, 5, 30)]
)
def test_a_short_read_is_refused(
    offset: int, size: int, end: int, digits: FileInfo
) -> None:
    reader = storage.open_reader(digits)
    with pytest.raises(StorageError) as caught:
        reader.read(offset, size)
    reader.close()
    assert str(caught.value) == (
        f"{digits.uri} ends at byte {end}, but {size} bytes from {offset} were "
        "expected. The file is truncated or has changed; get it whole and rerun."
    )


def test_a_read_of_many_ranges_is_refused_if_one_is_short(digits: FileInfo) -> None:
    reader = storage.open_reader(digits)
    with pytest.raises(StorageError, match=r"ends at byte 10"):
        reader.read_many([(0, 1), (9, 2)])
    reader.close()


def test_a_file_of_another_size_is_noticed(digits: FileInfo) -> None:
    Path(digits.uri).write_bytes(b"0123")
    with pytest.raises(StorageError) as caught:
        storage.open_reader(digits)
    assert str(caught.value) == (
        f"{digits.uri} has changed since the build began: it had 10 bytes, now 4, or "
        "was modified. Rerun when it is at rest."
    )


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


def test_read_bytes_returns_the_whole_file(digits: FileInfo) -> None:
    assert storage.read_bytes(digits.uri) == b"0123456789"


# --- Directories ----------------------------------------------------------------------


def test_only_files_exist(digits: FileInfo) -> None:
    directory = str(Path(digits.uri).parent)
    assert storage.exists(digits.uri)
    assert not storage.exists(directory)
    assert not storage.exists(storage.join(directory, "none"))


def test_names_are_listed_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", ".c"):
        (tmp_path / name).touch()
    assert storage.list_names(str(tmp_path)) == [".c", "a", "b"]
    assert storage.list_names(str(tmp_path / "none")) == []


def test_directories_are_made_with_their_parents(tmp_path: Path) -> None:
    for _ in range(2):
        storage.make_directory(str(tmp_path / "a" / "b"))
        assert (tmp_path / "a" / "b").is_dir()


def test_files_and_trees_are_removed(tmp_path: Path) -> None:
    directory = tmp_path / "directory"
    (directory / "below" / "deep").mkdir(parents=True)
    (directory / "file").touch()
    (tmp_path / "link").symlink_to(directory)
    for _ in range(2):  # what is not there need not be removed
        storage.remove(str(tmp_path / "link"))
        storage.remove(str(directory / "file"))
        assert names_in(tmp_path) == ["directory"]
        assert names_in(directory) == ["below"]
    for _ in range(2):
        storage.remove_tree(str(directory))
        assert names_in(tmp_path) == []


def test_join_takes_one_slash() -> None:
    assert storage.join("/data/", "a", "b.json") == "/data/a/b.json"
    assert storage.join("data", "a") == "data/a"


# --- What is said ---------------------------------------------------------------------

MISSING = "There is no such file or directory."
NO_DIRECTORY = "A file stands where a directory is needed."
NO_FILE = "A directory stands where a file is needed."


ACTIONS: dict[str, Callable[[str], object]] = {
    "find": storage.file_info,
    "open": storage.LocalReader,
    "read": storage.read_bytes,
    "write": lambda uri: storage.publish_bytes(uri, b"x"),
    "list": storage.list_names,
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
    said = f"Can't {action.removesuffix('_tree')} {path}. {advice}"
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


@pytest.mark.parametrize("scheme", ["gs", "s3", "file"])
def test_uris_with_a_scheme_are_refused(scheme: str) -> None:
    with pytest.raises(StorageError) as caught:
        storage.exists(f"{scheme}://bucket/a.tar")
    assert str(caught.value) == (
        f"{scheme}://bucket/a.tar: only local paths are supported, not {scheme}://. "
        "Copy the file to a local or mounted directory."
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
