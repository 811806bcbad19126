"""Every form of the archives in object storage: the rows and bytes of the disk."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from beam_pipeline.demo_forms import OTHER_FORMS
from tests.archives.test_folder import contents, tables_of
from tests.helpers.archives import build, dataset_dir, run, stated, tar
from tests.helpers.forms import pack, shard_digests, upload
from tests.suites.storage import servers
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


@pytest.mark.parametrize(("scheme", "server"), [("gs", "google"), ("s3", "amazon")])
def test_a_long_flat_tar_is_not_asked_for_header_by_header(
    scheme: str, server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    names = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(5000)]
    data = tar((name, b"x" * 600) for name in names)
    (tmp_path / "val.tar").write_bytes(data)
    local = Archive("validation", storage.file_info(str(tmp_path / "val.tar")), "tar")
    with (
        servers.proxy(request.getfixturevalue(server)) as proxy,
        reached_at(scheme, proxy) as place,
    ):
        uri = storage.join(place, "val.tar")
        storage.publish_bytes(uri, data)
        archive = Archive("validation", storage.file_info(uri), "tar")
        before = servers.counts(proxy)["requests"].get("GET", 0)
        (found,) = tables_of(archive)
        requests = servers.counts(proxy)["requests"]["GET"] - before
    (expected,) = tables_of(local)
    assert found.members == expected.members
    assert found.members["name"].to_pylist() == names
    assert requests < 150


@pytest.fixture(scope="module")
def expected(
    small_archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The shards that the original tars give, on the disk."""
    data_dir = tmp_path_factory.mktemp("tars")
    outcome = build(small_archives, data_dir)
    assert outcome.code == 0, outcome.err
    shards = shard_digests(str(dataset_dir(data_dir)))
    assert len(shards) == 6
    return shards


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_a_dataset_does_not_depend_on_how_its_archives_are_packed(
    form: str,
    place: str,
    small_archives: Path,
    expected: dict[str, str],
    tmp_path: Path,
) -> None:
    manual_dir = storage.join(place, "manual")
    upload(pack(small_archives, tmp_path / form, form), manual_dir)
    flags = ["--manual_dir", manual_dir, "--data_dir", storage.join(place, "data")]
    flags += [*stated(small_archives), "--direct_num_workers=1"]
    outcome = run("--config", "demo", *flags)
    assert outcome.code == 0, outcome.err
    dataset = storage.join(place, "data", "imagenet2012_subset", "demo", "5.0.0")
    assert shard_digests(dataset) == expected
