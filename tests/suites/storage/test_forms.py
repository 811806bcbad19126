"""Folders of images and of class tars in object storage: the same rows and bytes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives.test_folder import contents, tables_of
from tests.helpers.archives import tar
from tests.suites.storage.conftest import reached_at
from transforms import storage
from transforms.archives.containers import Archive
from transforms.archives.folder import identify_folder, sample_folder
from transforms.archives.tar.class_tars import identify_class_tars, sample_class_tars
from transforms.errors import StorageError

IMAGES = {
    f"n0{number % 3}": {
        f"n0{each % 3}_{each}.JPEG": bytes([each]) * each * 100
        for each in range(number % 3, 40, 3)
    }
    for number in range(3)
}


@pytest.fixture(params=["gs", "s3"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    server = {"gs": "google", "s3": "amazon"}[request.param]
    with reached_at(request.param, request.getfixturevalue(server)) as uri:
        yield uri


def write_folder(place: str) -> Archive:
    for class_name, images in IMAGES.items():
        storage.make_directory(storage.join(place, class_name))
        for name, data in images.items():
            storage.publish_bytes(storage.join(place, class_name, name), data)
    return Archive("train", identify_folder(place), "folder")


def write_tars(place: str) -> Archive:
    for class_name, images in IMAGES.items():
        uri = storage.join(place, f"{class_name}.tar")
        storage.publish_bytes(uri, tar(images.items()))
    return Archive("train", identify_class_tars(place), "tars")


@pytest.mark.parametrize("write", [write_folder, write_tars])
def test_images_are_those_of_the_disk(
    write: object, place: str, tmp_path: Path
) -> None:
    assert callable(write)
    there, here = write(place), write(str(tmp_path))
    for remote, local in zip(tables_of(there), tables_of(here), strict=True):
        assert replace(remote.container, size=0) == replace(local.container, size=0)
        assert remote.skipped == local.skipped
        both = [table.members.drop_columns("detail") for table in (remote, local)]
        assert both[0] == both[1]
    assert contents(there) == contents(here)
    assert len(contents(there)) == 40


def test_samples_are_those_of_the_disk(place: str) -> None:
    assert sample_folder(write_folder(place)) == ["n00/n00_0.JPEG"]
    tars = storage.join(place, "tars")
    assert sample_class_tars(write_tars(tars)) == [
        *("n00_0.JPEG", "n00_3.JPEG", "n00_6.JPEG")
    ]


def test_a_tar_that_is_replaced_is_noticed(place: str) -> None:
    archive = write_tars(place)
    tables_of(archive)
    storage.publish_bytes(storage.join(place, "n01.tar"), tar([("n01_1.JPEG", b"x")]))
    with pytest.raises(StorageError, match="a tar in it was added, removed or modif"):
        tables_of(archive)
