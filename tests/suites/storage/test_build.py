"""Builds from object storage to object storage: the bytes of the local build."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.archives import build, image, nested_tar, tar, write_archives
from tests.suites.storage import servers
from tests.suites.storage.conftest import reached_at
from transforms import storage
from transforms.formats.table import FORMATS

CLASSES = ("n01440764", "n01443537", "n01484850")
TRAIN = {
    wnid: [(f"{wnid}_{n}.JPEG", image(7 * place + n)) for n in range(12)]
    for place, wnid in enumerate(CLASSES)
}
VALIDATION = [
    (f"ILSVRC2012_val_{n:08d}.JPEG", image(n) if n != 5 else b"no image")
    for n in range(1, 21)
]
LISTED = [name for members in TRAIN.values() for name, _ in members[:9]]
FLAGS = (
    *("--config", "demo", "--format", ",".join(FORMATS), "--max_rejects", "1"),
    *("--num_shards", "train=6", "validation=3", "--direct_num_workers=1", "--set"),
    *(f"splits.train.{key}" for key in ("members=36", "examples=27")),
    *(f"splits.validation.{key}" for key in ("members=20", "examples=20")),
)
NAME = "imagenet2012_subset"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a directory of archives with one bad image."""
    return write_archives(
        tmp_path_factory.mktemp("archives"),
        train=nested_tar(TRAIN),
        validation=tar(VALIDATION),
        listed=LISTED,
    )


@pytest.fixture(scope="module")
def local(
    archives: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """Returns the SHA-256 of every file of a local build."""
    data_dir = tmp_path_factory.mktemp("local")
    outcome = build(archives, data_dir, *FLAGS)
    assert outcome.code == 0, outcome.err
    return digests(str(data_dir))


@dataclass(frozen=True)
class Place:
    """A directory of a server, with the archives beneath it."""

    scheme: str
    address: str
    uri: str

    @property
    def data_dir(self) -> str:
        return storage.join(self.uri, "datasets")

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "beam_pipeline.run"),
            *("--manual_dir", storage.join(self.uri, "manual")),
            *("--data_dir", self.data_dir, *FLAGS),
        ]

    def build(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command(), *flags], capture_output=True, text=True, timeout=600
        )


@pytest.fixture(params=["gs", "s3"])
def place(request: pytest.FixtureRequest, archives: Path) -> Iterator[Place]:
    address = request.getfixturevalue({"gs": "google", "s3": "amazon"}[request.param])
    with reached_at(request.param, address) as uri:
        upload(archives, uri)
        yield Place(request.param, address, uri)


def upload(archives: Path, uri: str) -> None:
    for path in archives.iterdir():
        storage.publish_bytes(storage.join(uri, "manual", path.name), path.read_bytes())


def digests(data_dir: str) -> dict[str, str]:
    """Returns the SHA-256 of every file beneath a directory, but for saved indexes."""
    found = {}
    for name in walk(data_dir):
        if not name.startswith("downloads/"):
            data = storage.read_bytes(storage.join(data_dir, name))
            found[name] = hashlib.sha256(data).hexdigest()
    return found


def walk(directory: str) -> Iterator[str]:
    for name in storage.list_names(directory):
        if storage.exists(storage.join(directory, name)):
            yield name
        else:
            yield from (f"{name}/{x}" for x in walk(storage.join(directory, name)))


def published(directory: str) -> list[str]:
    """Returns the names of the reports in a directory."""
    names = storage.list_names(directory)
    return [name for name in names if name.endswith(".json") and "-of-" in name]


def test_a_build_gives_the_bytes_of_the_local_one(
    place: Place, local: Mapping[str, str]
) -> None:
    done = place.build()
    assert done.returncode == 0, done.stderr
    assert digests(place.data_dir) == local
    assert f"quarantine/{NAME}/demo/5.0.0/rejected.parquet" in local
    assert f"parquet/{NAME}/5.0.0/README.md" in local
    assert f'data_dir="{place.data_dir}")' in done.stdout

    again = place.build()
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("is complete as") == len(FORMATS)


def test_a_dataset_is_verified_where_it_lies(place: Place) -> None:
    assert place.build().returncode == 0
    directory = storage.join(place.data_dir, NAME, "demo", "5.0.0")
    command = [sys.executable, "-m", "beam_pipeline.verify", directory]
    command += ["--config", "demo", *FLAGS[FLAGS.index("--set") :]]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stdout + found.stderr

    (shard,) = (
        n
        for n in storage.list_names(directory)
        if "-00003-of-00006" in n and ".tfrecord" in n
    )
    data = bytearray(storage.read_bytes(storage.join(directory, shard)))
    data[len(data) // 2] ^= 1
    storage.publish_bytes(storage.join(directory, shard), bytes(data))
    found = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert found.returncode == 1
    assert shard in found.stdout


def test_a_second_build_uses_the_saved_indexes_and_replaces_what_is_there(
    place: Place, local: Mapping[str, str]
) -> None:
    assert place.build().returncode == 0
    indexes = storage.join(place.data_dir, "downloads", NAME, "index")
    saved = {
        name: storage.file_info(storage.join(indexes, name))
        for name in storage.list_names(indexes)
        if ".parquet" in name
    }
    assert len(saved) == 4  # two archives' and their hashes
    assert place.build("--overwrite").returncode == 0
    for name, file in saved.items():
        assert storage.file_info(storage.join(indexes, name)) == file
    assert digests(place.data_dir) == local


def test_a_killed_build_goes_on_where_it_was(
    place: Place, local: Mapping[str, str]
) -> None:
    directory = storage.join(place.data_dir, NAME, "demo", "5.0.0")
    reports = storage.join(directory, ".tfrecord.reports")
    with servers.proxy(place.address, "--latency", "0.05") as slow:
        environment = {**os.environ, **servers.variables(place.scheme, slow)}
        with subprocess.Popen(
            place.command(), env=environment, stdout=subprocess.DEVNULL
        ) as process:
            while len(published(reports)) < 2 and process.poll() is None:
                time.sleep(0.02)
            process.kill()
    finished = published(reports)
    assert 2 <= len(finished) < 9
    files = {
        uri: storage.file_info(uri)
        for report in finished
        for uri in (
            storage.join(directory, f"{NAME}-{shard}")
            for split, _, rest in [report.removesuffix(".json").partition("-")]
            for shard in [f"{split}.tfrecord-{rest}"]
        )
    }
    done = place.build()
    assert done.returncode == 0, done.stderr
    assert {uri: storage.file_info(uri) for uri in files} == files
    assert digests(place.data_dir) == local


def test_a_build_over_a_faulty_server_gives_the_same_bytes(
    place: Place, local: Mapping[str, str]
) -> None:
    faults = ("--rate", "0.1", "--seed", "4", "--stall", "1")
    with (
        servers.proxy(place.address, *faults) as faulty,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in servers.variables(place.scheme, faulty).items():
            patch.setenv(name, value)
        done = place.build()
        counts = servers.counts(faulty)
    assert done.returncode == 0, done.stderr
    assert min(counts["faults"].values()) > 0
    assert sum(counts["faults"].values()) > 20
    assert digests(place.data_dir) == local


def test_an_archive_that_is_replaced_while_it_is_read_ends_the_build(
    place: Place, archives: Path
) -> None:
    directory = storage.join(place.data_dir, NAME, "demo", "5.0.0")
    reports = storage.join(directory, ".tfrecord.reports")
    with servers.proxy(place.address, "--latency", "0.05") as slow:
        environment = {**os.environ, **servers.variables(place.scheme, slow)}
        with subprocess.Popen(
            place.command(), env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            while not published(reports) and process.poll() is None:
                time.sleep(0.02)
            other = write_archives(archives.parent / "other", train=b"x" * 10_240)
            upload(other, place.uri)
            _, told = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "ILSVRC2012_img_train.tar has changed since the build began" in told
    assert "Traceback" not in told
