"""Files written past the page cache hold what was written, whatever the pieces."""

import itertools
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.direct import DirectFile, stop_writing

BUFFER = 4 << 20


def written(path: Path, pieces: list[bytes]) -> bytes:
    with closing(DirectFile(path)) as file:
        total = 0
        for piece in pieces:
            assert file.write(piece) == len(piece)
            total += len(piece)
            assert file.tell() == total
        file.sync()
        assert file.tell() == total
    return path.read_bytes()


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [0],
        [1],
        [4095],
        [4096],  # one block: nothing is left for an ordinary write
        [4097],
        [BUFFER - 1, 1],
        [BUFFER - 1, 2],
        [BUFFER],
        [BUFFER, 1],
        [2 * BUFFER + 5000],  # one piece that spans buffers
        [100_000] * 100,  # like images
    ],
    ids=str,
)
def test_all_bytes_are_there_in_order(sizes: list[int], tmp_path: Path) -> None:
    pieces = [bytes([i % 251 + 1]) * size for i, size in enumerate(sizes)]
    assert written(tmp_path / "file", pieces) == b"".join(pieces)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, BUFFER), max_size=5), seed=st.integers(0, 255))
def test_any_pieces_come_back(
    sizes: list[int], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pattern = bytes((seed + i) % 256 for i in range(257))
    pieces = [(pattern * (size // 257 + 1))[:size] for size in sizes]
    path = tmp_path_factory.mktemp("direct") / "file"
    assert written(path, pieces) == b"".join(itertools.chain(pieces))


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        DirectFile(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_file_system_without_direct_writes_takes_ordinary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_open = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return plain_open(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    pieces = [b"a" * 5000, b"b" * BUFFER]
    assert written(tmp_path / "file", pieces) == b"".join(pieces)


def test_new_files_have_the_mode_that_umask_leaves(tmp_path: Path) -> None:
    written(tmp_path / "file", [b"x"])
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_run_that_is_stopped_begins_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.direct._STOPPED", threading.Event())
    stop_writing()
    with pytest.raises(OSError, match="the run is being stopped"):
        DirectFile(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
