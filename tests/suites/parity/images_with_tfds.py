"""Converts images as TFDS does; run by the Python that has TFDS.

Usage: images_with_tfds.py IN_DIR OUT_DIR ACCURATE_DIR

``name.png`` goes through TFDS's ``png_to_jpeg`` and ``name.jpg`` through its
``jpeg_cmyk_to_rgb``; the results get the same names in OUT_DIR. ACCURATE_DIR gets what
the latter would give if TensorFlow decoded with libjpeg's accurate DCT.
"""

import sys
from pathlib import Path

import tensorflow as tf
from tensorflow_datasets.core.utils import image_utils


def main(source: Path, target: Path, accurate: Path) -> None:
    for path in sorted(source.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".png":
            (target / path.name).write_bytes(image_utils.png_to_jpeg(data))
            continue
        (target / path.name).write_bytes(image_utils.jpeg_cmyk_to_rgb(data))
        rgb = tf.image.decode_jpeg(data, dct_method="INTEGER_ACCURATE")
        encoded = tf.image.encode_jpeg(rgb, format="rgb", quality=100)
        (accurate / path.name).write_bytes(encoded.numpy())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
