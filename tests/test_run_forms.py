"""Every form of the archives gives the same dataset, byte for byte."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from beam_pipeline.demo_forms import OTHER_FORMS
from tests.helpers.archives import dataset_dir, nested_tar, run, tar, write_archives
from tests.helpers.archives import stated as stated_numbers
from tests.helpers.forms import pack, shard_digests
from tests.helpers.jpegs import segment

CLASSES = 12  # of those that have a photo, each with two listed images
ZIP = "a zip, {}/imagenet-object-localization-challenge.zip"
PART = "a Parquet file, {{}}/data/train-{:05d}-of-00002.parquet"

# What is said of each form, by split.
FOUND = {
    "tree": ("train: a tar, {}/train.tar", "validation: a tar, {}/val.tar"),
    "tar.gz": (
        "train: a tar in a gzip file, {}/train.tar.gz",
        "validation: a tar in a gzip file, {}/val.tar.gz",
    ),
    "tars": (
        "train: a folder of class tars, {}/train",
        "validation: a tar, {}/val.tar",
    ),
    "folders": (
        "train: a folder of images, {}/train",
        "validation: a folder of images, {}/val",
    ),
    "sorted": (
        "train: a folder of images, {}/train",
        "validation: a folder of images, {}/val",
    ),
    "zip": (f"train: {ZIP}", f"validation: {ZIP}"),
    "parquet": (
        f"train: {PART.format(0)}, {PART.format(1)}",
        "validation: a Parquet file, {}/data/validation-00000-of-00001.parquet",
    ),
}


@dataclass(frozen=True)
class Build:
    """One build from archives in any form.

    Attributes:
        archives: A directory of the original tars, and the list of the subset.
        config: The name of the configuration.
        flags: What else the command line says.
    """

    archives: Path
    config: str
    flags: tuple[str, ...]

    def shards(
        self, archives: Path, data_dir: Path, *flags: str, found: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """Builds, compares what is said of each split; returns hashes of shards."""
        outcome = run(
            *("--config", self.config, "--manual_dir", archives),
            *("--data_dir", data_dir, "--direct_num_workers=1", *self.flags, *flags),
        )
        assert outcome.code == 0, outcome.err
        said = outcome.err.splitlines()[: len(found)]
        assert said == [line.replace("{}", str(archives)) for line in found]
        return shard_digests(str(dataset_dir(data_dir, self.config)))


@pytest.fixture(scope="module")
def drawn(small_archives: Path) -> Build:
    return Build(small_archives, "demo", stated_numbers(small_archives))


@pytest.fixture(scope="module")
def photos(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A cut of the 1 % subset, with a real photo of its class for every image."""
    data = shared / "data"
    found = sorted((data / "photos").glob("*.JPEG"))[:CLASSES]
    by_class = {path.name.partition("_")[0]: path.read_bytes() for path in found}
    listed = (data / "1percent.txt").read_text().split()
    names = {
        wnid: [name for name in listed if name.startswith(f"{wnid}_")][:2]
        for wnid in by_class
    }
    train = {
        wnid: [(name, commented(by_class[wnid], name)) for name in names[wnid]]
        for wnid in by_class
    }
    validation = [
        (name, commented(photo, name))
        for number, photo in enumerate(by_class.values(), start=1)
        for name in (f"ILSVRC2012_val_{number:08d}.JPEG",)
    ]
    directory = write_archives(
        tmp_path_factory.mktemp("photos"),
        train=nested_tar(train),
        validation=tar(validation),
    )
    shutil.copy(data / "1percent.txt", directory)
    numbers = {"train.members": 2 * CLASSES, "train.classes": CLASSES}
    numbers |= {"validation.members": CLASSES, "validation.examples": CLASSES}
    stated = ("--set", *(f"splits.{key}={value}" for key, value in numbers.items()))
    shards = ("--num_shards", "train=3", "validation=2")
    return Build(directory, "1pct", (*stated, *shards, "--allow_missing"))


def commented(photo: bytes, comment: str) -> bytes:
    """Returns a photo with a comment that tells it from its copies."""
    return photo[:2] + segment(0xFE, comment.encode()) + photo[2:]


@pytest.fixture(scope="module")
def expected_drawn(
    drawn: Build, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The shards that the original tars give."""
    shards = drawn.shards(drawn.archives, tmp_path_factory.mktemp("tars"))
    assert len(shards) == 6
    return shards


@pytest.fixture(scope="module")
def expected_photos(
    photos: Build, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    data_dir = tmp_path_factory.mktemp("tars")
    shards = photos.shards(photos.archives, data_dir)
    assert len(shards) == 5
    written = dataset_dir(data_dir, "1pct").glob("*.tfrecord-*")
    assert sum(path.stat().st_size for path in written) > 3_000_000
    return shards


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_a_dataset_does_not_depend_on_how_its_archives_are_packed(
    form: str, drawn: Build, expected_drawn: dict[str, str], tmp_path: Path
) -> None:
    archives, data_dir = pack(drawn.archives, tmp_path / form, form), tmp_path / "data"
    built = drawn.shards(archives, data_dir, found=FOUND[form])
    assert built == expected_drawn
    # Once more, from what was kept of the archives.
    assert drawn.shards(archives, data_dir, "--overwrite") == expected_drawn


# Of other forms the bytes of an image are read as of tars, whatever they are.
@pytest.mark.parametrize("form", ["tar.gz", "zip", "parquet"])
def test_photos_do_not_depend_on_how_their_archives_are_packed(
    form: str, photos: Build, expected_photos: dict[str, str], tmp_path: Path
) -> None:
    archives = pack(photos.archives, tmp_path / form, form)
    assert photos.shards(archives, tmp_path / "data") == expected_photos
