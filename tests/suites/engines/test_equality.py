"""The same files from every engine, in bytes, and the same summary."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_pipeline.demo import VALIDATION_ARCHIVE
from tests.helpers.forms import pack
from tests.suites.engines.builds import DEMO, FEW_PHOTOS, Build, command, run_build
from tests.suites.engines.cluster import (
    FLINK_JOB_SERVER,
    PRISM,
    ROOT,
    SPARK_JOB_SERVER,
    FlinkCluster,
)

LOCAL = "local threads"
FLINK = [
    *("--engine=flink", "--flink_master=[local]"),
    f"--flink_job_server_jar={FLINK_JOB_SERVER}",
]

# What to add to the command, by engine; the cluster's and the service's ports are new
# with every run.
ENGINES: dict[str, Callable[[FlinkCluster, int], list[str]]] = {
    LOCAL: lambda _cluster, _port: ["--engine=local"],
    "local processes": lambda _cluster, _port: [
        *("--direct_running_mode=multi_processing", "--direct_num_workers=2"),
    ],
    "prism": lambda _cluster, _port: ["--engine=prism", f"--prism_location={PRISM}"],
    "job service": lambda cluster, port: [
        *("--runner=PortableRunner", f"--job_endpoint=127.0.0.1:{port}"),
        "--environment_type=EXTERNAL",
        f"--environment_config=127.0.0.1:{cluster.worker_port}",
    ],
    "flink cluster": lambda cluster, _port: cluster.flags(),
    "flink in one process": lambda _cluster, _port: FLINK,
    "spark in one process": lambda _cluster, _port: [
        *("--engine=spark", f"--spark_job_server_jar={SPARK_JOB_SERVER}"),
    ],
}


@pytest.mark.parametrize("engine", ENGINES)
def test_drawn_pictures_in_all_formats(
    engine: str,
    demo_archives: Path,
    expected_demo: Build,
    cluster: FlinkCluster,
    job_service: int,
    tmp_path: Path,
) -> None:
    flags = ENGINES[engine](cluster, job_service)
    assert run_build(DEMO, demo_archives, tmp_path / "data", flags) == expected_demo


# Threads have built what is expected.
@pytest.mark.parametrize("engine", [name for name in ENGINES if name != LOCAL])
def test_real_photos(
    engine: str,
    photo_archives: Path,
    expected_few_photos: Build,
    cluster: FlinkCluster,
    job_service: int,
    tmp_path: Path,
) -> None:
    flags = ENGINES[engine](cluster, job_service)
    built = run_build(FEW_PHOTOS, photo_archives, tmp_path / "data", flags)
    assert built == expected_few_photos


@pytest.mark.parametrize("form", ["folders", "tar.gz"])
def test_archives_in_other_forms(
    form: str, demo_archives: Path, expected_demo: Build, tmp_path: Path
) -> None:
    archives = pack(demo_archives, tmp_path / form, form)
    built = run_build(DEMO, archives, tmp_path / "data", FLINK)
    # Statistics name the place of an image in its archive; manifests have their hash.
    assert without_places(built) == without_places(expected_demo)
    assert built.said == expected_demo.said


def without_places(build: Build) -> dict[str, str]:
    places = ("statistics.json", "manifest.json")
    return {
        name: digest
        for name, digest in build.files.items()
        if not name.endswith(places)
    }


def test_what_is_compared_is_the_whole_dataset(
    expected_demo: Build, expected_few_photos: Build, expected_photos: Build
) -> None:
    for build, examples in ((expected_few_photos, 3000), (expected_photos, 12_811)):
        shards = [name for name in build.files if "tfrecord-" in name]
        assert len([name for name in shards if name.endswith("-of-00024")]) == 24
        assert f"{examples:,}" in build.said
    assert len([name for name in expected_photos.files if "tfrecord" in name]) == 24 + 8
    for build in (expected_demo, expected_few_photos, expected_photos):
        names = {Path(name).name for name in build.files}
        assert {"dataset_info.json", "features.json", "statistics.json"} <= names
    assert "4 CMYK images made RGB" in expected_demo.said


@pytest.mark.parametrize(
    "engine", ["prism", "flink in one process", "spark in one process"]
)
def test_a_worker_s_error_is_told_in_one_line(
    engine: str,
    demo_archives: Path,
    cluster: FlinkCluster,
    job_service: int,
    tmp_path: Path,
) -> None:
    archives = tmp_path / "archives"
    shutil.copytree(demo_archives, archives)
    damaged = archives / VALIDATION_ARCHIVE
    os.truncate(damaged, damaged.stat().st_size // 2)
    finished = subprocess.run(
        command(
            DEMO, archives, tmp_path / "data", ENGINES[engine](cluster, job_service)
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    # Prism may end with a line of its own without a word, empty or a mark.
    lines = finished.stderr.splitlines()
    said = [line for line in lines if any(map(str.isalnum, line))]
    errors = [line for line in said if "damaged" in line]
    assert errors == said[-1:]
    assert errors[0].startswith(f"error: {damaged} is damaged at byte ")
