"""Archives of one base name in two directories: told apart in all that is written."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline import verify
from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from tests.helpers.archives import (
    FLAT,
    SIZES_DECIDE,
    build,
    dataset_dir,
    few_archives,
    image,
    nested_tar,
    stated,
    tar,
    write_archives,
)
from transforms.storage.uris import short_names

WRONG_TRAIN, WRONG_VALIDATION = b"<html>train</html>", b"<html>validation</html>"


def bad_archives(directory: Path) -> Path:
    """Writes archives with a bad image each, and images that are in both."""
    return write_archives(
        directory,
        train=nested_tar(
            {
                "n01440764": [
                    ("n01440764_1.JPEG", image(1)),
                    ("n01440764_2.JPEG", WRONG_TRAIN),
                ]
            }
        ),
        validation=tar([*FLAT, ("ILSVRC2012_val_00000004.JPEG", WRONG_VALIDATION)]),
        listed=["n01440764_1.JPEG", "n01440764_2.JPEG"],
    )


def move_to_folders(manual_dir: Path) -> tuple[str, ...]:
    """Gives both archives one name, in two folders; returns the flags that say so."""
    places = {TRAIN_ARCHIVE: "a/images.tar", VALIDATION_ARCHIVE: "b/images.tar"}
    for name, place in places.items():
        (manual_dir / place).parent.mkdir()
        (manual_dir / name).rename(manual_dir / place)
    return (
        *("--set", "splits.train.archives=[a/images.tar]"),
        "splits.validation.archives=[b/images.tar]",
        "num_shards={}",
    )


def written(data_dir: Path) -> tuple[str, str, list[dict[str, object]]]:
    """Returns the report, the statistics, and the images that were set aside."""
    directory = dataset_dir(data_dir)
    quarantine = data_dir / "quarantine" / directory.relative_to(data_dir)
    rows = pq.read_table(quarantine / "rejected.parquet").to_pylist()
    report = (directory / "report.html").read_text()
    return report, (directory / "statistics.json").read_text(), rows


def test_what_is_written_is_that_of_archives_with_names_of_their_own(
    tmp_path: Path,
) -> None:
    manual_dir = bad_archives(tmp_path / "manual")
    told_apart, alike = tmp_path / "told_apart", tmp_path / "alike"
    assert build(manual_dir, told_apart, "--max_rejects=2", *SIZES_DECIDE).code == 0
    flags = move_to_folders(manual_dir)
    assert build(manual_dir, alike, "--max_rejects=2", *flags).code == 0
    report, statistics, rejected = written(told_apart)
    assert [(row["archive"], row["image"]) for row in rejected] == [
        (TRAIN_ARCHIVE, WRONG_TRAIN),
        (VALIDATION_ARCHIVE, WRONG_VALIDATION),
    ]
    names = {TRAIN_ARCHIVE: "a/images.tar", VALIDATION_ARCHIVE: "b/images.tar"}
    for name, other in names.items():
        assert f'"{name}"' in statistics
        statistics = statistics.replace(f'"{name}"', f'"{other}"')
    assert written(alike) == (
        report,
        statistics,
        [row | {"archive": names[row["archive"]]} for row in rejected],
    )


def test_a_verification_names_the_archive_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manual_dir = few_archives(tmp_path / "manual")
    flags = move_to_folders(manual_dir)
    assert build(manual_dir, tmp_path / "data", *flags).code == 0
    (manual_dir / "b" / "images.tar").write_bytes(
        tar([(name, image(9)) for name, _ in FLAT])
    )
    directory = str(dataset_dir(tmp_path / "data"))
    numbers = stated(manual_dir)
    code = verify.main(
        [directory, "--json", "--manual_dir", str(manual_dir), *numbers, *flags]
    )
    assert code == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    found = [each["message"] for each in problems if each["check"] == "archive"]
    assert len(found) == len(FLAT)
    assert all(f" of {manual_dir}/b/images.tar: it has" in message for message in found)


@given(
    st.sets(
        st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
            lambda parts: "/" + "/".join(parts)
        ),
        max_size=8,
    )
)
def test_short_names_are_the_shortest_ends_that_tell_apart(uris: set[str]) -> None:
    names = short_names(uris)
    assert names.keys() == uris
    assert len({*names.values()}) == len(uris)
    for uri, name in names.items():
        assert uri == name or uri.endswith(f"/{name}")
        shorter = name.partition("/")[2]
        others = uris - {uri}
        if shorter:
            assert any(each.endswith(f"/{shorter}") for each in others)
