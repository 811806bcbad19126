"""Reads imagenet2012_subset with tfds.load; run by the Python that has TFDS.

Usage: read_with_tfds.py CONFIG DATA_DIR MANUAL_DIR

Prints one JSON document: what ``tfds.load`` says and gives, what TFDS says of the
directory when it goes by its files alone, and what TensorFlow decodes from the
archives themselves.
"""

import hashlib
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


def main(config: str, data_dir: Path, manual_dir: Path) -> None:
    name = f"imagenet2012_subset/{config}"
    datasets, info = tfds.load(name, data_dir=data_dir, with_info=True)
    pairs = tfds.load(name, data_dir=data_dir, split="train[:5]", as_supervised=True)
    from_files = tfds.builder_from_directory(data_dir / name / "5.0.0").info
    document = {
        "lengths": {split: len(dataset) for split, dataset in datasets.items()},
        "records": {
            split: [
                (
                    record["file_name"].decode(),
                    int(record["label"]),
                    digest(record["image"]),
                )
                for record in tfds.as_numpy(dataset)
            ]
            for split, dataset in datasets.items()
        },
        "supervised": [
            (digest(image), int(label)) for image, label in tfds.as_numpy(pairs)
        ],
        "loaded": describe(info),
        "from_files": describe(from_files),
        "description": from_files.description,
        "archived": {
            "train": dict(decode_members(nested(manual_dir))),
            "validation": dict(decode_members(flat(manual_dir))),
        },
    }
    json.dump(document, sys.stdout)


def describe(info: tfds.core.DatasetInfo) -> dict[str, Any]:
    label = info.features["label"]
    return {
        "full_name": info.full_name,
        "features": repr(info.features),
        "supervised_keys": info.supervised_keys,
        "first_class": label.int2str(0),
        "last_class": label.int2str(label.num_classes - 1),
        "examples": {name: split.num_examples for name, split in info.splits.items()},
        "shards": {name: split.num_shards for name, split in info.splits.items()},
        "homepage": info.homepage,
        "file_format": info.file_format.value,
        "config_description": info.config_description,
    }


def digest(pixels: np.ndarray) -> str:
    """Returns a hash of an image's shape and pixels."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def decode_members(
    members: Iterator[tuple[str, bytes]],
) -> Iterator[tuple[str, str]]:
    for name, data in members:
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        yield name, digest(image.numpy())


def flat(manual_dir: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(manual_dir / "ILSVRC2012_img_val.tar") as archive:
        yield from images_of(archive)


def nested(manual_dir: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(manual_dir / "ILSVRC2012_img_train.tar") as outer:
        for container in outer:
            with tarfile.open(fileobj=outer.extractfile(container)) as inner:
                yield from images_of(inner)


def images_of(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        if member.isfile() and not member.name.startswith("."):
            yield member.name, archive.extractfile(member).read()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
