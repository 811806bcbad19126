"""Decodes images with TensorFlow and with OpenCV; run by the Python that has both.

Usage: read_with_decoders.py DIRECTORY

Prints JSON: for each decoder and each file's name the shape and the SHA-256 of the
pixels that it gives, or why it gives none.
"""

import hashlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf


def decode_with_tensorflow(data: bytes) -> np.ndarray:
    """Returns the pixels of an image as datasets are read."""
    if data[8:12] == b"WEBP":
        return tf.image.decode_webp(data, channels=3).numpy()
    return tf.image.decode_image(data, channels=3, expand_animations=False).numpy()


def decode_with_opencv(data: bytes) -> np.ndarray:
    """Returns the pixels of an image as they are stored."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError("imdecode gives nothing")
    return pixels


DECODERS = {"tensorflow": decode_with_tensorflow, "opencv": decode_with_opencv}


def main(directory: Path) -> None:
    """Prints what each decoder makes of each file."""
    found = {}
    for name, decode in DECODERS.items():
        found[name] = {}
        for path in sorted(directory.iterdir()):
            try:
                pixels = decode(path.read_bytes())
            except (ValueError, tf.errors.InvalidArgumentError, cv2.error) as error:
                found[name][path.name] = str(error)
            else:
                digest = hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()
                found[name][path.name] = [list(pixels.shape), digest]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
