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
    int64    = LD(1A, LD(0A, varints)), or LD(1A, nothing) for no number
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.errors import FormatError, printable, sample
from transforms.formats.records import FEATURES, Example, Feature

Sizes = npt.NDArray[np.int64]

_MOST_KEPT: Final = 1 << 15  # entries; ImageNet-21k has 21,841 labels

_BYTES: Final = 1  # numbers of the lists in a Feature
_INTS: Final = 3
# By kind, the list of its values.
_LISTS: Final = {"text": _BYTES, "image": _BYTES, "label": _INTS, "label_list": _INTS}


class ExampleCodec:
    """Encodes and decodes records that have certain features."""

    def __init__(self, features: Sequence[Feature]) -> None:
        """Prepares what is the same in every record.

        Args:
            features: One of the kind ``image``, and at most one of each other kind.
        """
        self._by_key = {f.name.encode(): f.kind for f in features}
        keys = sorted(self._by_key)
        place = [self._by_key[key] for key in keys].index("image")
        self._before = [self._writer(key) for key in keys[:place]]
        self._image = b"\x0a" + _delimited(keys[place]) + b"\x12"
        self._after = [self._writer(key) for key in keys[place + 1 :]]

    def _writer(self, key: bytes) -> Callable[[Example], bytes]:
        return _ENTRIES[self._by_key[key]](b"\x0a" + _delimited(key) + b"\x12")

    def encode(self, example: Example) -> tuple[bytes, bytes, bytes]:
        """Returns the tf.train.Example of a record as head, image and tail.

        Joined, they are what ``SerializeToString(deterministic=True)`` gives.
        """
        size = len(example.image)
        value = b"\x0a" + _varint(size)  # the image follows
        feature = b"\x0a" + _varint(len(value) + size) + value
        entry = self._image + _varint(len(feature) + size) + feature
        head = b"\x0a" + _varint(len(entry) + size) + entry
        head = b"".join([write(example) for write in self._before]) + head
        tail = b"".join([write(example) for write in self._after])
        return (
            b"\x0a" + _varint(len(head) + size + len(tail)) + head,
            example.image,
            tail,
        )

    def decode(self, record: bytes) -> Example:
        """Returns the record that a tf.train.Example holds, in any order of entries.

        Features or values that occur twice, and fields that no Example has, are
        refused; protobuf would join them, skip them or take the last one.

        Raises:
            FormatError: The bytes are no Example with these features.
        """
        values: dict[bytes, list[memoryview]] = {}
        for features in _each(memoryview(record), 1):
            for entry in _each(features, 1):
                parts = dict(fields := _fields(entry))
                if len(fields) != 2 or parts.keys() != {1, 2}:
                    raise FormatError(
                        "An Example has an entry that is no key and feature."
                    )
                key = bytes(parts[1])
                kind = self._by_key.get(key, "text")
                listed = [
                    value
                    for some in _each(parts[2], _LISTS[kind])
                    for value in _each(some, 1)
                ]
                least = 0 if kind == "label_list" else 1
                if not least <= len(listed) <= 1 or key in values:
                    name = printable(key.decode("utf-8", "replace"))
                    raise FormatError(f"An Example has no one value of {name}.")
                values[key] = listed
        if values.keys() != self._by_key.keys():
            found = sorted(key.decode("utf-8", "replace") for key in values)
            expected = b", ".join(sorted(self._by_key)).decode()
            raise FormatError(
                f"An Example holds [{sample(found)}], expected {expected}."
            )
        return _example({self._by_key[key]: value for key, value in values.items()})

    def sizes(self, names: Sizes, images: Sizes, labels: Sizes, lists: Sizes) -> Sizes:
        """Returns the lengths of tf.train.Examples; see ``example_sizes``."""
        values = {
            "text": _delimited_sizes(names),
            "image": _delimited_sizes(images),
            "label": _delimited_sizes(_number_sizes(labels)),
            "label_list": np.where(lists > 0, _delimited_sizes(lists), 0),
        }
        together = np.zeros(len(images), np.int64)
        for key, kind in self._by_key.items():
            feature = _delimited_sizes(_delimited_sizes(values[kind]))
            together += _delimited_sizes(2 + len(key) + feature)
        return _delimited_sizes(together)


@lru_cache(maxsize=16)
def codec_of(features: tuple[Feature, ...]) -> ExampleCodec:
    """Returns what encodes and decodes records of features."""
    return ExampleCodec(features)


def encode_example(
    example: Example, features: tuple[Feature, ...] = FEATURES
) -> tuple[bytes, bytes, bytes]:
    """Returns the tf.train.Example of a record; see ``ExampleCodec.encode``."""
    return codec_of(features).encode(example)


def decode_example(record: bytes, features: tuple[Feature, ...] = FEATURES) -> Example:
    """Returns the record of a tf.train.Example; see ``ExampleCodec.decode``."""
    return codec_of(features).decode(record)


def example_sizes(
    names: Sizes,
    images: Sizes,
    labels: Sizes,
    features: tuple[Feature, ...] = FEATURES,
    lists: Sizes | None = None,
) -> Sizes:
    """Returns the lengths of tf.train.Examples, in bytes, without making them.

    Args:
        names: Length of each file name in bytes.
        images: Length of each image in bytes.
        labels: Label of each image; a negative one takes ten bytes.
        features: What the records have.
        lists: Length of each list of labels, as ``list_sizes`` gives it; None for none.
    """
    none = np.zeros(len(images), np.int64)
    return codec_of(features).sizes(
        names, images, labels, none if lists is None else lists
    )


def list_sizes(lists: pa.ListArray) -> Sizes:
    """Returns how many bytes the numbers of each list take in a tf.train.Example.

    Args:
        lists: Lists of 64-bit numbers, without nulls.
    """
    sizes = _number_sizes(lists.flatten().to_numpy())
    ends = np.concatenate([[0], np.cumsum(sizes)])
    counts = np.cumsum(pc.list_value_length(lists).to_numpy())
    found: Sizes = np.diff(ends[np.concatenate([[0], counts])])
    return found


def _text_entry(key: bytes) -> Callable[[Example], bytes]:
    @lru_cache(_MOST_KEPT)
    def before(size: int) -> bytes:
        value = b"\x0a" + _delimited(b"\x0a" + _delimited(bytes(size)))
        entry = _entry(key, value)
        return entry[: len(entry) - size]

    def write(example: Example) -> bytes:
        name = example.file_name.encode()
        return before(len(name)) + name

    return write


def _label_entry(key: bytes) -> Callable[[Example], bytes]:
    @lru_cache(_MOST_KEPT)
    def entry(labels: tuple[int, ...]) -> bytes:
        return _entry(key, _ints(labels))

    return lambda example: entry((example.label,))


def _label_list_entry(key: bytes) -> Callable[[Example], bytes]:
    return lambda example: _entry(key, _ints(example.labels))


# By kind, what writes the entry of a record's value, from its key as it is written.
_ENTRIES: Final = {
    "text": _text_entry,
    "label": _label_entry,
    "label_list": _label_list_entry,
}


def _entry(key: bytes, feature: bytes) -> bytes:
    return b"\x0a" + _delimited(key + _delimited(feature))


def _ints(numbers: Iterable[int]) -> bytes:
    packed = b"".join(_varint(n & 0xFFFF_FFFF_FFFF_FFFF) for n in numbers)
    return b"\x1a" + _delimited(b"\x0a" + _delimited(packed) if packed else b"")


def _example(values: dict[str, list[memoryview]]) -> Example:
    """Returns the record of values by kind."""
    try:
        name = "".join(bytes(each).decode() for each in values.get("text", ()))
    except UnicodeDecodeError as error:
        raise FormatError("An Example's file name is not UTF-8.") from error
    label = -1
    if "label" in values:
        found = _numbers(values["label"])
        if len(found) != 1:
            raise FormatError("An Example's label is not one number.")
        (label,) = found
    labels = tuple(_numbers(values.get("label_list", ())))
    return Example(name, bytes(values["image"][0]), label, labels)


def _numbers(packed: Iterable[memoryview]) -> list[int]:
    """Returns the signed numbers of a list."""
    found = []
    for data in packed:
        at = 0
        while at < len(data):
            number, at = _read_varint(data, at, 64)
            found.append(number - (1 << 64) if number >> 63 else number)
    return found


def _delimited(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _delimited_sizes(sizes: Sizes) -> Sizes:
    return 1 + _varint_sizes(sizes) + sizes  # a tag, a length, a body


def _number_sizes(numbers: Sizes) -> Sizes:
    found: Sizes = np.where(numbers < 0, 10, _varint_sizes(np.maximum(numbers, 0)))
    return found


def _varint_sizes(values: Sizes) -> Sizes:
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
