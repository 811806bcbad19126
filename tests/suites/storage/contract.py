"""What every kind of storage has to keep to: one suite, run over each of them.

A module that runs it has a fixture ``place``, the URI of an empty directory.
"""

import os
import pickle
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from transforms import storage
from transforms.errors import StorageError
from transforms.storage.backend import FileInfo, Part

ODD_NAMES = (
    "a b.tar",
    "ümläut-日本.tar",
    "50%.tar",
    "50%25.tar",
    "c#1.tar",
    "a+b.tar",
    "what?.tar",
    "x=1&y=2.tar",
    "~tilde'quote.tar",
)


def written(place: str, name: str, data: bytes) -> str:
    uri = storage.join(place, name)
    storage.publish_bytes(uri, data)
    return uri


@pytest.fixture
def digits(place: str) -> FileInfo:
    """Returns a file of ten bytes."""
    return storage.file_info(written(place, "digits", b"0123456789"))


# --- Reading --------------------------------------------------------------------------


def test_a_file_has_its_name_and_size(place: str, digits: FileInfo) -> None:
    assert (digits.uri, digits.size) == (storage.join(place, "digits"), 10)
    assert storage.file_info(digits.uri) == digits


def test_whole_files_are_read(digits: FileInfo) -> None:
    assert storage.read_bytes(digits.uri) == b"0123456789"
    with storage.open_file(digits.uri) as file:
        assert (file.read(3), file.read(3)) == (b"012", b"345")
        assert file.seek(-2, os.SEEK_END) == 8
        assert (file.tell(), file.read(), file.read()) == (8, b"89", b"")
        assert file.seek(1) == 1
        assert file.read(2) == b"12"
    with storage.local_copy(digits.uri) as path, open(path, "rb") as copy:
        assert copy.read() == b"0123456789"
    assert storage.file_digest(digits.uri, "sha256") == (
        "sha256:84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
    )


def test_ranges_are_read_exactly(digits: FileInfo) -> None:
    reader = storage.open_reader(digits)
    reader.prefetch([(0, 10), (2, 3), (9, 1)])
    assert reader.read(0, 10) == b"0123456789"
    assert reader.read(2, 3) == b"234"
    assert reader.read(3, 4) == b"3456"  # not announced
    assert reader.read(9, 1) == b"9"
    assert reader.read(9, 1) == b"9"
    assert reader.read(10, 0) == b""
    assert reader.read_many([(8, 2), (0, 1), (4, 3), (0, 1)]) == [
        *(b"89", b"0", b"456", b"0")
    ]
    assert reader.read_many([(5, 1)]) == [b"5"]
    assert reader.read_many([]) == []
    reader.prefetch([(0, 4)])  # and not read
    reader.close()


@pytest.mark.parametrize(
    ("offset", "size", "end"), [(7, 4, 10), (0, 11, 10), (10, 1, 10), (30, 5, 30)]
)
def test_a_short_read_is_refused(
    offset: int, size: int, end: int, digits: FileInfo
) -> None:
    reader = storage.open_reader(digits)
    reader.prefetch([(offset, size)])
    with pytest.raises(StorageError) as caught:
        reader.read(offset, size)
    reader.close()
    assert str(caught.value) == (
        f"{digits.uri} ends at byte {end}, but {size} bytes from {offset} were "
        "expected. The file is truncated or has changed: get it again and rerun."
    )


def test_a_read_of_many_ranges_is_refused_if_one_is_short(digits: FileInfo) -> None:
    reader = storage.open_reader(digits)
    with pytest.raises(StorageError, match=r"ends at byte 10"):
        reader.read_many([(0, 1), (9, 2)])
    reader.close()


def test_bytes_that_are_skipped_are_zeros(place: str, digits: FileInfo) -> None:
    reader = storage.open_reader(digits)
    assert [reader.next_data(offset) for offset in range(11)] == list(range(11))
    uri = f"{place}/zeros"
    storage.publish_bytes(uri, bytes(70_000) + b"x" + bytes(70_000))
    reader = storage.open_reader(storage.file_info(uri))
    assert 0 <= reader.next_data(0) <= 70_000
    assert 90_000 <= reader.next_data(90_000) <= 140_001


def test_empty_files_are_files(place: str) -> None:
    uri = written(place, "empty", b"")
    file = storage.file_info(uri)
    assert (file.size, storage.exists(uri), storage.read_bytes(uri)) == (0, True, b"")
    reader = storage.open_reader(file)
    assert reader.read(0, 0) == b""
    with pytest.raises(StorageError, match=r"ends at byte 0"):
        reader.read(0, 1)
    reader.close()


@pytest.mark.parametrize("name", ["none", "digits/none", "directory"])
def test_what_is_no_file_is_told(name: str, place: str, digits: FileInfo) -> None:
    below = storage.join(place, "directory")
    storage.make_directory(below)
    written(below, "file", b"x")
    uri = storage.join(place, name)
    assert not storage.exists(uri)
    with pytest.raises(
        StorageError, match=r"Can't (find|read) .*\. (There is|A file|A dir)"
    ):
        storage.read_bytes(uri)


def test_threads_share_a_reader(place: str) -> None:
    data = random.Random(1).randbytes(4_000_000)
    file = storage.file_info(written(place, "random", data))
    reader = storage.open_reader(file)

    def read(seed: int) -> int:
        rng = random.Random(seed)
        ranges = [(rng.randrange(3_900_000), rng.randrange(100_000)) for _ in range(20)]
        reader.prefetch(ranges[:15])
        found = [reader.read(*each) for each in ranges[:10]]
        found += reader.read_many(ranges[10:])
        assert found == [data[offset : offset + size] for offset, size in ranges]
        return len(found)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(read, range(16))) == 320
    reader.close()


# --- Whole files of a directory -------------------------------------------------------


def whole(file: FileInfo) -> Part:
    return Part(file, 0, file.size)


def files_in(place: str) -> list[Part]:
    """Returns all of each file in a directory, as a listing has it."""
    return [
        whole(FileInfo(storage.join(place, entry.name), entry.size, entry.generation))
        for entry in storage.list_entries(place)
        if entry.size is not None
    ]


def test_entries_are_listed_with_their_state(place: str) -> None:
    for name, size in (("b", 3), ("a-", 0), (".c", 1), ("d", 70_000), ("ä b#%", 2)):
        written(place, name, bytes(size))
    for name in ("a", "ab"):  # an object storage has «a-» before «a/»
        storage.make_directory(storage.join(place, name))
        written(storage.join(place, name), "deep", b"x")
    for uri in (place, f"{place}/"):
        found = list(storage.list_entries(uri))
        assert [(entry.name, entry.size) for entry in found] == [
            *((".c", 1), ("a", None), ("a-", 0), ("ab", None)),
            *(("b", 3), ("d", 70_000), ("ä b#%", 2)),
        ]
        for entry in found:
            if entry.size is None:
                assert entry.generation == ""
            else:
                now = storage.file_info(storage.join(place, entry.name)).generation
                assert now.partition("-")[0] == entry.generation
    assert storage.list_folders(place) == ["a", "ab"]
    assert storage.list_folders(storage.join(place, "a")) == []
    (deep,) = storage.list_entries(storage.join(place, "a"))
    assert deep[:2] == ("deep", 1)


def test_a_directory_that_is_not_there_has_no_entries(place: str) -> None:
    assert list(storage.list_entries(storage.join(place, "none"))) == []
    assert storage.list_folders(storage.join(place, "none")) == []
    storage.make_directory(storage.join(place, "empty"))
    assert list(storage.list_entries(storage.join(place, "empty"))) == []


def test_files_are_read_whole(place: str) -> None:
    contents = {f"{number}": bytes([number]) * number * 9 for number in range(40)}
    for name, data in contents.items():
        written(place, name, data)
    reader = storage.open_files(place)
    files = files_in(place)
    assert reader.ahead >= 1
    reader.prefetch(files[:30])
    reader.prefetch(files[20:35])
    for file in (*files, files[3]):
        assert reader.read(file) == contents[storage.base_name(file.file.uri)]
    reader.prefetch(files)  # and not read
    reader.close()
    # What is known of one file alone is as good as a listing.
    known = storage.file_info(files[5].file.uri)
    assert reader.read(whole(known)) == reader.read(files[5])


def test_files_at_any_depth_are_read(place: str) -> None:
    below = storage.join(place, "a", "b c")
    storage.make_directory(below)
    written(below, "file", b"deep")
    reader = storage.open_files(place)
    assert [reader.read(file) for file in files_in(below)] == [b"deep"]
    reader.close()


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("data", [b"", b"0123", b"0123456789-", b"9876543210", None])
def test_a_file_that_changed_since_it_was_listed_is_not_read(
    data: bytes | None, ahead: bool, place: str, digits: FileInfo
) -> None:
    (part,) = files_in(place)
    file = part.file
    assert (file.uri, file.size) == (digits.uri, 10)
    if data is None:
        storage.remove(file.uri)
    else:
        if "s3" in place:
            time.sleep(1.0)  # its listings have whole seconds
        replace_later(file.uri, data)
    reader = storage.open_files(place)
    if ahead:
        reader.prefetch([part])
    with pytest.raises(StorageError) as caught:
        reader.read(part)
    reader.close()
    assert str(caught.value).startswith(
        f"{file.uri} has changed since the build began: it "
    )
    assert str(caught.value).endswith(". Rerun when nothing writes to it.")


def test_parts_of_files_are_read(place: str, digits: FileInfo) -> None:
    (part,) = files_in(place)
    reader = storage.open_files(place)
    ranges = [(0, 4), (3, 7), (9, 1), (4, 0), (10, 0)]
    reader.prefetch([Part(part.file, *each) for each in ranges])
    assert [reader.read(Part(part.file, *each)) for each in ranges] == [
        *(b"0123", b"3456789", b"9", b"", b"")
    ]
    with pytest.raises(StorageError, match=r"ends at byte 10, but 3 bytes from 8"):
        reader.read(Part(part.file, 8, 3))
    reader.close()


def test_threads_share_a_reader_of_files(place: str) -> None:
    contents = [random.Random(seed).randbytes(1000 * seed) for seed in range(30)]
    for number, data in enumerate(contents):
        written(place, f"{number:02}", data)
    files, reader = files_in(place), storage.open_files(place)

    def read(seed: int) -> int:
        order = random.Random(seed).sample(range(30), 30)
        reader.prefetch([files[number] for number in order[:20]])
        assert [reader.read(files[number]) for number in order] == [
            contents[number] for number in order
        ]
        return len(order)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(read, range(8))) == 240
    reader.close()


# --- Files that change ----------------------------------------------------------------


def replace_later(uri: str, data: bytes) -> None:
    """Replaces a file when the clock of files has moved, which it does every 4 ms."""
    time.sleep(0.02)
    storage.publish_bytes(uri, data)


def test_a_file_that_was_replaced_is_noticed(digits: FileInfo) -> None:
    replace_later(digits.uri, b"0123")
    now = storage.file_info(digits.uri)
    assert (now.size, now.generation != digits.generation) == (4, True)
    with pytest.raises(StorageError) as caught:
        storage.open_reader(digits)
    assert str(caught.value) == (
        f"{digits.uri} has changed since the build began: it had 10 bytes, now 4, or "
        "was modified. Rerun when nothing writes to it."
    )
    assert storage.open_reader(now).read(0, 4) == b"0123"


def test_a_file_replaced_by_one_of_its_size_is_noticed(digits: FileInfo) -> None:
    replace_later(digits.uri, b"9876543210")
    with pytest.raises(StorageError, match=r"has changed since the build began"):
        storage.open_reader(digits)


def test_a_file_that_was_removed_is_told(digits: FileInfo) -> None:
    storage.remove(digits.uri)
    with pytest.raises(StorageError, match=r"Can't find .*digits\. There is no such"):
        storage.open_reader(digits)


def test_what_workers_are_sent_survives_the_way(digits: FileInfo) -> None:
    sent = pickle.loads(pickle.dumps(digits))
    assert sent == digits
    assert sent != replace(digits, generation="other")
    error = pickle.loads(pickle.dumps(StorageError("told")))
    assert (type(error), str(error)) == (StorageError, "told")


# --- Publishing -----------------------------------------------------------------------


def test_a_file_appears_when_its_block_ends(place: str) -> None:
    uri = storage.join(place, "shard")
    pieces = [b"a" * 700_000, b"b" * 20_000_000, b"", b"c"]  # more than one request
    with storage.publish(uri) as file:
        for piece in pieces:
            assert file.write(piece) == len(piece)
            assert not storage.exists(uri)
        assert file.tell() == 20_700_001
    assert storage.read_bytes(uri) == b"".join(pieces)
    assert (file.tell(), file.digest()) == (20_700_001, storage.file_digest(uri))
    assert storage.list_names(place) == ["shard"]


def fail_halfway(uri: str, data: bytes) -> None:
    with storage.publish(uri) as file:
        file.write(data)
        raise KeyError("mine")


@pytest.mark.parametrize("size", [0, 4, 20_000_000])
def test_an_exception_leaves_nothing(size: int, place: str) -> None:
    with pytest.raises(KeyError, match="mine"):
        fail_halfway(storage.join(place, "shard"), b"x" * size)
    assert storage.list_names(place) == []


@pytest.mark.parametrize("size", [4, 20_000_000])
def test_an_exception_leaves_what_was_there(size: int, place: str) -> None:
    uri = written(place, "shard", b"old")
    with pytest.raises(KeyError, match="mine"):
        fail_halfway(uri, b"x" * size)
    assert storage.list_names(place) == ["shard"]
    assert storage.read_bytes(uri) == b"old"


def test_a_file_is_replaced_at_once(place: str) -> None:
    uri = written(place, "shard", b"old")
    with storage.publish(uri) as file:
        file.write(b"new")
        assert storage.read_bytes(uri) == b"old"
    assert storage.read_bytes(uri) == b"new"
    assert storage.list_names(place) == ["shard"]


def test_of_two_writers_the_last_to_end_wins(place: str) -> None:
    uri = storage.join(place, "shard")
    with storage.publish(uri) as slow:
        slow.write(b"slow ")
        with storage.publish(uri) as quick:
            quick.write(b"quick")
        assert storage.read_bytes(uri) == b"quick"
        slow.write(b"one")
    assert storage.read_bytes(uri) == b"slow one"
    assert storage.list_names(place) == ["shard"]


def test_a_second_attempt_at_the_same_bytes_does_no_harm(place: str) -> None:
    data = random.Random(2).randbytes(3_000_000)
    barrier = Barrier(4)

    def attempt(_: int) -> None:
        with storage.publish(storage.join(place, "shard")) as file:
            file.write(data)
            barrier.wait(60)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, range(4)))
    assert storage.read_bytes(storage.join(place, "shard")) == data
    assert storage.list_names(place) == ["shard"]


def test_what_a_library_writes_itself_is_published(place: str) -> None:
    uri = storage.join(place, "shard")
    with storage.publish_staged(uri) as (path, publication):
        with open(path, "wb") as file:
            file.write(b"staged" * 500_000)
        assert not storage.exists(uri)
    assert storage.read_bytes(uri) == b"staged" * 500_000
    assert publication.digest() == storage.file_digest(uri)
    assert storage.list_names(place) == ["shard"]
    assert not os.path.exists(path)


PUBLISH_MUCH = """
import re, sys
from pathlib import Path
from transforms import storage

def memory(name):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(name + r":\\s+(\\d+) kB", status)[1])

storage.publish_bytes(sys.argv[1] + "/warm", b"warm")
piece = bytes(range(250)) * 4000
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
before = memory("VmRSS")
with storage.publish(sys.argv[1] + "/large") as file:
    for _ in range(100):
        file.write(piece)
print(memory("VmHWM") - before)
"""


def test_a_large_file_is_not_held_in_memory(place: str) -> None:
    command = [sys.executable, "-c", PUBLISH_MUCH, place]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(run.stdout) < 32_000_000
    file = storage.file_info(storage.join(place, "large"))
    reader = storage.open_reader(file)
    assert file.size == 100_000_000
    assert reader.read(99_999_995, 5) == bytes(range(245, 250))
    reader.close()


# --- Directories ----------------------------------------------------------------------


def test_names_are_listed_in_order_and_one_level_deep(place: str) -> None:
    for name in ("b", "a", ".c"):
        written(place, name, b"")
    for name in ("d", "ab"):
        storage.make_directory(storage.join(place, name))
        written(storage.join(place, name), "deep", b"")
    assert storage.list_names(place) == [".c", "a", "ab", "b", "d"]
    assert storage.list_names(f"{place}/") == [".c", "a", "ab", "b", "d"]
    assert storage.list_names(storage.join(place, "d")) == ["deep"]
    assert storage.list_names(storage.join(place, "none")) == []


def test_directories_are_made_as_often_as_asked(place: str) -> None:
    deep = storage.join(place, "a", "b")
    for _ in range(2):
        storage.make_directory(deep)
    written(deep, "file", b"x")
    storage.make_directory(deep)
    assert storage.list_names(deep) == ["file"]


def test_files_and_trees_are_removed(place: str) -> None:
    below = storage.join(place, "below")
    for path in (below, f"{below}-not", f"{below}/deep"):
        storage.make_directory(path)
        written(path, "file", b"x")
        written(path, "other", b"x")
    for _ in range(2):  # what is not there need not be removed
        storage.remove(storage.join(below, "file"))
        assert storage.list_names(below) == ["deep", "other"]
    for _ in range(2):
        storage.remove_tree(below)
        assert storage.list_names(place) == ["below-not"]
    assert storage.list_names(f"{below}-not") == ["file", "other"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_names(name: str, place: str) -> None:
    directory = storage.join(place, name)
    storage.make_directory(directory)
    uri = written(directory, name, name.encode())
    assert storage.exists(uri)
    file = storage.file_info(uri)
    assert (file.uri, file.size) == (uri, len(name.encode()))
    reader = storage.open_reader(file)
    assert reader.read(0, file.size) == storage.read_bytes(uri) == name.encode()
    reader.close()
    assert storage.list_names(place) == storage.list_names(directory) == [name]
    storage.remove(uri)
    assert not storage.exists(uri)
