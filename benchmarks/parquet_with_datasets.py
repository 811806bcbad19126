"""Builds 1pct as Parquet with ``datasets``, as a script of a user's would.

Run by a Python that has ``datasets``: ARCHIVES OUTPUT. It reads the archives from front
to back, keeps the listed images, and writes files of at most 500 MB as ``push_to_hub``
does. It takes the labels of validation images in the order of their names.
"""

import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets

_CONFIGS = Path(__file__).parent.parent / "configs" / "imagenet2012"
_MOST_BYTES = 500_000_000


def main(archives: Path, output: Path) -> None:
    """Builds both splits."""
    names = (_CONFIGS / "labels.txt").read_text().split()
    features = datasets.Features(
        {
            "file_name": datasets.Value("string"),
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=names),
        }
    )
    output.mkdir(parents=True)
    for split, examples in (("train", train), ("validation", validation)):
        dataset = datasets.Dataset.from_generator(
            examples,
            features=features,
            cache_dir=str(output / "cache"),
            gen_kwargs={"archives": archives},
            split=split,
        )
        files = -(-dataset.data.nbytes // _MOST_BYTES)
        for index in range(files):
            shard = dataset.shard(files, index, contiguous=True)
            shard.to_parquet(output / f"{split}-{index:05d}-of-{files:05d}.parquet")


def train(archives: Path) -> Iterator[dict[str, Any]]:
    """Yields the listed training images."""
    listed = set((archives / "1percent.txt").read_text().split())
    with tarfile.open(archives / "ILSVRC2012_img_train.tar", "r:") as outer:
        for container in outer:
            wnid = container.name.removesuffix(".tar")
            with tarfile.open(fileobj=outer.extractfile(container), mode="r:") as inner:
                for member in inner:
                    if member.name in listed:
                        yield example(member.name, read(inner, member), wnid)


def validation(archives: Path) -> Iterator[dict[str, Any]]:
    """Yields the validation images."""
    wnids = (_CONFIGS / "validation_labels.txt").read_text().split()
    with tarfile.open(archives / "ILSVRC2012_img_val.tar", "r:") as tar:
        for member in tar:
            number = int(member.name[-len("00000000.JPEG") : -len(".JPEG")])
            yield example(member.name, read(tar, member), wnids[number - 1])


def read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Returns a member's bytes."""
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def example(name: str, data: bytes, wnid: str) -> dict[str, Any]:
    """Returns a record as ``datasets`` takes it."""
    return {
        "file_name": name,
        "image": {"bytes": data, "path": name},
        "label": wnid,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
