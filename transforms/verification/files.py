"""Rereads one file of a dataset, and finds what is wrong with it.

Everything that can be checked in one file is checked here, on the worker that reads it:
hash, framing, records, order, images. Checks across files come later, and use the rows
that are kept of its records.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from transforms import storage
from transforms.errors import FormatError, StorageError
from transforms.formats import FORMATS, DamagedRecords, Example, feature_of
from transforms.images import (
    ImagePolicy,
    RejectedImage,
    decode_small,
    read_header,
    treat_image,
)
from transforms.planning import order_keys
from transforms.shards import ShardMeter, ShardProgress
from transforms.statistics import content_hash
from transforms.verification.findings import Findings, FindingsBuilder
from transforms.verification.inventory import ImageCheck, ShardFile

RECORDS: Final = pa.schema(
    [
        pa.field("record", pa.int64(), nullable=False),  # position in the file, from 0
        pa.field("name", pa.string(), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
        pa.field("labels", pa.list_(pa.int64()), nullable=False),  # where there are
        pa.field("image_bytes", pa.int64(), nullable=False),
        pa.field("digest", pa.binary(16), nullable=False),  # of the image
    ]
)

_DEFAULTS: Final = ImagePolicy()
_NO_LIMIT: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The result of rereading a file.

    Attributes:
        file: The file.
        size: Its length in bytes; 0 where it can't be read.
        whole: Whether every record could be read.
        records: Rows of ``RECORDS``, of each record that could be.
        encodings: Number of images by encoding; empty where none was looked at.
        findings: What is wrong.
    """

    file: ShardFile
    size: int
    whole: bool
    records: pa.Table
    encodings: Mapping[str, int]
    findings: Findings


def unread_files(files: Sequence[ShardFile]) -> dict[str, ShardProgress]:
    """Returns how far each file is before it is reread, by path.

    Files go by split, and by format and configuration where there are several.
    """
    configs = {file.config for file in files}
    formats = {file.format for file in files}
    labels = {
        file.path: " ".join(
            [
                *([file.config] if len(configs) > 1 else []),
                file.split,
                *([f"as {file.format}"] if len(formats) > 1 else []),
            ]
        )
        for file in files
    }
    counts = Counter(labels.values())
    examples: Counter[str] = Counter()
    for file in files:
        examples[labels[file.path]] += file.examples
    return {
        file.path: ShardProgress(
            split=label,
            index=file.index,
            count=counts[label],
            wanted=file.examples,
            split_wanted=examples[label],
        )
        for file in files
        for label in [labels[file.path]]
    }


def check_file(
    file: ShardFile, images: ImageCheck, meter: ShardMeter | None = None
) -> FileCheck:
    """Rereads a file and returns what it showed, whatever its bytes.

    It is read twice, for its hash and for its records; one that does not lie on this
    machine is fetched once.

    Args:
        file: The file, and what the documents say of it.
        images: How closely its images are looked at.
        meter: Counts its records, for whoever watches.
    """
    findings = FindingsBuilder()
    size = 0
    try:
        with storage.local_copy(file.uri) as path:
            size = storage.file_info(path).size
            _check_bytes(file, path, size, findings)
            return _check_records(file, path, size, images, meter, findings)
    except StorageError as error:
        findings.add(file.path, "file", str(error))
    empty = RECORDS.empty_table()
    return FileCheck(file, size, False, empty, {}, findings.result())


def names_records(file: ShardFile) -> bool:
    """Returns whether the records of a file say what their images are called."""
    named = feature_of(file.schema.features, "text") is not None
    return named or FORMATS[file.format].max_bytes is not None


def image_fault(
    data: bytes, policy: ImagePolicy, images: ImageCheck
) -> tuple[str, str | None]:
    """Returns an image's encoding, and what is wrong with it, if anything.

    A decoder's warning is not a fault, as in a build.

    Args:
        data: The image as it was written.
        policy: What was done to it.
        images: How closely it is looked at; not ``none``.
    """
    header = read_header(data)
    expected = policy.encodings
    if header.encoding not in expected:
        return header.encoding, (
            f"expected {' or '.join(expected)}, found {header.encoding}: it begins "
            f"with {data[:8]!r}"
        )
    if header.encoding == "webp":
        if header.width is None or (images == "decode" and decode_small(data) is None):
            return header.encoding, "it can't be decoded"
        return header.encoding, None
    try:
        treat_image(
            data,
            ImagePolicy(
                policy="keep",
                check=images if images == "decode" else "header",
                # Bounds are for an archive's images; a written one has to be whole.
                max_pixels=max(policy.max_pixels, _DEFAULTS.max_pixels),
                max_scans=max(policy.max_scans, _DEFAULTS.max_scans),
                max_scan_pixels=max(policy.max_scan_pixels, _DEFAULTS.max_scan_pixels),
                max_bytes=_NO_LIMIT,
            ),
        )
    except RejectedImage as error:
        return header.encoding, str(error)
    return header.encoding, None


def _check_bytes(
    file: ShardFile, path: str, size: int, findings: FindingsBuilder
) -> None:
    if file.size not in (None, size):
        findings.add(
            file.path, "hash", f"It has {size:,} bytes, expected {file.size:,}."
        )
    elif file.digest is not None:
        found = storage.file_digest(path, storage.checksum_of(file.digest))
        if found != file.digest:
            findings.add(
                file.path,
                "hash",
                f"Its digest is {found}, expected {file.digest}: its bytes are not "
                "those that were written.",
            )


def _check_records(
    file: ShardFile,
    path: str,
    size: int,
    images: ImageCheck,
    meter: ShardMeter | None,
    findings: FindingsBuilder,
) -> FileCheck:
    columns: dict[str, list[object]] = {name: [] for name in RECORDS.names}
    encodings: Counter[str] = Counter()
    number, whole = 0, True
    try:
        for item in FORMATS[file.format].codec.scan(path, file.schema.features):
            if isinstance(item, DamagedRecords):
                _tell_damage(file, item, number, findings)
                whole = False
                number += item.count
                continue
            columns["record"].append(number)
            columns["name"].append(item.file_name)
            columns["label"].append(item.label)
            columns["labels"].append(item.labels)
            columns["image_bytes"].append(len(item.image))
            columns["digest"].append(content_hash(item.image))
            if images != "none":
                encodings[_check_image(file, item, number, images, findings)] += 1
            number += 1
            if meter is not None:
                meter.count(len(item.image), rejected=False)
    except FormatError as error:
        whole = False
        findings.add(
            file.path,
            "framing",
            f"{error} No more than {number:,} of {file.examples:,} records can be "
            "read.",
        )
    else:
        if number != file.examples:
            findings.add(
                file.path,
                "count",
                f"It has {number:,} records, expected {file.examples:,}.",
            )
    records = pa.table(columns, RECORDS)
    _check_order(file, records, findings)
    return FileCheck(file, size, whole, records, dict(encodings), findings.result())


def _tell_damage(
    file: ShardFile, damage: DamagedRecords, number: int, findings: FindingsBuilder
) -> None:
    after = ""
    if damage.count > 1:
        after = f" {damage.count - 1:,} records after it can't be read either."
    findings.add(file.path, "framing", f"{damage.reason}{after}", number)


def _check_image(
    file: ShardFile,
    example: Example,
    number: int,
    images: ImageCheck,
    findings: FindingsBuilder,
) -> str:
    """Looks at an image; returns its encoding."""
    encoding, fault = image_fault(example.image, file.images, images)
    if fault is not None:
        findings.add(
            file.path,
            "image",
            f"The image of {example.file_name} is damaged: {fault}.",
            number,
        )
    return encoding


def _check_order(file: ShardFile, records: pa.Table, findings: FindingsBuilder) -> None:
    if not names_records(file):
        return
    names = records["name"].to_pylist()
    keys = order_keys(names, file.split, file.schema.order).to_pylist()
    numbers = records["record"].to_pylist()
    for row in range(1, len(names)):
        if keys[row - 1] >= keys[row]:
            findings.add(
                file.path,
                "order",
                misplaced(names[row - 1], names[row]),
                numbers[row],
            )


def misplaced(before: str, name: str) -> str:
    """Returns the message for a record that does not belong after another."""
    if before == name:
        return f"{name} is there twice."
    return (
        f"{name} comes after {before} and belongs before it: the order is that of "
        "the MD5 of split and name."
    )
