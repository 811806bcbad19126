"""tf.train.Example bytes: known ones, their sizes, and what reading refuses."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.oracles import check_example, encode_with_protobuf
from transforms.errors import FormatError
from transforms.formats.records import FEATURES, Example
from transforms.formats.tf_example import decode_example, encode_example, example_sizes

# From TFDS 4.9.10, serialised deterministically.
KNOWN = {
    0: "0a4c0a220a0966696c655f6e616d6512150a130a116e30313434303736345f33362e4a504547"
    "0a160a05696d616765120d0a0b0a094a50454742595445530a0e0a056c6162656c12051a030a0100",
    999: "0a4d0a220a0966696c655f6e616d6512150a130a116e30313434303736345f33362e4a504547"
    "0a160a05696d616765120d0a0b0a094a50454742595445530a0f0a056c6162656c12061a040a02e707",
}
LABELS = st.sampled_from([-1, 0, 1, 127, 128, 999, 16_383, 16_384, (1 << 63) - 1])
# Lengths about the borders of one, two and three bytes of a length.
IMAGES = st.binary(max_size=300) | st.sampled_from(
    [b"x" * size for size in (90, 127, 128, 16_300, 16_383, 16_384, 2_097_200)]
)
NAMES = st.text(st.characters(codec="utf-8"), max_size=300)
EXAMPLES = st.builds(Example, NAMES, IMAGES, LABELS)


def encode(value: Example) -> bytes:
    return b"".join(encode_example(value))


@pytest.mark.parametrize("label", KNOWN)
def test_bytes_are_those_tfds_writes(label: int) -> None:
    value = Example("n01440764_36.JPEG", b"JPEGBYTES", label)
    record = bytes.fromhex(KNOWN[label])
    assert encode(value) == record
    assert decode_example(record) == value


def test_a_negative_label_takes_ten_bytes() -> None:
    record = encode(Example("a", b"", -1))
    assert record.endswith(b"\x0a\x0a" + b"\xff" * 9 + b"\x01")
    assert decode_example(record) == Example("a", b"", -1)


def test_the_image_is_not_copied() -> None:
    image = b"x" * 1000
    assert encode_example(Example("a", image, 0))[1] is image


@settings(deadline=None, max_examples=150)
@given(EXAMPLES)
def test_what_is_encoded_is_decoded(value: Example) -> None:
    assert decode_example(encode(value)) == value


@settings(deadline=None, max_examples=100)
@given(st.lists(EXAMPLES, max_size=5))
def test_sizes_are_those_of_the_encoded_records(values: list[Example]) -> None:
    sizes = example_sizes(
        np.array([len(value.file_name.encode()) for value in values], np.int64),
        np.array([len(value.image) for value in values], np.int64),
        np.array([value.label for value in values], np.int64),
    )
    assert sizes.tolist() == [len(encode(value)) for value in values]


def test_features_are_in_the_order_of_the_record() -> None:
    assert [feature.name for feature in FEATURES] == ["file_name", "image", "label"]


# --- Reading what others wrote --------------------------------------------------------


def delimited(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def entry(key: bytes, kind: int, *values: bytes) -> bytes:
    listed = delimited(kind, b"".join(delimited(0x0A, value) for value in values))
    return delimited(0x0A, delimited(0x0A, key) + delimited(0x12, listed))


NAME = entry(b"file_name", 0x0A, b"a.JPEG")
IMAGE = entry(b"image", 0x0A, b"\xff\xd8")
LABEL = entry(b"label", 0x1A, b"\x07")


def record_of(entries: Iterable[bytes]) -> bytes:
    return delimited(0x0A, b"".join(entries))


@pytest.mark.parametrize("order", list(itertools.permutations([NAME, IMAGE, LABEL])))
def test_entries_may_be_in_any_order(order: tuple[bytes, ...]) -> None:
    assert decode_example(record_of(order)) == Example("a.JPEG", b"\xff\xd8", 7)


TWO_KEYS = delimited(
    0x0A, delimited(0x0A, b"image") * 2 + delimited(0x12, delimited(0x0A, b""))
)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        pytest.param(b"", "holds [], expected", id="empty"),
        pytest.param(
            record_of([NAME, IMAGE]), "holds [file_name, image], expected", id="label"
        ),
        pytest.param(
            record_of([NAME, IMAGE, LABEL, entry(b"id", 0x0A, b"x")]),
            "holds [file_name, id, image, label], expected",
            id="another-feature",
        ),
        pytest.param(
            record_of([NAME, IMAGE, entry(b"label", 0x1A)]),
            "has no one value of label",
            id="label-without-value",
        ),
        pytest.param(
            record_of([NAME, IMAGE, entry(b"label", 0x1A, b"\x07\x08")]),
            "label is not one number",
            id="two-labels",
        ),
        pytest.param(
            record_of([NAME, IMAGE, entry(b"label", 0x1A, b"\x87")]),
            "cut off within a number",
            id="label-cut-off",
        ),
        pytest.param(
            record_of([NAME, IMAGE, entry(b"label", 0x1A, b"\xff" * 11 + b"\1")]),
            "has a number that is too large",
            id="label-too-long",
        ),
        pytest.param(
            record_of([NAME, IMAGE, entry(b"label", 0x1A, b"\xff" * 9 + b"\x03")]),
            "has a number that is too large",
            id="label-of-65-bits",
        ),
        pytest.param(
            record_of([NAME, IMAGE, LABEL, entry(b"label", 0x1A, b"\x08")]),
            "has no one value of label",
            id="feature-twice",
        ),
        pytest.param(
            record_of([NAME, LABEL, entry(b"image", 0x0A, b"a", b"b")]),
            "has no one value of image",
            id="two-images",
        ),
        pytest.param(
            record_of([NAME, IMAGE, entry(b"label", 0x0A, b"7")]),
            "has a field that is none of an Example's",
            id="label-of-bytes",
        ),
        pytest.param(
            record_of([NAME, IMAGE, LABEL]) + delimited(0x02, b""),
            "has a field that is none of an Example's",
            id="field-zero",
        ),
        pytest.param(
            record_of([entry(b"\x1b[2J", 0x0A, b"x")]),
            r"holds [\x1b[2J], expected",
            id="key-of-control-characters",
        ),
        pytest.param(
            record_of([entry(b"file_name", 0x0A, b"\xff"), IMAGE, LABEL]),
            "file name is not UTF-8",
            id="name-not-utf8",
        ),
        pytest.param(b"\x08\x01", "field of wire type 0, not 2", id="wire-type"),
        pytest.param(record_of([NAME, TWO_KEYS, LABEL]), "Example", id="two-keys"),
    ],
)
def test_what_is_no_example_is_refused(record: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode_example(record)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "record",
    [
        encode(Example("n01440764_36.JPEG", b"JPEG" * 40, 999)),
        record_of([LABEL, NAME, IMAGE]),  # a shorter image would look like another
        record_of([LABEL, IMAGE, NAME]),
    ],
    ids=["label-last", "image-last", "name-last"],
)
def test_every_truncation_is_refused(record: bytes) -> None:
    for cut in range(len(record)):
        with pytest.raises(FormatError):
            decode_example(record[:cut])


# Random bytes seldom nest, so some examples are made of tags and short lengths.
TAGGED = st.lists(
    st.sampled_from([0x0A, 0x12, 0x1A, 0, 1, 2, 3, 5, 0x80, 0xFF]), max_size=30
).map(bytes)


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=60) | TAGGED)
@example(b"\x0a\x06\x0a\x04\x0a\x00\x0a\x00")
def test_random_bytes_end_in_a_format_error(junk: bytes) -> None:
    with pytest.raises(FormatError):
        decode_example(junk)


@settings(deadline=None, max_examples=150)
@given(EXAMPLES)
def test_bytes_are_those_protobuf_serialises(value: Example) -> None:
    assert encode(value) == encode_with_protobuf(value)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["change", "insert", "delete"]),
        st.integers(0, 1 << 16),
        st.sampled_from([0x0A, 0x12, 0x1A, 0, 1, 2, 0x80]) | st.integers(0, 255),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([b"", b"JPEG" * 40]), LABELS, EDITS)
def test_changed_bytes_are_read_as_protobuf_does_or_refused(
    image: bytes, label: int, edits: list[tuple[str, int, int]]
) -> None:
    record = bytearray(encode(Example("ü.JPEG", image, label)))
    for kind, place, byte in edits:
        at = place % len(record)
        record[at : at + (kind != "insert")] = b"" if kind == "delete" else [byte]
    check_example(bytes(record))


ENTRIES = st.lists(
    st.sampled_from(
        [
            *(NAME, IMAGE, LABEL),
            *(entry(b"label", 0x1A, b"\x08"), entry(b"label", 0x1A, b"\x88\x00")),
            *(entry(b"label", 0x1A), entry(b"label", 0x1A, b"\x07", b"\x08")),
            *(entry(b"label", 0x0A, b"\x07"), entry(b"image", 0x1A, b"\x07")),
            *(entry(b"image", 0x0A, b"a", b"b"), entry(b"image", 0x0A)),
            delimited(0x0A, delimited(0x0A, b"image")),
            delimited(0x0A, delimited(0x12, delimited(0x0A, b""))),
            TWO_KEYS,
            delimited(0x12, b"x"),
        ]
    ),
    max_size=2,
)


@settings(deadline=None, max_examples=300)
@given(ENTRIES, st.permutations([NAME, IMAGE, LABEL]), st.integers(0, 3))
def test_odd_entries_are_read_as_protobuf_does_or_refused(
    odd: list[bytes], whole: list[bytes], start: int
) -> None:
    check_example(record_of([*whole[:start], *odd, *whole[start:]]))
    check_example(record_of([*odd, *whole[start:]]) + record_of(whole[:start]))
