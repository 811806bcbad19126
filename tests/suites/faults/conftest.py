"""Archives, and what an undisturbed build of them gives."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_pipeline.demo import DemoShape, make_archives
from tests.suites.faults.builds import FORMATS, MANY_SHARDS, build, hashes


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's archives: 600 training images, 300 listed, 200 validation images."""
    directory = tmp_path_factory.mktemp("archives")
    make_archives(directory, DemoShape(width=500, varied=False))
    return directory


@pytest.fixture(scope="session")
def undisturbed(
    archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The SHA-256 of every file of a build in all formats that nothing happens to."""
    data_dir = tmp_path_factory.mktemp("undisturbed")
    ended = build(archives, data_dir, "--format", ",".join(FORMATS), *MANY_SHARDS)
    assert ended.code == 0, ended.err
    found = hashes(data_dir)
    assert sum("-of-" in name or ".tar" in name for name in found) == 4 * 40
    return found


@pytest.fixture
def as_root() -> None:
    """Lets a test go on that mounts a file system or locks a directory."""
    if os.geteuid() != 0:
        if os.environ.get("REQUIRE_SHARED"):
            pytest.fail("needs root, to mount file systems")
        pytest.skip("needs root, to mount file systems")


@pytest.fixture
def small_disk(as_root: None, tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB: room for a half of the demo."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
