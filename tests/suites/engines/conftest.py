"""What the engines' tests share: archives, what is expected, and a cluster."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_pipeline.demo import DemoShape, make_archives
from tests.suites.engines.builds import DEMO, FEW_PHOTOS, PHOTOS, Build, run_build
from tests.suites.engines.cluster import (
    FLINK_JOB_SERVER,
    PRISM,
    ROOT,
    SPARK_JOB_SERVER,
    FlinkCluster,
    flink_cluster,
    free_port,
)


@pytest.fixture(scope="session", autouse=True)
def parts() -> None:
    """What `make test-engines` makes first."""
    for part in (FLINK_JOB_SERVER, SPARK_JOB_SERVER, PRISM):
        if not part.is_file():
            pytest.fail(f"{part} is missing: make {part.relative_to(ROOT)}")


@pytest.fixture(scope="session")
def demo_archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo")
    make_archives(directory, DemoShape(width=500, varied=False))
    return directory


@pytest.fixture(scope="session")
def photo_archives(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives of the 1 % subset and 1000 validation images, of real photos."""
    directory = tmp_path_factory.mktemp("photos")
    tool = shared / "tools" / "make_ilsvrc.py"
    subprocess.run(
        [sys.executable, tool, directory, "--train", "1pct", "--val", "1000"],
        check=True,
        capture_output=True,
    )
    return directory


@pytest.fixture(scope="session")
def expected_demo(
    demo_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> Build:
    return run_build(DEMO, demo_archives, tmp_path_factory.mktemp("local"), [])


@pytest.fixture(scope="session")
def expected_photos(
    photo_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> Build:
    return run_build(PHOTOS, photo_archives, tmp_path_factory.mktemp("local"), [])


@pytest.fixture(scope="session")
def expected_few_photos(
    photo_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> Build:
    return run_build(FEW_PHOTOS, photo_archives, tmp_path_factory.mktemp("local"), [])


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    with flink_cluster(tmp_path_factory.mktemp("flink")) as running:
        yield running


@pytest.fixture(scope="session")
def job_service() -> Iterator[int]:
    """The port of a job service of Beam's, a process of its own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.suites.engines.job_service", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield port
    process.kill()
    process.wait()
