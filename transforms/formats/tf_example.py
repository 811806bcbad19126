"""tf.train.Example bytes, without TensorFlow or protobuf.

The wire format is fixed and small, so an Example is three byte strings: what comes
before the image, the image itself, and what comes after it. The image is never
copied. Entries of the feature map are in ascending order of their names, as protobuf's
deterministic serialisation has it; stock TFDS writes the same entries in an order that
changes from process to process.

Layout, with LD(tag, x) = tag, length of x as a varint, x (source: tensorflow's
``example.proto`` and ``feature.proto``, and the protobuf encoding guide)::

    Example  = LD(0A, Features)
    Features = for each entry LD(0A, LD(0A, name) LD(12, Feature))
    bytes    = LD(0A, LD(0A, value))
    int64    = LD(1A, LD(0A, varint))
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from transforms.errors import FormatError, printable, sample
from transforms.formats.records import FEATURES, Example

_IMAGE_KEY: Final = b"\x0a\x05image"
_MOST_KEPT: Final = 1 << 15  # entries; ImageNet-21k has 21,841 labels


def encode_example(example: Example) -> tuple[bytes, bytes, bytes]:
    """Returns the tf.train.Example of a record as head, image and tail.

    Joined, the three are what ``SerializeToString(deterministic=True)`` gives.
    """
    name = example.file_name.encode()
    image_size = len(example.image)
    text = _before_name(len(name)) + name
    value = b"\x0a" + _varint(image_size)  # the image follows
    feature = b"\x0a" + _varint(len(value) + image_size) + value
    entry = _IMAGE_KEY + b"\x12" + _varint(len(feature) + image_size) + feature
    head = text + b"\x0a" + _varint(len(entry) + image_size) + entry
    tail = _label_entry(example.label)
    features = len(head) + image_size + len(tail)
    return b"\x0a" + _varint(features) + head, example.image, tail


def example_sizes(
    name_sizes: npt.NDArray[np.int64],
    image_sizes: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Returns the lengths of tf.train.Examples, in bytes, without making them.

    Args:
        name_sizes: Length of each file name in bytes.
        image_sizes: Length of each image in bytes.
        labels: Label of each image; a negative one takes ten bytes.
    """

    def delimited(size: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return 1 + _varint_sizes(size) + size  # a tag, a length, a body

    def entry(key: str, value: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return delimited(2 + len(key) + delimited(delimited(value)))

    packed = np.where(labels < 0, 10, _varint_sizes(np.maximum(labels, 0)))
    features = (
        entry("file_name", delimited(name_sizes))
        + entry("image", delimited(image_sizes))
        + entry("label", delimited(packed))
    )
    return delimited(features)


def decode_example(record: bytes) -> Example:
    """Returns the record that a tf.train.Example holds, whatever its entries' order.

    Features or values that occur twice, and fields that no Example has, are refused;
    protobuf would join them, skip them or take the last one.

    Raises:
        FormatError: The bytes are no Example with this dataset's three features.
    """
    values: dict[bytes, bytes] = {}
    for features in _each(memoryview(record), 1):
        for entry in _each(features, 1):
            parts = dict(fields := _fields(entry))
            if len(fields) != 2 or parts.keys() != {1, 2}:
                raise FormatError("An Example has an entry that is no key and feature.")
            key = bytes(parts[1])
            kind = 3 if key == b"label" else 1
            listed = [
                value for some in _each(parts[2], kind) for value in _each(some, 1)
            ]
            if len(listed) != 1 or key in values:
                name = printable(key.decode("utf-8", "replace"))
                raise FormatError(f"An Example has no one value of {name}.")
            values[key] = bytes(listed[0])
    if values.keys() != {feature.name.encode() for feature in FEATURES}:
        found = sorted(key.decode("utf-8", "replace") for key in values)
        raise FormatError(
            f"An Example holds [{sample(found)}], expected file_name, image, label."
        )
    label, end = _read_varint(memoryview(values[b"label"]), 0, 64)
    if end != len(values[b"label"]):
        raise FormatError("An Example's label is not one number.")
    try:
        name = values[b"file_name"].decode()
    except UnicodeDecodeError as error:
        raise FormatError("An Example's file name is not UTF-8.") from error
    return Example(name, values[b"image"], label - (1 << 64) if label >> 63 else label)


# Names have few lengths, and labels few values.
@lru_cache(_MOST_KEPT)
def _before_name(size: int) -> bytes:
    """Returns what comes before a file name of so many bytes in its entry."""
    value = b"\x0a" + _delimited(b"\x0a" + _delimited(bytes(size)))
    entry = _entry(b"file_name", value)
    return entry[: len(entry) - size]


@lru_cache(_MOST_KEPT)
def _label_entry(label: int) -> bytes:
    packed = _varint(label & 0xFFFF_FFFF_FFFF_FFFF)
    return _entry(b"label", b"\x1a" + _delimited(b"\x0a" + _delimited(packed)))


def _entry(key: bytes, feature: bytes) -> bytes:
    pair = b"\x0a" + _delimited(key) + b"\x12" + _delimited(feature)
    return b"\x0a" + _delimited(pair)


def _delimited(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _varint_sizes(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    limits = np.array([1 << (7 * n) for n in range(1, 9)], dtype=np.int64)
    return np.searchsorted(limits, values, side="right").astype(np.int64) + 1


def _each(message: memoryview, number: int) -> list[memoryview]:
    """Returns a message's fields, all of which are to have the same number."""
    fields = _fields(message)
    if any(found != number for found, _ in fields):
        raise FormatError("An Example has a field that is none of an Example's.")
    return [value for _, value in fields]


def _fields(message: memoryview) -> list[tuple[int, memoryview]]:
    """Returns the numbers and values of a message's fields.

    Raises:
        FormatError: The message is cut off or has fields that are not delimited.
    """
    found = []
    at = 0
    while at < len(message):
        tag = message[at]  # of our fields, one byte
        if tag & 7 != 2:
            raise FormatError(f"An Example has a field of wire type {tag & 7}, not 2.")
        size, at = _read_varint(message, at + 1, 32)
        if at + size > len(message):
            raise FormatError("An Example is cut off.")
        found.append((tag >> 3, message[at : at + size]))
        at += size
    return found


def _read_varint(message: memoryview, at: int, bits: int) -> tuple[int, int]:
    """Returns a number of at most so many bits, and where the next byte is."""
    value = shift = 0
    while True:
        if at >= len(message):
            raise FormatError("An Example is cut off within a number.")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if value >> bits or shift > bits + 6:
            raise FormatError("An Example has a number that is too large.")
        if byte < 0x80:
            return value, at
