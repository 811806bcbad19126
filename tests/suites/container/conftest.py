"""The image, archives, and the dataset that a build outside of containers gives."""

from pathlib import Path

import pytest

from tests.helpers.archives import build
from tests.suites.container import podman
from tests.suites.container.datasets import EVERY_FORMAT, digests


@pytest.fixture(scope="session", autouse=True)
def image() -> None:
    """The image, built from the Dockerfile as it is now."""
    podman.build_image()


@pytest.fixture(scope="session")
def archives(small_archives: Path) -> Path:
    """Small archives that any user may read."""
    small_archives.chmod(0o755)
    return small_archives


@pytest.fixture(scope="session")
def expected(
    archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Digests of all files of the dataset in every format, as built right here."""
    data_dir = tmp_path_factory.mktemp("local")
    outcome = build(archives, data_dir, "--format", EVERY_FORMAT)
    assert outcome.code == 0, outcome.err
    return digests(data_dir)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty directory that any user may write to."""
    directory = tmp_path / "data"
    directory.mkdir()
    directory.chmod(0o777)
    return directory
