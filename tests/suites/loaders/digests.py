"""What readings are compared by: hashes, for the scripts and the test alike."""

import hashlib

import numpy as np


def bytes_digest(data: bytes) -> str:
    """Returns a hash of an encoded image."""
    return hashlib.sha256(data).hexdigest()


def pixels_digest(pixels: np.ndarray) -> str:
    """Returns a hash of an image's shape and pixels."""
    return bytes_digest(
        repr((pixels.shape, pixels.dtype.str)).encode() + pixels.tobytes()
    )
