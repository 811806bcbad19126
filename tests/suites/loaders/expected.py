"""What the loaders should give, straight from the archives, and builds to load.

The archives are read with ``tarfile`` and Pillow and nothing of this project but the
repair of CMYK and PNG images, whose bytes the parity tests hold against TFDS's.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from beam_pipeline.demo import SUBSET_LIST, TRAIN_ARCHIVE, VALIDATION_ARCHIVE, draw
from tests.helpers.archives import run, stated, tar
from tests.suites.loaders.digests import bytes_digest, pixels_digest
from transforms.images.policy import ImagePolicy
from transforms.images.treatment import treat_image

NAME: Final = "imagenet2012_subset"
VERSION: Final = "5.1.0"  # with a test split, whose labels are -1
SHARDS: Final = {"train": 4, "validation": 2, "test": 2}
HALF_LIST: Final = "half.txt"
SUBSET_LISTS: Final = {"demo": SUBSET_LIST, "demo_half": HALF_LIST}
CONFIGS: Final = tuple(SUBSET_LISTS)
TEST_ARCHIVE: Final = "ILSVRC2012_img_test.tar"

_LISTS: Final = Path(__file__).parents[3] / "configs" / "imagenet2012"
CLASS_NAMES: Final = (_LISTS / "labels.txt").read_text().split()
_VALIDATION: Final = (_LISTS / "validation_labels.txt").read_text().split()


@dataclass(frozen=True, slots=True)
class Record:
    """What one image of an archive should become.

    Attributes:
        file_name: Its name in its archive.
        label: Number of its class, or -1.
        image: Its bytes, repaired if it is CMYK or PNG.
    """

    file_name: str
    label: int
    image: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored."""
        return Image.open(io.BytesIO(self.image)).size

    @property
    def digest(self) -> str:
        """Digest of its bytes."""
        return bytes_digest(self.image)

    @property
    def rgb(self) -> str:
        """Digest of its pixels as stored, grey ones made RGB."""
        return pixels_digest(np.asarray(self._open().convert("RGB")))

    @property
    def upright(self) -> str:
        """Digest of its pixels as EXIF has them turned, grey ones left grey."""
        return pixels_digest(np.asarray(ImageOps.exif_transpose(self._open())))

    @property
    def stored(self) -> str:
        """Digest of its pixels as stored, grey ones left grey."""
        return pixels_digest(np.asarray(self._open()))

    def _open(self) -> Image.Image:
        return Image.open(io.BytesIO(self.image))


@dataclass(frozen=True, slots=True)
class Built:
    """What was built.

    Attributes:
        directory: A place for what the loaders keep.
        data_dir: Where every configuration is, in every format.
        wide_dir: Where the configuration demo is with dimensions.
        lines: The line of Python that loads demo, by format.
        expected: What each configuration should hold, by split, in order.
    """

    directory: Path
    data_dir: Path
    wide_dir: Path
    lines: dict[str, str]
    expected: dict[str, dict[str, list[Record]]]

    def tfds(self, config: str) -> Path:
        """Returns the directory of a configuration's TFRecord and ArrayRecord."""
        return self.data_dir / NAME / config / VERSION

    def folder(self, format_name: str) -> Path:
        """Returns the folder of Parquet or WebDataset, with every configuration."""
        return self.data_dir / format_name / NAME / VERSION

    def wide_folder(self, format_name: str) -> Path:
        """Returns the folder of the one with dimensions."""
        return self.wide_dir / format_name / NAME / VERSION


def add_test_archive(directory: Path) -> None:
    """Writes the archive of a small test split: plain, grey, rotated, CMYK and PNG."""
    oddities = (None, "grey", "rotated", "cmyk", "png", *[None] * 6)
    members = [
        (f"ILSVRC2012_test_{number:08d}.JPEG", draw(number, f"test {number}", 96, odd))
        for number, odd in enumerate(oddities, 1)
    ]
    (directory / TEST_ARCHIVE).write_bytes(tar(members))


def add_half_list(directory: Path) -> Path:
    """Writes a list of every second training image, and the config that takes it."""
    names = (directory / SUBSET_LIST).read_text().split()
    (directory / HALF_LIST).write_text("".join(f"{name}\n" for name in names[::2]))
    config = directory / "demo_half.yaml"
    config.write_text(
        "base: demo\nconfig: demo_half\nconfig_description: Every second one.\n"
        f"splits: {{train: {{subset: {{file: {HALF_LIST}}}}}}}\n"
    )
    return config


def build(
    archives: Path, data_dir: Path, config: str, formats: str, *flags: str
) -> dict[str, str]:
    """Builds in one run; returns the line that it says loads it, by format."""
    shards = [f"{split}={number}" for split, number in SHARDS.items()]
    listed = (archives / SUBSET_LISTS[Path(config).stem]).read_text().split()
    outcome = run(
        *("--config", config, "--version", VERSION, "--format", formats),
        *("--manual_dir", archives, "--data_dir", data_dir, *stated(archives)),
        f"splits.train.examples={len(listed)}",
        *("--num_shards", *shards, *flags),
    )
    assert outcome.code == 0, outcome.err
    return printed_lines(outcome.out, formats.split(","))


def printed_lines(out: str, formats: Iterable[str]) -> dict[str, str]:
    """Returns the lines that a build says load what it built, by format."""
    _, *parts = out.split("Load it: ")
    return dict(zip(formats, [part.splitlines()[0] for part in parts], strict=True))


def read_archives(archives: Path, config: str) -> dict[str, list[Record]]:
    """Returns the records of every split in the published order."""
    listed = set((archives / SUBSET_LISTS[config]).read_text().split())
    train = [
        _record(name, CLASS_NAMES.index(inner.removesuffix(".tar")), data)
        for inner, content in _members((archives / TRAIN_ARCHIVE).read_bytes())
        for name, data in _members(content)
        if name in listed
    ]
    validation = [
        _record(name, CLASS_NAMES.index(_VALIDATION[int(name[-13:-5]) - 1]), data)
        for name, data in _members((archives / VALIDATION_ARCHIVE).read_bytes())
    ]
    test = [
        _record(name, -1, data)
        for name, data in _members((archives / TEST_ARCHIVE).read_bytes())
    ]
    splits = {"train": train, "validation": validation, "test": test}
    return {split: _in_order(records, split) for split, records in splits.items()}


def _record(name: str, label: int, data: bytes) -> Record:
    image = Image.open(io.BytesIO(data))
    if image.format == "PNG" or image.mode == "CMYK":
        data = treat_image(data, ImagePolicy()).data
    return Record(name, label, data)


def _in_order(records: list[Record], split: str) -> list[Record]:
    """Sorts by the hash that TFDS sorts by."""
    return sorted(
        records, key=lambda r: hashlib.md5(f"{split}{r.file_name}".encode()).digest()
    )


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for info in archive:
            file = archive.extractfile(info)
            assert file is not None
            yield info.name, file.read()
