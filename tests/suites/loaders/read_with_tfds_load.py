"""Reads TFRecord with tfds.load; run by the Python that has TensorFlow.

Usage: read_with_tfds_load.py DATA_DIR VERSION IMAGES CONFIG...

IMAGES has the encoded images that the records should hold, by name. TensorFlow's JPEG
decoder gives other pixels than Pillow's, so it decodes those too. Prints one JSON
document.
"""

import json
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds
from digests import bytes_digest, pixels_digest


def main(data_dir: Path, version: str, images: Path, configs: list[str]) -> None:
    document = {
        "configs": {config: read(data_dir, config, version) for config in configs},
        "decoded": {path.name: decode(path) for path in images.iterdir()},
    }
    json.dump(document, sys.stdout)


def read(data_dir: Path, config: str, version: str) -> dict[str, Any]:
    name = f"imagenet2012_subset/{config}:{version}"
    # One file at a time, or the order would be one of turns.
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    decoded, info = tfds.load(
        name, data_dir=data_dir, read_config=in_order, with_info=True
    )
    undecoded = tfds.load(
        name,
        data_dir=data_dir,
        read_config=in_order,
        decoders={"image": tfds.decode.SkipDecoding()},
    )
    supervised = tfds.load(name, data_dir=data_dir, split="train", as_supervised=True)
    return {
        "records": {
            split: [
                (
                    pixels["file_name"].decode(),
                    int(pixels["label"]),
                    bytes_digest(encoded["image"]),
                    pixels_digest(pixels["image"]),
                )
                for pixels, encoded in zip(
                    tfds.as_numpy(dataset), tfds.as_numpy(undecoded[split]), strict=True
                )
            ]
            for split, dataset in decoded.items()
        },
        "supervised": sorted(
            (pixels_digest(image), int(label))
            for image, label in tfds.as_numpy(supervised)
        ),
        "lengths": {split: len(dataset) for split, dataset in decoded.items()},
        "examples": {name: split.num_examples for name, split in info.splits.items()},
        "full_name": info.full_name,
        "features": repr(info.features),
        "class_names": info.features["label"].names,
    }


def decode(path: Path) -> str:
    image = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
    return pixels_digest(image.numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
