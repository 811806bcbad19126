"""The same bytes from every runner, running mode and number of workers."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archives import dataset_dir, run

ROOT = Path(__file__).parents[1]


def arguments(archives: Path, data_dir: Path) -> list[str]:
    return [
        *("--config", "demo"),
        *("--manual_dir", str(archives)),
        *("--data_dir", str(data_dir)),
    ]


def hashes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
    }


@pytest.fixture(scope="module")
def expected(
    small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    data_dir = tmp_path_factory.mktemp("default")
    assert run(*arguments(small_archives, data_dir)).code == 0
    found = hashes(dataset_dir(data_dir))
    assert len(found) == 9  # four and two shards, three documents
    return found


@pytest.mark.parametrize(
    "flags",
    [
        ["--direct_num_workers=1"],
        ["--direct_num_workers=2"],
        ["--direct_num_workers=5"],  # more than shards of a split, and than cores
        ["--direct_running_mode=in_memory"],
        ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
        ["--direct_runner_bundle_repeat=1"],  # every bundle is worked twice
        ["--runner=DirectRunner"],
        ["--runner=FnApiRunner"],
    ],
    ids=" ".join,
)
def test_the_bytes_do_not_depend_on_how_it_is_run(
    small_archives: Path, tmp_path: Path, expected: dict[str, str], flags: list[str]
) -> None:
    argv = [*arguments(small_archives, tmp_path), *flags]
    if "--direct_running_mode=multi_processing" in flags:
        # In processes of their own, with other seeds for hash() than this one has.
        finished = subprocess.run(
            [sys.executable, "-m", "beam_pipeline.run", *argv],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
    else:
        outcome = run(*argv)
        assert outcome.code == 0, outcome.err
    assert hashes(dataset_dir(tmp_path)) == expected
