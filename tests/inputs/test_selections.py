"""What is known of a split's labels before its archives are there."""

from pathlib import Path

import pytest

from beam_pipeline.config import load_config
from beam_pipeline.inputs.selections import absent_labels


@pytest.mark.parametrize(
    ("name", "split", "archive", "listed"),
    [
        ("food101", "train", "food-101.tar.gz", "food-101/meta/train.json"),
        (
            "places365_small",
            "validation",
            "filelist_places365-standard.tar",
            "places365_val.txt",
        ),
    ],
)
def test_labels_in_an_archive_may_be_absent(
    name: str, split: str, archive: str, listed: str, tmp_path: Path
) -> None:
    config = load_config(name, {}, {"manual_dir": str(tmp_path)})
    assert absent_labels(config, split) == archive
    for path in (tmp_path / archive, tmp_path / listed):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        assert absent_labels(config, split) is None
        path.unlink()


@pytest.mark.parametrize("name", ["imagenet_lt", "1pct", "imagenette/320px-v2"])
def test_labels_in_no_archive_are_not_absent(name: str, tmp_path: Path) -> None:
    config = load_config(name, {}, {"manual_dir": str(tmp_path)})
    assert absent_labels(config, "train") is None
