"""Claims: kept while a process lives, gone with it, and what a sweep leaves alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from transforms import storage
from transforms.errors import StorageError
from transforms.storage.claims import exclusive, sweep

ROOT = Path(__file__).parents[2]

# Publishes a file, and says so in the middle of it.
WRITER = """
import sys, time
from transforms import storage
with storage.{publish}(sys.argv[1]) as file:
    print("writing", flush=True)
    time.sleep(60)
"""


def start_writer(uri: Path, publish: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER.format(publish=publish), str(uri)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.parametrize("publish", ["publish", "publish_staged"])
def test_what_is_being_written_is_not_swept_until_its_writer_is_dead(
    tmp_path: Path, publish: str
) -> None:
    with start_writer(tmp_path / "file", publish) as process:
        written = sorted(os.listdir(tmp_path))
        assert written
        assert all(map(storage.is_unfinished, written))
        sweep(str(tmp_path))
        assert sorted(os.listdir(tmp_path)) == written
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert sorted(os.listdir(tmp_path)) == written
        sweep(str(tmp_path))
        assert os.listdir(tmp_path) == []


def test_a_sweep_of_ours_takes_what_this_process_writes(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"")
    publication = storage.publish(str(tmp_path / "file"))
    publication.__enter__()
    sweep(str(tmp_path))
    assert len(os.listdir(tmp_path)) == 3
    sweep(str(tmp_path), ours=True)
    with pytest.raises(StorageError, match="There is no such file"):
        publication.__exit__(None, None, None)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "mine"]


def test_a_directory_that_is_not_there_is_swept(tmp_path: Path) -> None:
    sweep(str(tmp_path / "missing"))


def test_a_directory_is_for_one_run(tmp_path: Path) -> None:
    with exclusive(str(tmp_path)):
        with pytest.raises(StorageError, match="Another run is writing to"):
            exclusive(str(tmp_path)).__enter__()
        assert os.listdir(tmp_path) == []
    with exclusive(str(tmp_path)):
        pass


def test_a_directory_that_can_not_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(StorageError, match=r"Can't open .*/file\. A file stands"),
        exclusive(str(tmp_path / "file")),
    ):
        pass
