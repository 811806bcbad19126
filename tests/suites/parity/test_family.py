"""Holds the datasets of ImageNet's family against those that TFDS 4.9.10 builds.

Both build from the same small archives. All that TFDS writes is compared byte by byte;
its descriptions are texts of its own, and ours are ours.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from beam_pipeline import run, verify
from tests.suites.parity.family import ROWS, Row
from tests.suites.parity.scripts import run_script

_OURS_ALONE: Final = ("card.html", "manifest.json", "report.html", "statistics.json")

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds every row twice, beneath ``ours`` and beneath ``theirs``."""
    directory = tmp_path_factory.mktemp("family")
    archives = {make: directory / make.__name__ for make in {row.make for row in ROWS}}
    for make, place in archives.items():
        place.mkdir()
        make(place)
    theirs = [
        {
            "name": row.name,
            "archives": str(archives[row.make]),
            "data_dir": str(directory / "theirs"),
            "urls": row.urls,
        }
        for row in ROWS
    ]
    run_script("build_family_with_tfds.py", stdin=json.dumps(theirs))
    for row in ROWS:
        place = archives[row.make]
        downloaded = sum((place / file).stat().st_size for file in row.urls.values())
        command = ["--config", row.config or row.name, "--manual_dir", str(place)]
        command += ["--data_dir", str(directory / "ours"), *row.flags]
        command += ["--set", f"download_size={downloaded}"]
        assert run.main([*command, "--quiet", "--direct_num_workers=1"]) == 0
    return directory


@each_row
def test_every_file_equals_that_of_tfds(built: Path, row: Row) -> None:
    ours, theirs = (_tree(built / side, row) for side in ("ours", "theirs"))
    assert list(ours) == list(theirs)
    differ = [name for name in ours if ours[name] != theirs[name]]
    assert [name.rpartition("/")[2] for name in differ] == ["dataset_info.json"]
    (info,) = differ
    assert _without_description(ours[info]) == _without_description(theirs[info])


@each_row
@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_what_either_built_is_whole(
    built: Path, row: Row, side: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (info,) = _directory(built / side, row).glob("**/dataset_info.json")
    code = verify.main([str(info.parent), "--json", *row.flags])
    assert code == 0, capsys.readouterr().out


def _directory(data_dir: Path, row: Row) -> Path:
    return data_dir / row.name


def _tree(data_dir: Path, row: Row) -> dict[str, bytes]:
    """Returns the bytes of every file of a dataset that TFDS writes too, by path."""
    root = _directory(data_dir, row)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in _OURS_ALONE
    }


def _without_description(document: bytes) -> tuple[dict[str, Any], bytes]:
    """Returns a document without its text, and its bytes with another one there."""
    info = json.loads(document)
    text = json.dumps(info.pop("description")).encode()
    assert document.count(text) == 1
    return info, document.replace(text, b"")
