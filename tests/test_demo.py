"""Drawn archives: shaped like the real ones, the same for the same seed."""

import io
import shlex
import sys
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from beam_pipeline.config.loading import load_config
from beam_pipeline.demo import (
    SUBSET_LIST,
    TRAIN_ARCHIVE,
    VALIDATION_ARCHIVE,
    DemoShape,
    draw,
    main,
    make_archives,
    shape_of,
)
from tests.conftest import SMALL
from tests.helpers.archives import dataset_dir, run

FILES = (TRAIN_ARCHIVE, VALIDATION_ARCHIVE, SUBSET_LIST)
TINY = DemoShape(classes=2, per_class=5, listed=4, validation=4, width=32, varied=False)
ORIENTATION = 0x0112


def read_flat(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        members = {}
        for info in archive:
            file = archive.extractfile(info)
            assert file is not None
            assert info.name not in members
            members[info.name] = file.read()
    return members


def read_nested(path: Path) -> dict[str, dict[str, bytes]]:
    return {
        name: read_flat(data) for name, data in read_flat(path.read_bytes()).items()
    }


def kind(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        rotated = " rotated" if image.getexif().get(ORIENTATION) == 6 else ""
        return f"{image.format} {image.mode}{rotated}"


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    make_archives(tmp_path / "a", TINY)
    make_archives(tmp_path / "b", TINY)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (
            tmp_path / "b" / name
        ).read_bytes()


def test_another_seed_gives_others(tmp_path: Path) -> None:
    make_archives(tmp_path / "a", TINY)
    make_archives(tmp_path / "b", replace(TINY, seed=1))
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() != (
            tmp_path / "b" / name
        ).read_bytes()
    # Not only in order: a validation image of the same name is another picture.
    one, other = (
        read_flat((tmp_path / place / VALIDATION_ARCHIVE).read_bytes())
        for place in "ab"
    )
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


def test_the_training_archive_is_a_tar_of_one_tar_per_class(
    small_archives: Path,
) -> None:
    classes = read_nested(small_archives / TRAIN_ARCHIVE)
    # Every 333rd of the 1000 classes.
    names = Path(load_config("demo", {}, {}).class_names).read_text().split()
    wnids = [names[0], names[333], names[666]]
    assert sorted(classes) == [f"{wnid}.tar" for wnid in wnids]
    for tar_name, members in classes.items():
        assert len(members) == SMALL.per_class
        wnid = tar_name.removesuffix(".tar")
        for name in members:
            stem, _, ending = name.partition(".")
            begin, _, number = stem.partition("_")
            assert (begin, ending) == (wnid, "JPEG")
            assert 1 <= int(number) < 30_000


def test_the_validation_archive_is_flat_and_numbered(small_archives: Path) -> None:
    members = read_flat((small_archives / VALIDATION_ARCHIVE).read_bytes())
    assert sorted(members) == [
        f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 21)
    ]
    # Out of order, as in the real one, or sorting would go untested.
    assert list(members) != sorted(members)


def test_the_list_names_as_many_of_each_class(small_archives: Path) -> None:
    listed = (small_archives / SUBSET_LIST).read_text().splitlines()
    classes = read_nested(small_archives / TRAIN_ARCHIVE)
    assert len(set(listed)) == len(listed)
    assert Counter(name.partition("_")[0] for name in listed) == {
        tar_name.removesuffix(".tar"): SMALL.listed for tar_name in classes
    }
    there = {name for members in classes.values() for name in members}
    assert set(listed) <= there
    assert listed != sorted(listed)


def test_every_oddity_is_there_and_listed(small_archives: Path) -> None:
    listed = set((small_archives / SUBSET_LIST).read_text().splitlines())
    classes = read_nested(small_archives / TRAIN_ARCHIVE)
    kinds = {
        name: kind(data)
        for members in classes.values()
        for name, data in members.items()
    }
    assert Counter(kinds.values()) == {
        "JPEG RGB": 32,
        "JPEG CMYK": 1,
        "JPEG L": 1,
        "PNG RGB": 1,
        "JPEG RGB rotated": 1,
    }
    odd = {name for name, what in kinds.items() if what != "JPEG RGB"}
    assert odd <= listed
    assert all(name.endswith(".JPEG") for name in odd)


def test_validation_images_are_jpegs_that_need_no_repair(small_archives: Path) -> None:
    members = read_flat((small_archives / VALIDATION_ARCHIVE).read_bytes())
    assert Counter(map(kind, members.values())) == {
        "JPEG RGB": 18,
        "JPEG L": 1,
        "JPEG RGB rotated": 1,
    }


@pytest.mark.parametrize(
    ("oddity", "expected"),
    [
        (None, "JPEG RGB"),
        ("cmyk", "JPEG CMYK"),
        ("grey", "JPEG L"),
        ("png", "PNG RGB"),
        ("rotated", "JPEG RGB rotated"),
    ],
)
def test_a_picture_is_drawn_as_asked(oddity: str | None, expected: str) -> None:
    data = draw(7, "a seed", 40, oddity)
    assert kind(data) == expected
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (40, 30)
    assert data == draw(7, "a seed", 40, oddity)
    assert data != draw(7, "another", 40, oddity)
    assert data != draw(8, "a seed", 40, oddity)


def test_the_command_makes_what_the_demo_config_expects(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Small pictures: 800 of the usual size would take long.
    made: list[tuple[Path, DemoShape]] = []

    def make_smaller(directory: Path, shape: DemoShape) -> None:
        made.append((directory, shape))
        make_archives(directory, replace(shape, width=24))

    monkeypatch.setattr("beam_pipeline.demo.make_archives", make_smaller)
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "new" / "archives"
    assert main([str(directory), "--seed", "3"]) == 0
    assert made == [(directory, DemoShape(seed=3))]
    sizes = {name: (directory / name).stat().st_size for name in FILES}
    assert capsys.readouterr().out == "".join(
        f"{directory / name}: {size:,} bytes\n" for name, size in sizes.items()
    ) + (
        f"Build it: {sys.executable} -m beam_pipeline.run --config demo --manual_dir "
        f"{directory}\n"
    )
    splits = load_config("demo", {}, {}).splits
    classes = read_nested(directory / TRAIN_ARCHIVE)
    assert sum(map(len, classes.values())) == splits["train"].members
    listed = (directory / SUBSET_LIST).read_text().splitlines()
    assert len(listed) == splits["train"].examples
    validation = read_flat((directory / VALIDATION_ARCHIVE).read_bytes())
    assert len(validation) == splits["validation"].members


def test_pictures_are_varied_one_is_bad_and_one_is_in_both_splits(
    tmp_path: Path,
) -> None:
    shape = DemoShape(classes=2, per_class=16, listed=8, validation=6, width=40)
    make_archives(tmp_path, shape)
    listed = (tmp_path / SUBSET_LIST).read_text().splitlines()
    classes = read_nested(tmp_path / TRAIN_ARCHIVE).values()
    train = {name: data for members in classes for name, data in members.items()}
    (bad,) = (name for name, data in train.items() if data.startswith(b"<html>"))
    validation = read_flat((tmp_path / VALIDATION_ARCHIVE).read_bytes())
    twins = {name: data for name, data in train.items() if data in validation.values()}
    ((twin, data),) = twins.items()
    assert validation["ILSVRC2012_val_00000001.JPEG"] == data
    assert {bad, twin} <= set(listed)
    sizes = set()
    for name, image in train.items():
        if name != bad:
            with Image.open(io.BytesIO(image)) as opened:
                sizes.add(opened.size)
    assert len(sizes) > 10


@pytest.mark.parametrize(
    ("train", "validation", "shape"),
    [
        (600, 200, DemoShape()),
        (1, 1, DemoShape(1, 1, 1, 1)),
        (100, 7, DemoShape(3, 34, 17, 7)),
        (50_000, 9, DemoShape(1000, 50, 25, 9)),
    ],
)
def test_as_many_pictures_are_made_as_are_asked_for(
    train: int, validation: int, shape: DemoShape
) -> None:
    assert shape_of(train, validation, 0) == shape


def test_archives_of_any_size_are_built_as_the_command_says(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/.venv/bin/python")
    monkeypatch.chdir(tmp_path)
    archives = tmp_path / "archives"
    assert main([str(archives), "--train", "7", "--validation", "2"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    prefix = "Build it: .venv/bin/python -m beam_pipeline.run "
    assert line.startswith(prefix)
    command = shlex.split(line.removeprefix(prefix))
    assert run(*command, "--data_dir", tmp_path, "--direct_num_workers=1").code == 0
    report = dataset_dir(tmp_path) / "report.html"
    assert "tench (n01440764)" in report.read_text()
    # It does not pass for ImageNet, nor for the work of those who made that.
    card = (dataset_dir(tmp_path) / "card.html").read_text()
    assert "<title>Generated pictures</title>" in card
    for others in ("ILSVRC15", "chen2020simple", "Ting Chen", "downloaded by hand"):
        assert others not in card


@pytest.mark.parametrize("number", ["0", "-1", "many", "50001"])
def test_a_number_of_pictures_that_cannot_be_made_is_refused(
    tmp_path: Path, number: str
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), f"--validation={number}"])
    assert list(tmp_path.iterdir()) == []
