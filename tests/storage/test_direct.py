"""Files written past the page cache hold what was written, whatever the pieces."""

import errno
import fcntl
import mmap
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.storage.direct import DirectFile

BLOCK = 4096


def paged(data: bytes) -> memoryview:
    """Returns bytes in memory that begins on a page."""
    memory = mmap.mmap(-1, max(1, len(data)))
    memory[: len(data)] = data
    return memoryview(memory)[: len(data)]


def is_direct(path: Path) -> bool:
    """Returns whether the one open file of that name is written directly."""
    (link,) = (
        link for link in Path("/proc/self/fd").iterdir() if link.resolve() == path
    )
    status = Path(f"/proc/self/fdinfo/{link.name}").read_text()
    flags = dict(line.split(":", 1) for line in status.splitlines())["flags"]
    return bool(int(flags, 8) & os.O_DIRECT)


def write(path: Path, pieces: Iterable[bytes | memoryview]) -> bool:
    """Writes a file; returns whether its last piece was written directly."""
    with closing(DirectFile(path)) as file:
        total = 0
        for piece in pieces:
            assert file.write(piece) == len(piece)
            total += len(piece)
            assert path.stat().st_size == total
        file.sync()
        return is_direct(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A name on a file system that has direct writes."""
    with closing(DirectFile(tmp_path / "try")):
        if not is_direct(tmp_path / "try"):
            pytest.skip("the file system of temporary files has no direct writes")
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("sizes", "direct"),
    [
        ([], True),
        ([0], True),
        ([1], False),
        ([BLOCK - 1], False),
        ([BLOCK], True),
        ([BLOCK + 1], False),
        ([3 * BLOCK, 0, BLOCK, 1024 * BLOCK], True),
        ([1024 * BLOCK, 1024 * BLOCK, 5000], False),
        ([5000, 3 * BLOCK], False),  # whole blocks, but behind half of one
    ],
    ids=str,
)
def test_whole_blocks_are_written_directly(
    sizes: list[int], direct: bool, path: Path
) -> None:
    pieces = [bytes([i % 251 + 1]) * size for i, size in enumerate(sizes)]
    assert write(path, map(paged, pieces)) == direct
    assert path.read_bytes() == b"".join(pieces)


def test_memory_that_begins_anywhere_is_written_ordinarily(path: Path) -> None:
    pieces = [paged(b"a" * BLOCK), paged(b"b" * 2 * BLOCK)[1 : BLOCK + 1]]
    assert write(path, pieces) is False
    assert path.read_bytes() == b"a" * BLOCK + b"b" * BLOCK


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.tuples(st.integers(0, 9 * BLOCK), st.booleans()), max_size=5),
    seed=st.integers(0, 255),
)
def test_any_pieces_come_back(
    cuts: list[tuple[int, bool]],
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    pattern = bytes((seed + i) % 256 for i in range(257))
    pieces = [
        (pattern * (size // 257 + 1))[: size // BLOCK * BLOCK if whole else size]
        for size, whole in cuts
    ]
    path = tmp_path_factory.mktemp("direct") / "file"
    write(path, map(paged, pieces))
    assert path.read_bytes() == b"".join(pieces)


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        DirectFile(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_file_system_without_direct_writes_takes_ordinary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def refuse(descriptor: int, command: int, flags: int = 0) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(descriptor, command, flags)

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    pieces = [b"a" * 5000, b"b" * 2 * BLOCK]
    assert write(tmp_path / "file", map(paged, pieces)) is False
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_other_errors_are_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with (
        closing(DirectFile(tmp_path / "file")) as file,
        pytest.raises(OSError, match="No space left"),
    ):
        file.write(paged(b"a" * BLOCK))


def test_new_files_have_the_mode_that_umask_leaves(tmp_path: Path) -> None:
    write(tmp_path / "file", [b"x"])
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


_STOPPED = """
import sys
from pathlib import Path
from transforms.storage.direct import DirectFile
from transforms.storage.direct import stop_writing
stop_writing()
DirectFile(Path(sys.argv[1]))
"""


def test_a_run_that_is_stopped_begins_no_file(tmp_path: Path) -> None:
    ended = subprocess.run(  # which writes nothing any more
        [sys.executable, "-c", _STOPPED, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OSError: [Errno 125] the run is being stopped: " in ended.stderr
    assert list(tmp_path.iterdir()) == []
