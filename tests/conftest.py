"""Archives that tests share: small drawn ones, and real photos where they are."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from beam_pipeline.demo import DemoShape, make_archives
from tests.helpers.datasets import build_all
from transforms.images import resizing

# A busy machine takes its time, and a test is not about that.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

SMALL = DemoShape(
    classes=3, per_class=12, listed=6, validation=20, width=96, varied=False
)


@pytest.fixture(autouse=True, scope="session")
def _no_progress() -> Iterator[None]:
    """Keeps lines that come with time out of what commands say."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGENET_PROGRESS_SECONDS", "3600")
        yield


@pytest.fixture(scope="session")
def small_archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with drawn archives: 36 training images, 18 listed, 20 validation."""
    directory = tmp_path_factory.mktemp("archives")
    make_archives(directory, SMALL)
    return directory


@pytest.fixture(scope="session")
def every_format(
    small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A directory of datasets: the small archives in all formats, not to be changed."""
    return build_all(small_archives, tmp_path_factory.mktemp("every_format"))


@pytest.fixture
def no_resizer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that cykooz-resizer has no wheel for."""
    monkeypatch.setitem(sys.modules, "cykooz_resizer", None)
    resizing._library.cache_clear()
    yield
    resizing._library.cache_clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory with SimCLR's lists and real photos; a clone does not have it."""
    default = Path(__file__).parents[2] / "shared"
    directory = Path(os.environ.get("SHARED_DIR", default)).absolute()
    if not (directory / "data" / "1percent.txt").is_file():
        reason = f"needs SimCLR's lists and ILSVRC photos in {directory / 'data'}"
        if os.environ.get("REQUIRE_SHARED"):
            pytest.fail(reason)
        pytest.skip(reason)
    return directory
