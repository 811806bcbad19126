"""Every form of the archives gives the same dataset, byte for byte."""

from pathlib import Path

import pytest

from beam_pipeline.demo import SUBSET_LIST
from beam_pipeline.demo_forms import OTHER_FORMS
from tests.helpers.archives import build, dataset_dir, run, stated
from tests.helpers.forms import pack, shard_digests


@pytest.fixture(scope="module")
def expected(
    small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The shards that the original tars give."""
    data_dir = tmp_path_factory.mktemp("tars")
    outcome = build(small_archives, data_dir)
    assert outcome.code == 0, outcome.err
    shards = shard_digests(str(dataset_dir(data_dir)))
    assert len(shards) == 6
    return shards


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_a_dataset_does_not_depend_on_how_its_archives_are_packed(
    form: str, small_archives: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    archives = pack(small_archives, tmp_path / form, form)
    assert SUBSET_LIST in {path.name for path in archives.iterdir()}
    flags = ("--manual_dir", archives, "--data_dir", tmp_path / "data")
    flags += stated(small_archives)
    outcome = run("--config", "demo", *flags)
    assert outcome.code == 0, outcome.err
    assert shard_digests(str(dataset_dir(tmp_path / "data"))) == expected
    # Once more, from what was kept of the archives.
    outcome = run("--config", "demo", *flags, "--overwrite")
    assert outcome.code == 0, outcome.err
    assert shard_digests(str(dataset_dir(tmp_path / "data"))) == expected
