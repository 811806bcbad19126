"""The same bytes from every runner, running mode and number of workers."""

import hashlib
from pathlib import Path

import pytest

from tests.helpers.archives import run, stated
from transforms.formats.table import FORMATS

PROCESSES = ("--direct_running_mode=multi_processing",)


def arguments(archives: Path, data_dir: Path) -> list[str]:
    return [
        *("--config", "demo"),
        *("--manual_dir", str(archives)),
        *("--data_dir", str(data_dir)),
        *("--format", ",".join(FORMATS), *stated(archives)),
    ]


def hashes(data_dir: Path) -> dict[str, str]:
    """Returns the hash of every file of the dataset, in all formats."""
    return {
        str(path.relative_to(data_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(data_dir.rglob("*"))
        if path.is_file() and "downloads" not in path.parts
    }


@pytest.fixture(scope="module")
def expected(
    small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    data_dir = tmp_path_factory.mktemp("default")
    assert run(*arguments(small_archives, data_dir)).code == 0
    found = hashes(data_dir)
    # Four and two shards in each format, and the documents.
    assert len([name for name in found if "-0" in name]) == 4 * 6
    assert len(found) == 4 * 6 + 8 + 6 + 8
    return found


@pytest.mark.parametrize(
    "flags",
    [
        ["--direct_num_workers=1", "--direct_running_mode=in_memory"],
        # More workers than shards of a split, and than cores.
        ["--direct_num_workers=5", "--runner=DirectRunner"],
        [*PROCESSES, "--direct_num_workers=1", "--direct_worker_threads=3"],
        # They have other seeds for hash() than this process has.
        [*PROCESSES, "--direct_num_workers=2"],
        [*PROCESSES, "--direct_num_workers=4"],
        # Every bundle is worked twice.
        ["--direct_runner_bundle_repeat=1", "--runner=FnApiRunner"],
    ],
    ids=" ".join,
)
def test_the_bytes_do_not_depend_on_how_it_is_run(
    small_archives: Path, tmp_path: Path, expected: dict[str, str], flags: list[str]
) -> None:
    argv = [*arguments(small_archives, tmp_path), *flags]
    outcome = run(*argv)
    assert outcome.code == 0, outcome.err
    assert hashes(tmp_path) == expected
